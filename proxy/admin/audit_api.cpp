#include "proxy/admin/audit_api.hpp"

#include <chrono>
#include <nlohmann/json.hpp>

#include "proxy/admin/change_request.hpp"

namespace tidegate::admin {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t what_bytes_max = 64, detail_bytes_max = 2048, path_bytes_max = 128, method_bytes_max = 16;

std::chrono::sys_time<std::chrono::milliseconds> now() {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

}  // namespace

std::optional<admin_answer> answer_audit(const admin_request& asked, std::string_view path, const sources& from) {
  if (path != "/api/v1/audit") return std::nullopt;
  if (asked.method != "POST") {
    admin_answer refused = refusal(405, "a change can be told (POST)");
    refused.allow = "POST";
    return refused;
  }
  if (!from.audit.tell) return refusal(503, "this process keeps no audit log");
  const ordered_json document = ordered_json::parse(asked.body, nullptr, false);
  if (!document.is_object()) return refusal(400, R"(the body is no JSON object; send {"what": "…", "detail": "…"})");
  for (const auto& item : document.items()) {
    if (item.key() == "what" || item.key() == "detail") continue;
    return refusal(400, item.key() + ": is no field; there are what and detail");
  }
  std::string wrong;
  audit::told one{.at = now(),
                  .what = text_field(document, "what", wrong),
                  .who = who_asks(asked),
                  .detail = text_field(document, "detail", wrong)};
  if (!wrong.empty()) return refusal(400, wrong);
  if (one.what.empty()) return refusal(400, "what: says nothing; name the change, like \"ttl fix\"");
  if (one.what.size() > what_bytes_max) return refusal(400, "what: more than 64 bytes; the rest belongs into detail");
  if (one.detail.size() > detail_bytes_max) return refusal(400, "detail: more than 2,048 bytes");
  if (const auto done = from.audit.tell(one); !done) return refusal(503, done.error());
  return admin_answer{.body = R"({"written":true})"};
}

void note_refused(const admin_request& asked, std::string_view path, unsigned status, const sources& from) {
  if (!from.audit.refused) return;
  from.audit.refused({.at = now(),
                      .who = who_asks(asked),
                      .method = plain_text(asked.method, method_bytes_max),
                      .path = plain_text(path, path_bytes_max),
                      .status = status});
}

}  // namespace tidegate::admin
