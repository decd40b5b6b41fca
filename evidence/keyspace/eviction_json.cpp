// The judgement of an eviction policy as JSON, there and back: what `tidegate policy` writes, a report may be given.
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "evidence/keyspace/evictability.hpp"

namespace tidegate::keyspace {
namespace {

using nlohmann::ordered_json;

template <class T>
ordered_json or_null(const std::optional<T>& value) {
  return value ? ordered_json(*value) : ordered_json(nullptr);
}

ordered_json bytes_json(const estimate& bytes) {
  if (bytes.measured == 0) return nullptr;
  ordered_json one{{"estimate", std::llround(bytes.value)}, {"margin_95", nullptr}};
  if (bytes.margin) one["margin_95"] = std::llround(*bytes.margin);
  return one;
}

ordered_json share_json(const evictable_share& share) {
  return {{"keys", or_null(share.keys)},
          {"keys_share", or_null(share.keys_share)},
          {"bytes", bytes_json(share.bytes)},
          {"bytes_share", share.bytes_share}};
}

// Which word a number of keys or of writes stands under.
struct counted_as {
  const char *all, *exposed, *uncovered;
};
counted_as words_of(eviction_source source) {
  if (source == eviction_source::writes) return {"writes", "writes_without_ttl", "uncovered_writes"};
  return {"keys", "exposed_keys", "uncovered_keys"};
}

template <class T>
std::optional<T> maybe(const ordered_json& from, const char* name) {
  const ordered_json& value = from.at(name);
  return value.is_null() ? std::nullopt : std::optional(value.get<T>());
}

estimate read_bytes(const ordered_json& from) {
  if (from.is_null()) return {.value = 0, .margin = 0, .measured = 0};
  // How many were measured is not written down; that some were is all that is asked for.
  return {.value = from.at("estimate").get<double>(), .margin = maybe<double>(from, "margin_95"), .measured = 1};
}

evictable_share read_share(const ordered_json& from) {
  return {.keys = maybe<std::uint64_t>(from, "keys"),
          .keys_share = maybe<double>(from, "keys_share"),
          .bytes = read_bytes(from.at("bytes")),
          .bytes_share = from.at("bytes_share").get<double>()};
}

// The member whose name it is; the first of them for a word that nobody wrote here.
template <class Enum>
Enum named(const std::string& word, Enum last) {
  for (auto each = static_cast<std::size_t>(last); each > 0; --each) {
    if (name_of(static_cast<Enum>(each)) == word) return static_cast<Enum>(each);
  }
  return static_cast<Enum>(0);
}

exposed_pattern read_exposed(const ordered_json& from, const counted_as& words) {
  return {.pattern = from.at("pattern").get<std::string>(),
          .all = from.at(words.all).get<std::uint64_t>(),
          .exposed = from.at(words.exposed).get<std::uint64_t>(),
          .exposed_bytes = read_bytes(from.at("exposed_bytes")),
          .share_idle_a_day = maybe<double>(from, "share_idle_a_day"),
          .share_rarely_used = maybe<double>(from, "share_rarely_used"),
          .mean_idle_seconds = maybe<double>(from, "mean_idle_seconds"),
          .mean_frequency = maybe<double>(from, "mean_frequency"),
          .ruled = from.at("ruled").get<bool>(),
          .risk = named(from.at("likelihood").get<std::string>(), eviction_risk::high)};
}

eviction_view read_view(const ordered_json& from) {
  eviction_view view;
  view.source = from.at("source").get<std::string>() == "writes" ? eviction_source::writes : eviction_source::keys;
  const counted_as words = words_of(view.source);
  view.target = from.at("target").get<std::string>();
  view.policy = from.at("policy").get<std::string>();
  view.keys = maybe<std::uint64_t>(from, "keys");
  view.bytes = read_bytes(from.at("bytes"));
  view.memory_used = from.at("used_bytes").get<std::uint64_t>();
  view.memory_max = from.at("max_bytes").get<std::uint64_t>();
  view.evicted_keys = from.at("evicted_keys").get<std::uint64_t>();
  const ordered_json& evictable = from.at("evictable");
  view.now = read_share(evictable.at("now"));
  view.under_volatile = read_share(evictable.at("volatile"));
  view.after_rules = read_share(evictable.at("volatile_after_rules"));
  view.under_allkeys = read_share(evictable.at("allkeys"));
  view.uncovered = from.at(words.uncovered).get<std::uint64_t>();
  for (const ordered_json& one : from.at("exposed")) {
    if (view.exposed.size() == exposed_max) break;
    view.exposed.push_back(read_exposed(one, words));
  }
  view.exposed_left_out = from.at("exposed_left_out").get<std::size_t>();
  view.advice = named(from.at("advice").get<std::string>(), eviction_advice::find_the_owners);
  return view;
}

}  // namespace

ordered_json to_json(const eviction_view& view) {
  const counted_as words = words_of(view.source);
  ordered_json exposed = ordered_json::array();
  for (const exposed_pattern& one : view.exposed) {
    exposed.push_back({{"pattern", one.pattern},
                       {words.all, one.all},
                       {words.exposed, one.exposed},
                       {"exposed_bytes", bytes_json(one.exposed_bytes)},
                       {"share_idle_a_day", or_null(one.share_idle_a_day)},
                       {"share_rarely_used", or_null(one.share_rarely_used)},
                       {"mean_idle_seconds", or_null(one.mean_idle_seconds)},
                       {"mean_frequency", or_null(one.mean_frequency)},
                       {"likelihood", name_of(one.risk)},
                       {"ruled", one.ruled}});
  }
  return {{"source", view.source == eviction_source::writes ? "writes" : "keys"},
          {"target", view.target},
          {"policy", view.policy},
          {"keys", or_null(view.keys)},
          {"bytes", bytes_json(view.bytes)},
          {"used_bytes", view.memory_used},
          {"max_bytes", view.memory_max},
          {"evicted_keys", view.evicted_keys},
          {"evictable",
           {{"now", share_json(view.now)},
            {"volatile", share_json(view.under_volatile)},
            {"volatile_after_rules", share_json(view.after_rules)},
            {"allkeys", share_json(view.under_allkeys)}}},
          {words.uncovered, view.uncovered},
          {"exposed", std::move(exposed)},
          {"exposed_left_out", view.exposed_left_out},
          {"advice", name_of(view.advice)}};
}

std::expected<eviction_view, std::string> eviction_from_json(std::string_view text) {
  try {
    return read_view(ordered_json::parse(text));
  } catch (const ordered_json::exception& why) {
    return std::unexpected(std::string("it is not what `tidegate policy --format json` writes: ") + why.what());
  }
}

}  // namespace tidegate::keyspace
