#include "proxy/admin/audit_api.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/admin/admin_api.hpp"

namespace tidegate::admin {
namespace {

using nlohmann::json;
using test::bad_token;

class AuditApi : public test::admin_api {
 protected:
  AuditApi() {
    world_.from.audit = {.refused = [this](const audit::refusal& one) { refused_.push_back(one); },
                         .tell = [this](const audit::told& one) -> std::expected<void, std::string> {
                           told_.push_back(one);
                           if (!trouble_.empty()) return std::unexpected(trouble_);
                           return {};
                         }};
  }
  std::vector<audit::refusal> refused_;
  std::vector<audit::told> told_;
  std::string trouble_;
};

TEST_F(AuditApi, WritesDownWhoeverAsksForAChangeWithoutTheTokenOrWithAWrongOne) {
  EXPECT_EQ(ask("POST", "/api/v1/caps?x=1", {}, bad_token).status, 403U);
  EXPECT_EQ(ask("DELETE", "/api/v1/caps/a\n\x7f", {}, {}).status, 401U);
  ASSERT_EQ(refused_.size(), 2U);
  EXPECT_EQ(refused_[0].status, 403U);
  EXPECT_EQ(refused_[0].method, "POST");
  EXPECT_EQ(refused_[0].path, "/api/v1/caps") << "what is behind the ? may be a secret";
  EXPECT_EQ(refused_[0].who, test::asker_as_written_down);
  EXPECT_EQ(refused_[1].path, "/api/v1/caps/a__");
  EXPECT_EQ(refused_[1].status, 401U);
  for (const audit::refusal& one : refused_) EXPECT_EQ(audit::line_of(one).find("hunter2"), std::string::npos);
}

TEST_F(AuditApi, DoesNotTakeALookForAnAttempt) {
  EXPECT_EQ(ask("GET", "/api/v1/clients", {}, {}, false).status, 401U);
  EXPECT_EQ(ask("GET", "/api/v1/caps").status, 200U);
  EXPECT_TRUE(refused_.empty());
  EXPECT_EQ(ask("GET", "/api/v1/clients", {}, bad_token, false).status, 403U);
  EXPECT_EQ(refused_.size(), 1U) << "a wrong token is one";
}

TEST_F(AuditApi, TakesWhatSomebodyTells) {
  EXPECT_EQ(ask("POST", "/api/v1/audit", R"({"what": "ttl fix", "detail": "begins"})").status, 200U);
  ASSERT_EQ(told_.size(), 1U);
  EXPECT_EQ(told_[0].what, "ttl fix");
  EXPECT_EQ(told_[0].detail, "begins");
  EXPECT_EQ(told_[0].who, test::asker_as_written_down);
  trouble_ = "the disk is full";
  EXPECT_EQ(ask("POST", "/api/v1/audit", R"({"what": "ttl fix"})").status, 503U);
}

TEST_F(AuditApi, RefusesWhatItDoesNotUnderstandAndWhoeverHasNoToken) {
  const std::string long_text(3000, 'x');
  for (const std::string& body : {std::string("{}"), std::string("[]"), std::string("x"), std::string(R"({"what": 7})"),
                                  std::string(R"({"what": "a", "who": "me"})"), json{{"what", long_text}}.dump(),
                                  json{{"what", "a"}, {"detail", long_text}}.dump()}) {
    EXPECT_EQ(ask("POST", "/api/v1/audit", body).status, 400U) << body;
  }
  EXPECT_EQ(ask("GET", "/api/v1/audit").status, 405U);
  EXPECT_EQ(ask("POST", "/api/v1/audit", R"({"what": "a"})", {}).status, 401U);
  EXPECT_TRUE(told_.empty());
}

}  // namespace
}  // namespace tidegate::admin
