// A client of the admin API, who has a name that no log line may take as it is, in front of a world without a proxy.
#pragma once

#include <gtest/gtest.h>

#include <string_view>

#include "proxy/admin/routes.hpp"
#include "tests/admin/watched.hpp"

namespace tidegate::test {

inline constexpr std::string_view good_token = "Bearer secret", bad_token = "Bearer hunter2-the-wrong-one";

class admin_api : public testing::Test {
 protected:
  // loopback: whether the listener is on it, so that looking needs no token.
  admin::admin_answer ask(std::string_view method, std::string_view path, std::string_view body = {},
                          std::string_view token = good_token, bool loopback = true) {
    return admin::answer_admin({.method = method,
                                .target = path,
                                .authorization = token,
                                .body = body,
                                .user = "ol\nga",
                                .remote = "10.0.0.9"},
                               world_.from, "secret", loopback);
  }

  test::watched world_{1};
};

inline constexpr const char* asker_as_written_down = "ol_ga by admin api from 10.0.0.9";

}  // namespace tidegate::test
