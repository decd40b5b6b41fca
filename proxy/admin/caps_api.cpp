#include "proxy/admin/caps_api.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <nlohmann/json.hpp>

#include "attribution/glob.hpp"
#include "evidence/audit/audit_log.hpp"
#include "proxy/admin/change_request.hpp"
#include "proxy/admin/fold.hpp"
#include "proxy/admin/json_view.hpp"
#include "proxy/admin/metrics.hpp"

namespace tidegate::admin {
namespace {

using nlohmann::ordered_json;
using std::chrono::system_clock;

constexpr std::string_view caps_path = "/api/v1/caps";

std::string text_of(const ordered_json& document) {
  return document.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

ordered_json text_or_null(const std::string& text) {
  return text.empty() ? ordered_json() : ordered_json(printable(text));
}

std::uint64_t sum_of(const labelled& rows, const std::vector<std::string>& rules) {
  std::uint64_t sum = 0;
  for (const auto& [labels, count] : rows) {
    if (std::ranges::find(rules, labels[0]) != rules.end()) sum += count;
  }
  return sum;
}

// Connections that the cap holds at this moment.
std::uint64_t connected(const attribution::registry& registry, const std::string& client) {
  const attribution::glob wanted(client);
  std::uint64_t sum = 0;
  for (std::uint32_t number = 0; number < registry.clients_end(); ++number) {
    if (!registry.client_retired(number) && wanted.matches(registry.client_name(number))) {
      sum += registry.client_sessions(number);
    }
  }
  return sum;
}

ordered_json row_of(const policy::cap& one, const sources& from, const totals& all) {
  const std::vector<std::string> rules = policy::rule_names(one);
  const auto left = std::chrono::floor<std::chrono::seconds>(one.until - system_clock::now());
  return {{"client", printable(one.client)},
          {"action", policy::to_string(one.action)},
          {"rate", text_or_null(one.rate_text)},
          {"bytes", text_or_null(one.bytes_text)},
          {"key", text_or_null(one.key)},
          {"who", printable(one.who)},
          {"why", printable(one.why)},
          {"since", audit::utc_text(one.since)},
          {"until", audit::utc_text(one.until)},
          {"seconds_left", std::max<std::int64_t>(left.count(), 0)},
          {"connections", connected(*from.registry, one.client)},
          {"delayed", sum_of(all.delayed, rules)},
          {"rejected", sum_of(all.rejected, rules)}};
}

admin_answer changed(const policy::cap_change& change, const sources& from) {
  ordered_json document = row_of(*change.what, from, fold(from));
  document["in_force"] = change.in_force;
  document["trouble"] = text_or_null(change.trouble);
  return {.body = text_of(document)};
}

admin_answer set_cap(const admin_request& asked, const sources& from) {
  constexpr std::array<std::string_view, 7> known{"client", "action", "rate", "bytes", "key", "for", "why"};
  const ordered_json document = ordered_json::parse(asked.body, nullptr, false);
  if (!document.is_object()) {
    return refusal(400, R"(the body is no JSON object; send {"client": "NAME", "rate": "500/s", "for": "30m"})");
  }
  for (const auto& item : document.items()) {
    if (std::ranges::find(known, item.key()) != known.end()) continue;
    return refusal(400, item.key() + ": is no field; there are client, action, rate, bytes, key, for and why");
  }
  std::string wrong;
  policy::cap_wish wish{.client = text_field(document, "client", wrong),
                        .action = text_field(document, "action", wrong),
                        .rate = text_field(document, "rate", wrong),
                        .bytes = text_field(document, "bytes", wrong),
                        .key = text_field(document, "key", wrong),
                        .lasts = text_field(document, "for", wrong),
                        .who = who_asks(asked),
                        .why = text_field(document, "why", wrong)};
  if (!wrong.empty()) return refusal(400, wrong);
  if (wish.action.empty()) wish.action = "cap";
  const auto cap = policy::read_wish(wish, std::chrono::floor<std::chrono::milliseconds>(system_clock::now()));
  if (!cap) return refusal(400, cap.error());
  const policy::cap_change change = from.caps.set(*cap);
  if (!change.what) return refusal(change.unknown ? 503 : 409, change.trouble);
  return changed(change, from);
}

admin_answer lift_cap(const admin_request& asked, std::string_view segment, const sources& from) {
  const auto client = decoded_segment(segment);
  if (!client) return refusal(400, "the client in the path is not well-formed; write its other characters as %XX");
  const policy::cap_change change = from.caps.lift(*client, who_asks(asked));
  if (change.what) return changed(change, from);
  if (change.unknown) return refusal(503, change.trouble);
  return refusal(404, "there is no cap on " + *client + "; GET /api/v1/caps lists those there are");
}

}  // namespace

std::optional<std::string> decoded_segment(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '/') return std::nullopt;
    if (text[at] != '%') {
      out += text[at];
      continue;
    }
    const std::string_view digits = text.substr(at + 1, 2);
    unsigned value = 0;
    const auto [end, wrong] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (wrong != std::errc() || digits.size() != 2 || end != digits.data() + 2) return std::nullopt;
    out += static_cast<char>(value);
    at += 2;
  }
  if (out.empty()) return std::nullopt;
  return out;
}

std::string caps_json(const sources& from) {
  const totals all = fold(from);
  ordered_json rows = ordered_json::array();
  if (from.caps.all) {
    for (const policy::cap& one : from.caps.all()) rows.push_back(row_of(one, from, all));
  }
  return text_of(ordered_json{{"caps", std::move(rows)}});
}

std::optional<admin_answer> answer_caps(const admin_request& asked, std::string_view path, const sources& from) {
  const bool one = path.starts_with("/api/v1/caps/");
  if (path != caps_path && !one) return std::nullopt;
  const bool reads = asked.method == "GET" || asked.method == "HEAD";
  if (!one && reads) return admin_answer{.body = caps_json(from)};
  if (!from.caps.set) return refusal(503, "this process holds no caps");
  if (!one && asked.method == "POST") return set_cap(asked, from);
  if (one && asked.method == "DELETE") return lift_cap(asked, path.substr(caps_path.size() + 1), from);
  admin_answer refused = refusal(
      405, one ? "a cap can be lifted (DELETE); GET /api/v1/caps lists all" : "caps can be read (GET) and set (POST)");
  refused.allow = one ? "DELETE" : "GET, HEAD, POST";
  return refused;
}

}  // namespace tidegate::admin
