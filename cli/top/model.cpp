#include "cli/top/model.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/cap_lines.hpp"

namespace tidegate::cli::top {
namespace {

using nlohmann::ordered_json;

double number(const ordered_json& from, const char* key) {
  const auto found = from.find(key);
  return found != from.end() && found->is_number() ? found->get<double>() : 0;
}

std::optional<double> number_or_none(const ordered_json& from, const char* key) {
  const auto found = from.find(key);
  if (found == from.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

std::string text(const ordered_json& from, const char* key) {
  const auto found = from.find(key);
  return found != from.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool flag(const ordered_json& from, const char* key, bool otherwise) {
  const auto found = from.find(key);
  return found != from.end() && found->is_boolean() ? found->get<bool>() : otherwise;
}

memory_view memory_of(const ordered_json& upstream) {
  memory_view made;
  made.used = number_or_none(upstream, "used_bytes");
  made.max = number_or_none(upstream, "max_bytes");
  made.keys = number_or_none(upstream, "keys");
  made.keys_with_ttl = number_or_none(upstream, "keys_with_ttl");
  made.evicted = number_or_none(upstream, "evicted_keys");
  made.up = flag(upstream, "up", false);
  made.stale = flag(upstream, "info_stale", true);
  return made;
}

forecast_view forecast_of(const std::string& document) {
  forecast_view made;
  const ordered_json read = ordered_json::parse(document, nullptr, false);
  if (!read.is_object()) return made;
  made.why_unknown = text(read, "why_unknown");
  const std::optional<double> peak = number_or_none(read, "peak_percent");
  made.known = flag(read, "known", false) && peak.has_value();
  if (!made.known) return made;
  made.peak_percent = *peak;
  if (const auto to = read.find("seconds_to"); to != read.end() && to->is_object()) {
    made.seconds_to_70 = number_or_none(*to, "70");
    made.seconds_to_85 = number_or_none(*to, "85");
    made.seconds_to_100 = number_or_none(*to, "100");
  }
  return made;
}

std::vector<cap_row> caps_of(const std::string& document) {
  std::vector<cap_row> rows;
  const ordered_json read = ordered_json::parse(document, nullptr, false);
  if (!read.is_object() || !read.contains("caps")) return rows;
  for (const ordered_json& cap : read["caps"]) {
    rows.push_back({.client = text(cap, "client"),
                    .phrase = cap_phrase(cap),
                    .left = span_text(static_cast<std::int64_t>(number(cap, "seconds_left"))),
                    .who = text(cap, "who"),
                    .why = text(cap, "why")});
  }
  return rows;
}

double worth(const growth& rates, order by) {
  switch (by) {
    case order::bytes:
      return rates.bytes;
    case order::writes:
      return rates.writes;
    case order::without_ttl:
      return rates.without_ttl;
    case order::held:
      return rates.held;
    case order::opened:
      return rates.opened;
    case order::name:
      break;
  }
  return 0;
}

void sort_writers(std::vector<writer_row>& rows, order by) {
  std::stable_sort(rows.begin(), rows.end(), [by](const writer_row& a, const writer_row& b) {
    if (const double one = worth(a.rates, by), other = worth(b.rates, by); one != other) return one > other;
    if (by != order::name && a.bytes != b.bytes) return a.bytes > b.bytes;
    return a.name < b.name;
  });
}

bool fits(const writer_row& row, std::string_view filter) {
  const auto has = [filter](const std::string& name) { return name.find(filter) != std::string::npos; };
  return has(row.name) || std::any_of(row.patterns.begin(), row.patterns.end(),
                                      [&](const pattern_row& each) { return has(each.pattern); });
}

}  // namespace

std::string_view to_string(order by) noexcept {
  switch (by) {
    case order::bytes:
      return "bytes";
    case order::writes:
      return "writes";
    case order::without_ttl:
      return "without TTL";
    case order::held:
      return "held";
    case order::opened:
      return "opened";
    case order::name:
      return "name";
  }
  return "bytes";
}

model::sample model::read_sample(const answers& got) {
  const auto live = ordered_json::parse(got.live);
  sample made;
  made.at_ms = live.at("at").get<std::int64_t>();
  made.started_ms = live.at("started_at").get<std::int64_t>();
  made.instance = text(live, "instance");
  made.version = text(live, "version");
  if (!flag(live, "ready", true)) made.reason = text(live, "reason");
  made.memory = memory_of(live.at("upstream"));
  const auto counts_of = [](const ordered_json& row) {
    return counts{.writes = number(row, "writes"),
                  .bytes = number(row, "bytes"),
                  .without_ttl = number(row, "without_ttl"),
                  .held = number(row, "delayed") + number(row, "rejected"),
                  .opened = number(row, "connections_opened"),
                  .observed = number(row, "observed"),
                  .connections = number(row, "connections")};
  };
  for (const ordered_json& row : live.at("clients")) made.clients[text(row, "client")] = counts_of(row);
  for (const ordered_json& row : live.at("patterns")) made.injected += number(row, "injected");
  for (const ordered_json& row : live.at("limits")) {
    made.limits.emplace_back(text(row, "name"),
                             limit_facts{counts_of(row), text(row, "action"), flag(row, "in_force", true)});
  }
  if (!got.writes.empty()) {
    const auto writes = ordered_json::parse(got.writes);
    for (const ordered_json& row : writes.at("writes")) {
      made.writes[{text(row, "client"), text(row, "pattern"), text(row, "command")}] = counts_of(row);
    }
  }
  return made;
}

std::expected<void, std::string> model::take(const answers& got) {
  try {
    sample fresh = read_sample(got);
    if (!samples_.empty() && samples_.back().started_ms != fresh.started_ms) samples_.clear();
    if (samples_.empty() || fresh.at_ms > samples_.back().at_ms) samples_.push_back(std::move(fresh));
    while (samples_.size() > samples_kept) samples_.pop_front();
    caps_ = caps_of(got.caps);
    forecast_ = forecast_of(got.forecast);
  } catch (const ordered_json::exception& error) {
    return std::unexpected(std::string("what the proxy answered is not understood; is it of this version? ") +
                           error.what());
  }
  return {};
}

growth model::between(const counts* before, const counts& now, double seconds) {
  if (seconds <= 0) return {};
  // A row that was not there before counts from zero; so does one whose counter went back, as a folded name's does.
  const auto rate = [&](double counts::* field) {
    const double from = before != nullptr && before->*field <= now.*field ? before->*field : 0;
    return (now.*field - from) / seconds;
  };
  return {rate(&counts::writes), rate(&counts::bytes), rate(&counts::without_ttl), rate(&counts::held),
          rate(&counts::opened)};
}

std::vector<writer_row> model::writers(double seconds) const {
  const sample &old = samples_.front(), &now = samples_.back();
  const auto in = [](const auto& rows, const auto& key) {
    const auto found = rows.find(key);
    return found == rows.end() ? nullptr : &found->second;
  };
  std::vector<writer_row> made;
  double rate = 0, all = 0;
  for (const auto& [name, sums] : now.clients) {
    writer_row row;
    row.name = name;
    row.rates = between(in(old.clients, name), sums, seconds);
    row.writes = static_cast<std::uint64_t>(sums.writes);
    row.bytes = static_cast<std::uint64_t>(sums.bytes);
    row.connections = static_cast<std::uint64_t>(sums.connections);
    rate += row.rates.bytes;
    all += sums.bytes;
    made.push_back(std::move(row));
  }
  for (const auto& [key, sums] : now.writes) {
    const auto row = std::lower_bound(made.begin(), made.end(), key.client,
                                      [](const writer_row& a, const std::string& name) { return a.name < name; });
    if (row == made.end() || row->name != key.client) continue;
    row->patterns.push_back({.pattern = key.pattern,
                             .command = key.command,
                             .rates = between(in(old.writes, key), sums, seconds),
                             .writes = static_cast<std::uint64_t>(sums.writes),
                             .bytes = static_cast<std::uint64_t>(sums.bytes),
                             .without_ttl = static_cast<std::uint64_t>(sums.without_ttl)});
  }
  for (writer_row& row : made) {
    if (rate > 0) {
      row.share = row.rates.bytes / rate;
    } else if (all > 0) {
      row.share = static_cast<double>(row.bytes) / all;
    }
    std::stable_sort(row.patterns.begin(), row.patterns.end(), [](const pattern_row& a, const pattern_row& b) {
      return a.rates.bytes != b.rates.bytes ? a.rates.bytes > b.rates.bytes : a.bytes > b.bytes;
    });
  }
  return made;
}

std::vector<limit_row> model::limits(double seconds) const {
  const sample& old = samples_.front();
  std::vector<limit_row> made;
  for (const auto& [name, facts] : samples_.back().limits) {
    const auto before =
        std::find_if(old.limits.begin(), old.limits.end(), [&name](const auto& each) { return each.first == name; });
    const counts* from = before == old.limits.end() ? nullptr : &before->second.sums;
    const double observed = seconds > 0 ? (facts.sums.observed - (from != nullptr ? from->observed : 0)) / seconds : 0;
    made.push_back(
        {name, facts.action, between(from, facts.sums, seconds).held, std::max(0.0, observed), facts.in_force});
  }
  std::stable_sort(made.begin(), made.end(),
                   [](const limit_row& a, const limit_row& b) { return a.held + a.observed > b.held + b.observed; });
  return made;
}

view model::look(order by, std::string_view filter) const {
  view made;
  made.caps = caps_;
  made.forecast = forecast_;
  if (samples_.empty()) return made;
  const sample &old = samples_.front(), &now = samples_.back();
  made.instance = now.instance;
  made.version = now.version;
  made.reason = now.reason;
  made.at_ms = now.at_ms;
  made.seconds = static_cast<double>(now.at_ms - old.at_ms) / 1000;
  made.memory = now.memory;
  if (made.seconds > 0 && old.memory.used && now.memory.used) {
    made.memory.trend = (*now.memory.used - *old.memory.used) / made.seconds;
  }
  made.writers = writers(made.seconds);
  made.writers_in_all = made.writers.size();
  for (const writer_row& row : made.writers) {
    made.total.writes += row.rates.writes;
    made.total.bytes += row.rates.bytes;
    made.total.without_ttl += row.rates.without_ttl;
    made.total.held += row.rates.held;
    made.total.opened += row.rates.opened;
    made.connections += row.connections;
  }
  const double given = made.seconds > 0 ? std::max(0.0, now.injected - old.injected) / made.seconds : 0;
  made.left_without_ttl = std::max(0.0, made.total.without_ttl - given);
  if (!filter.empty()) std::erase_if(made.writers, [filter](const writer_row& row) { return !fits(row, filter); });
  sort_writers(made.writers, by);
  made.limits = limits(made.seconds);
  return made;
}

}  // namespace tidegate::cli::top
