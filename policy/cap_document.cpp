// The caps as JSON: what is kept over a restart, and read back with the same checks as a person's wish.
#include <nlohmann/json.hpp>

#include "policy/cap_book.hpp"

namespace tidegate::policy {
namespace {

using nlohmann::ordered_json;

constexpr int document_version = 1;

ordered_json text_or_null(const std::string& text) {
  return text.empty() ? ordered_json() : ordered_json(text);
}

std::string text_of(const ordered_json& from, const char* key) {
  const auto found = from.find(key);
  return found != from.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::optional<std::chrono::sys_seconds> time_of(const ordered_json& from, const char* key) {
  const auto found = from.find(key);
  if (found == from.end() || !found->is_number_integer()) return std::nullopt;
  return std::chrono::sys_seconds(std::chrono::seconds(found->get<std::int64_t>()));
}

std::expected<cap, std::string> read_one(const ordered_json& from) {
  if (!from.is_object()) return std::unexpected("an entry is no object");
  const auto since = time_of(from, "since");
  const auto until = time_of(from, "until");
  if (!since || !until || *until <= *since) return std::unexpected("an entry has no `since` before its `until`");
  auto read = read_wish({.client = text_of(from, "client"),
                         .action = text_of(from, "action"),
                         .rate = text_of(from, "rate"),
                         .bytes = text_of(from, "bytes"),
                         .key = text_of(from, "key"),
                         .lasts = "1s",
                         .who = text_of(from, "who"),
                         .why = text_of(from, "why")},
                        *since);
  if (!read) return read;
  if (*until - *since > cap_time_max) return std::unexpected("an entry lasts longer than a cap may");
  read->until = *until;
  return read;
}

}  // namespace

std::string write_caps(const std::vector<cap>& caps) {
  ordered_json list = ordered_json::array();
  for (const cap& one : caps) {
    list.push_back({{"client", one.client},
                    {"action", to_string(one.action)},
                    {"rate", text_or_null(one.rate_text)},
                    {"bytes", text_or_null(one.bytes_text)},
                    {"key", text_or_null(one.key)},
                    {"who", one.who},
                    {"why", one.why},
                    {"since", one.since.time_since_epoch().count()},
                    {"until", one.until.time_since_epoch().count()}});
  }
  const ordered_json document{{"version", document_version}, {"caps", std::move(list)}};
  return document.dump(1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

std::expected<std::vector<cap>, std::string> read_caps(std::string_view document) {
  const ordered_json parsed = ordered_json::parse(document, nullptr, false);
  if (!parsed.is_object()) return std::unexpected("is no JSON object");
  const auto version = parsed.find("version");
  if (version == parsed.end() || *version != document_version) return std::unexpected("is of another version");
  const auto list = parsed.find("caps");
  if (list == parsed.end() || !list->is_array()) return std::unexpected("has no list `caps`");
  if (list->size() > caps_max) return std::unexpected("holds more caps than there may be");
  std::vector<cap> caps;
  for (const ordered_json& item : *list) {
    auto one = read_one(item);
    if (!one) return std::unexpected(one.error());
    caps.push_back(*std::move(one));
  }
  return caps;
}

}  // namespace tidegate::policy
