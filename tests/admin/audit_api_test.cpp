#include "proxy/admin/audit_api.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/admin/watched.hpp"

namespace tidegate::admin {
namespace {

using nlohmann::json;

class AuditApi : public testing::Test {
 protected:
  AuditApi() {
    world_.from.audit = {.refused = [this](const audit::refusal& one) { refused_.push_back(one); },
                         .tell = [this](const audit::told& one) -> std::expected<void, std::string> {
                           told_.push_back(one);
                           if (!trouble_.empty()) return std::unexpected(trouble_);
                           return {};
                         }};
  }
  unsigned ask(std::string_view method, std::string_view path, std::string_view token, std::string_view body = {},
               bool loopback = true) {
    return answer_admin({.method = method,
                         .target = path,
                         .authorization = token,
                         .body = body,
                         .user = "ol\nga",
                         .remote = "10.0.0.9"},
                        world_.from, "secret", loopback)
        .status;
  }

  test::watched world_{1};
  std::vector<audit::refusal> refused_;
  std::vector<audit::told> told_;
  std::string trouble_;
};

constexpr std::string_view good = "Bearer secret", bad = "Bearer hunter2-the-wrong-one";

TEST_F(AuditApi, WritesDownWhoeverAsksForAChangeWithoutTheTokenOrWithAWrongOne) {
  EXPECT_EQ(ask("POST", "/api/v1/caps?x=1", bad), 403U);
  EXPECT_EQ(ask("DELETE", "/api/v1/caps/a\n\x7f", {}), 401U);
  ASSERT_EQ(refused_.size(), 2U);
  EXPECT_EQ(refused_[0].status, 403U);
  EXPECT_EQ(refused_[0].method, "POST");
  EXPECT_EQ(refused_[0].path, "/api/v1/caps") << "what is behind the ? may be a secret";
  EXPECT_EQ(refused_[0].who, "ol_ga by admin api from 10.0.0.9");
  EXPECT_EQ(refused_[1].path, "/api/v1/caps/a__");
  EXPECT_EQ(refused_[1].status, 401U);
  for (const audit::refusal& one : refused_) EXPECT_EQ(audit::line_of(one).find("hunter2"), std::string::npos);
}

TEST_F(AuditApi, DoesNotTakeALookForAnAttempt) {
  EXPECT_EQ(ask("GET", "/api/v1/clients", {}, {}, false), 401U);
  EXPECT_EQ(ask("GET", "/api/v1/caps", good), 200U);
  EXPECT_TRUE(refused_.empty());
  EXPECT_EQ(ask("GET", "/api/v1/clients", bad, {}, false), 403U);
  EXPECT_EQ(refused_.size(), 1U) << "a wrong token is one";
}

TEST_F(AuditApi, TakesWhatSomebodyTells) {
  EXPECT_EQ(ask("POST", "/api/v1/audit", good, R"({"what": "ttl fix", "detail": "begins"})"), 200U);
  ASSERT_EQ(told_.size(), 1U);
  EXPECT_EQ(told_[0].what, "ttl fix");
  EXPECT_EQ(told_[0].detail, "begins");
  EXPECT_EQ(told_[0].who, "ol_ga by admin api from 10.0.0.9");
  trouble_ = "the disk is full";
  EXPECT_EQ(ask("POST", "/api/v1/audit", good, R"({"what": "ttl fix"})"), 503U);
}

TEST_F(AuditApi, RefusesWhatItDoesNotUnderstandAndWhoeverHasNoToken) {
  const std::string long_text(3000, 'x');
  for (const std::string& body : {std::string("{}"), std::string("[]"), std::string("x"), std::string(R"({"what": 7})"),
                                  std::string(R"({"what": "a", "who": "me"})"), json{{"what", long_text}}.dump(),
                                  json{{"what", "a"}, {"detail", long_text}}.dump()}) {
    EXPECT_EQ(ask("POST", "/api/v1/audit", good, body), 400U) << body;
  }
  EXPECT_EQ(ask("GET", "/api/v1/audit", good), 405U);
  EXPECT_EQ(ask("POST", "/api/v1/audit", {}, R"({"what": "a"})"), 401U);
  EXPECT_TRUE(told_.empty());
}

}  // namespace
}  // namespace tidegate::admin
