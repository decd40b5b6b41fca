#include "proxy/admin/caps_api.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "proxy/admin/config_view.hpp"
#include "tests/admin/admin_api.hpp"

namespace tidegate::admin {
namespace {

using nlohmann::json;

// A proxy whose caps are a book without a control thread.
class CapsApi : public test::admin_api {
 protected:
  CapsApi() {
    world_.from.caps = {.all = [this] { return book_.all(); },
                        .set =
                            [this](const policy::cap& one) {
                              policy::cap_change made = next_;
                              if (!made.unknown && book_.set(one)) made.what = one;
                              return made;
                            },
                        .lift =
                            [this](const std::string& client, const std::string& who) {
                              lifted_by_ = who;
                              policy::cap_change made = next_;
                              if (!made.unknown) made.what = book_.lift(client);
                              return made;
                            }};
    next_.in_force = true;
  }
  std::string error_of(const admin_answer& answer) { return json::parse(answer.body)["error"].get<std::string>(); }

  policy::cap_book book_;
  policy::cap_change next_;
  std::string lifted_by_;
};

constexpr std::string_view wish = R"({"client": "a/b", "rate": "500/s", "for": "30m", "why": "burst"})";

TEST_F(CapsApi, SetsListsAndLifts) {
  const admin_answer set = ask("POST", "/api/v1/caps", wish);
  ASSERT_EQ(set.status, 200U) << set.body;
  const json made = json::parse(set.body);
  EXPECT_EQ(made["client"], "a/b");
  EXPECT_EQ(made["who"], test::asker_as_written_down) << "whatever is in the header cannot forge a line";
  EXPECT_TRUE(made["in_force"].get<bool>());
  EXPECT_TRUE(made["trouble"].is_null());
  EXPECT_TRUE(made["bytes"].is_null());
  const json listed = json::parse(ask("GET", "/api/v1/caps", {}, {}).body);
  ASSERT_EQ(listed["caps"].size(), 1U);
  EXPECT_EQ(listed["caps"][0]["rate"], "500/s");
  EXPECT_EQ(ask("DELETE", "/api/v1/caps/a%2Fb").status, 200U);
  EXPECT_EQ(lifted_by_, test::asker_as_written_down);
  EXPECT_EQ(json::parse(ask("GET", "/api/v1/caps").body)["caps"].size(), 0U);
}

TEST_F(CapsApi, CountsWhatTheCapDidAndWhomItHolds) {
  ASSERT_EQ(ask("POST", "/api/v1/caps", R"({"client": "app-*", "rate": "5/s", "bytes": "1KiB/s", "for": "1h"})").status,
            200U);
  const auto first = world_.registry->acquire_client("app-1", true, 0);
  const auto second = world_.registry->acquire_client("app-2", true, 0);
  (void)world_.registry->acquire_client("other-app", true, 0);
  const auto commands = world_.registry->intern_pattern("rule:cap:app-*");
  const auto bytes = world_.registry->intern_pattern("rule:cap:app-*:bytes");
  world_.stats[0]->delayed.add(session::label_key(commands, first), 3);
  world_.stats[0]->delayed.add(session::label_key(bytes, second), 4);
  world_.stats[0]->rejected.add(session::label_key(bytes, second), 1);
  const json cap = json::parse(ask("GET", "/api/v1/caps").body)["caps"][0];
  EXPECT_EQ(cap["delayed"], 7);
  EXPECT_EQ(cap["rejected"], 1);
  EXPECT_EQ(cap["connections"], 2);
}

TEST_F(CapsApi, SaysWhatIsWrongAndChangesNothing) {
  for (const auto& [body, field] : {std::pair{"", "JSON"},
                                    {"[]", "JSON"},
                                    {R"({"client": "a", "rate": 5, "for": "1h"})", "rate: "},
                                    {R"({"client": "a", "rate": "5/s"})", "for: "},
                                    {R"({"client": "a", "rate": "5/s", "for": "1h", "until": "x"})", "until: "},
                                    {R"({"client": "", "rate": "5/s", "for": "1h"})", "client: "}}) {
    const admin_answer refused = ask("POST", "/api/v1/caps", body);
    EXPECT_EQ(refused.status, 400U) << body;
    EXPECT_NE(error_of(refused).find(field), std::string::npos) << refused.body;
  }
  EXPECT_TRUE(book_.all().empty());
  EXPECT_EQ(ask("DELETE", "/api/v1/caps/nobody").status, 404U);
  for (const char* odd : {"/api/v1/caps/", "/api/v1/caps/a/b", "/api/v1/caps/%2", "/api/v1/caps/%zz"}) {
    EXPECT_EQ(ask("DELETE", odd).status, 400U) << odd;
  }
}

TEST_F(CapsApi, NeedsTheTokenForEveryChange) {
  for (const char* token : {"", "Bearer wrong"}) {
    EXPECT_GE(ask("POST", "/api/v1/caps", wish, token).status, 401U);
    EXPECT_GE(ask("DELETE", "/api/v1/caps/a", {}, token).status, 401U);
  }
  EXPECT_TRUE(book_.all().empty());
  EXPECT_EQ(ask("PUT", "/api/v1/caps", wish).status, 405U);
  EXPECT_EQ(ask("PUT", "/api/v1/caps", wish).allow, "GET, HEAD, POST");
  EXPECT_EQ(ask("POST", "/api/v1/caps/a", wish).allow, "DELETE");
}

TEST_F(CapsApi, DoesNotClaimWhatIsNotKnown) {
  next_ = {};
  next_.unknown = true;
  next_.trouble = "the proxy is shutting down";
  EXPECT_EQ(ask("POST", "/api/v1/caps", wish).status, 503U);
  EXPECT_EQ(ask("DELETE", "/api/v1/caps/a").status, 503U);
  next_ = {};
  next_.trouble = "not every worker has taken it up yet";
  const json late = json::parse(ask("POST", "/api/v1/caps", wish).body);
  EXPECT_FALSE(late["in_force"].get<bool>());
  EXPECT_EQ(late["trouble"], "not every worker has taken it up yet");
}

TEST_F(CapsApi, IsFullAtItsBound) {
  for (std::size_t i = 0; i < policy::caps_max; ++i) {
    const std::string one = R"({"client": "c)" + std::to_string(i) + R"(", "rate": "5/s", "for": "1h"})";
    ASSERT_EQ(ask("POST", "/api/v1/caps", one).status, 200U);
  }
  EXPECT_EQ(ask("POST", "/api/v1/caps", wish).status, 409U);
}

TEST(ConfigView, HoldsNoSecretOfAnyKind) {
  config::config config;
  config.admin.token = "hidden-token";
  config.users.push_back({.name = "app", .password = "hidden-user"});
  config.upstream.host = "redis.internal";
  config.upstream.auth = config::credentials{.username = "proxy", .password = "hidden-auth"};
  config.upstream.control = config::credentials{.username = "ops", .password = "hidden-control"};
  config::limit_rule rule;
  rule.name = "batch";
  rule.rate = rule.burst = 10;
  rule.memory = config::memory_pressure{};
  config.limits.push_back(rule);
  const test::watched world(1, config);
  const std::string text = config_json(world.from);
  EXPECT_EQ(text.find("hidden"), std::string::npos) << text;
  const json shown = json::parse(text);
  EXPECT_EQ(shown["users"], json::array({"app"}));
  EXPECT_EQ(shown["upstream"]["username"], "proxy");
  EXPECT_TRUE(shown["admin"]["token_set"].get<bool>());
  EXPECT_EQ(shown["limits"][0]["name"], "batch");
  EXPECT_EQ(shown["limits"][0]["memory"]["from"], 0.6);
}

}  // namespace
}  // namespace tidegate::admin
