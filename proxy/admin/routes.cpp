#include "proxy/admin/routes.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <optional>

#include "evidence/forecast/forecast_json.hpp"
#include "proxy/admin/audit_api.hpp"
#include "proxy/admin/caps_api.hpp"
#include "proxy/admin/change_request.hpp"
#include "proxy/admin/config_view.hpp"
#include "proxy/admin/json_view.hpp"
#include "proxy/admin/live_view.hpp"
#include "proxy/admin/metrics.hpp"
#include "proxy/admin/page.hpp"
#include "proxy/admin/query.hpp"
#include "proxy/admin/status_view.hpp"

namespace tidegate::admin {
namespace {

// What stands behind the path's '?', which may be nothing.
using view = std::string (*)(const sources&, std::string_view query);

template <std::string (*document)(const sources&)>
std::string without_query(const sources& from, std::string_view) {
  return document(from);
}

std::string forecast_json(const sources& from) {
  forecast::forecast unknown;
  unknown.why_unknown = "nobody looks ahead here";
  return forecast::to_json(from.forecast ? from.forecast() : unknown);
}

std::string clients_or_one(const sources& from, std::string_view query) {
  const std::optional<std::string> name = query_value(query, "client");
  return name ? client_json(from, *name) : clients_json(from);
}

struct api_route {
  std::string_view path;
  view document;
};
constexpr std::array<api_route, 9> api_routes{{{"/api/v1/caps", without_query<caps_json>},
                                               {"/api/v1/clients", clients_or_one},
                                               {"/api/v1/config", without_query<config_json>},
                                               {"/api/v1/forecast", without_query<forecast_json>},
                                               {"/api/v1/limits", without_query<limits_json>},
                                               {"/api/v1/live", without_query<live_json>},
                                               {"/api/v1/patterns", without_query<patterns_json>},
                                               {"/api/v1/status", status_json},
                                               {"/api/v1/writes", without_query<writes_json>}}};

// RFC 6750: the scheme's case does not matter.
std::string_view bearer(std::string_view authorization) {
  constexpr std::string_view scheme = "bearer ";
  if (authorization.size() <= scheme.size()) return {};
  const bool fits = std::equal(scheme.begin(), scheme.end(), authorization.begin(), [](char wanted, char got) {
    return wanted == (got >= 'A' && got <= 'Z' ? static_cast<char>(got - 'A' + 'a') : got);
  });
  return fits ? authorization.substr(scheme.size()) : std::string_view();
}

// Why somebody may not, or nothing.
std::optional<admin_answer> refuse_without_token(const admin_request& asked, std::string_view token) {
  const std::string_view given = bearer(asked.authorization);
  if (given.empty()) {
    admin_answer answer = refusal(401, "a token is needed: Authorization: Bearer TOKEN");
    answer.ask_for_token = true;
    return answer;
  }
  if (token.empty() || !equal_secrets(given, token)) return refusal(403, "the token is wrong");
  return std::nullopt;
}

}  // namespace

bool equal_secrets(std::string_view a, std::string_view b) noexcept {
  // Only the length shows in the time that it takes.
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

admin_answer answer_admin(const admin_request& asked, const sources& from, std::string_view token, bool loopback) {
  const std::string_view path = asked.target.substr(0, asked.target.find('?'));
  const std::string_view query = asked.target.substr(std::min(asked.target.size(), path.size() + 1));
  const page_file* page = find_page_file(path);
  const auto api =
      std::find_if(api_routes.begin(), api_routes.end(), [path](const api_route& route) { return route.path == path; });
  const bool reads = asked.method == "GET" || asked.method == "HEAD";
  // A change needs the token always, a look only from elsewhere; without it nobody learns what there is to change.
  if (path.starts_with("/api/v1/") && (!reads || (!loopback && api != api_routes.end()))) {
    if (auto refused = refuse_without_token(asked, token)) {
      // A screen asks without a token before it knows that it needs one: that is no attempt.
      if (!reads || refused->status == 403) note_refused(asked, path, refused->status, from);
      return *std::move(refused);
    }
  }
  if (auto told = answer_audit(asked, path, from)) return *std::move(told);
  if (auto caps = answer_caps(asked, path, from)) return *std::move(caps);
  const bool known =
      path == "/metrics" || path == "/healthz" || path == "/readyz" || page != nullptr || api != api_routes.end();
  if (!known) return refusal(404, "there is nothing here");
  if (!reads) {
    admin_answer answer = refusal(405, "this can only be read");
    answer.allow = "GET, HEAD";
    return answer;
  }
  if (path == "/healthz") return {.body = message_json("status", "ok")};
  if (path == "/readyz") {
    const std::string reason = from.not_ready();
    return {.status = reason.empty() ? 200U : 503U, .body = ready_json(reason)};
  }
  if (path == "/metrics") {
    return {.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = metrics(from).text()};
  }
  if (page != nullptr) {
    return {.content_type = std::string(page->content_type), .body = std::string(page->bytes), .is_page = true};
  }
  return {.body = api->document(from, query)};
}

}  // namespace tidegate::admin
