// What the admin server answers to a request: a function without a socket.
//
// Thread safety: reentrant. Ownership: none. Cost: that of the document asked for.
#pragma once

#include <string>
#include <string_view>

#include "proxy/admin/sources.hpp"

namespace tidegate::admin {

struct admin_request {
  std::string_view method;         // as sent
  std::string_view target;         // path and query, as sent
  std::string_view authorization;  // the header's value; empty = none
  std::string_view body{};
  std::string_view user{};    // X-Tidegate-User: a claim
  std::string_view remote{};  // the peer's address
};

struct admin_answer {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::string allow{};         // 405: what is allowed
  bool ask_for_token = false;  // 401: say how to log in
  bool is_page = false;        // a file of the web page: say what it may fetch and run
};

// token: of the configuration; loopback: whether the listener is on a loopback address.
[[nodiscard]] admin_answer answer_admin(const admin_request& asked, const sources& from, std::string_view token,
                                        bool loopback);

// Whether two secrets are equal, in a time that does not tell how far they agree.
[[nodiscard]] bool equal_secrets(std::string_view a, std::string_view b) noexcept;

}  // namespace tidegate::admin
