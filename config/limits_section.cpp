#include <algorithm>
#include <map>

#include "config/limit_words.hpp"
#include "config/sections.hpp"

namespace tidegate::config {
namespace {

constexpr std::string_view rule_example = "{ name: batch-writers, rate: 2000/s }";
// A bucket counts in 2^-30 of a second of its rate in 64 bits: a year fits, and means "no limit" to anybody.
constexpr double burst_seconds_max = 365.0 * 86'400;
constexpr double burst_max = 1e15;

void read_match(reading& in, const place& at, limit_rule& out) {
  section match(in, at, {"client", "command", "key"},
                R"({ client: "isales-*", command: [SET, SADD], key: "contact:*" })");
  if (const auto it = match.find("client")) in.text(*it, glob_example, name_bytes_max, out.match_client);
  if (const auto it = match.find("command")) read_commands(in, *it, out.match_commands);
  if (const auto it = match.find("key")) in.text(*it, glob_example, pattern_bytes_max, out.match_key);
}

void read_pressure(reading& in, const place& at, std::optional<memory_pressure>& out) {
  section memory(in, at, {"from", "to", "floor"}, "{ from: 60%, to: 85%, floor: 10% }");
  if (!memory.readable()) return;
  memory_pressure made;
  const std::size_t before = in.mistakes();
  if (const auto it = memory.find("from")) in.fraction(*it, made.from);
  if (const auto it = memory.find("to")) in.fraction(*it, made.to);
  if (const auto it = memory.find("floor")) in.fraction(*it, made.floor);
  if (in.mistakes() == before && made.from >= made.to) {
    const auto from = memory.find("from");
    in.book(from ? *from : at, "from must be below to (absent: 60% and 85%); write from: 60%, to: 85%");
  }
  out = made;
}

bool read_rate(reading& in, section& one, limit_rule& out) {
  const auto at = one.need("rate", "rate: 2000/s");
  if (!at) return false;
  const auto text = in.scalar(*at, "write a rate, like 2000/s");
  if (!text) return false;
  const auto parsed = parse_rate(*text);
  if (!parsed) {
    in.book(*at, reading::quoted(at->value->text) + ": " + parsed.error());
    return false;
  }
  if (parsed->bytes && out.cost != limit_cost::byte) {
    in.book(*at, "a rate in bytes needs cost: byte; add it, or write a plain rate like 2000/s");
    return false;
  }
  if (!parsed->bytes && out.cost == limit_cost::byte) {
    in.book(*at, "cost: byte needs a rate with a size; write 150KiB/s, or change the cost");
    return false;
  }
  out.rate = parsed->per_second;
  return true;
}

// After the rate: absent, it is one second of it.
void read_burst(reading& in, const section& one, bool rate_known, limit_rule& out) {
  // Below one a second the bucket must still hold one, or nothing would ever fit it.
  out.burst = std::clamp(out.rate, 1.0, burst_max);
  const auto at = one.find("burst");
  if (!at) return;
  const bool bytes = out.cost == limit_cost::byte;
  const auto text = in.scalar(*at, bytes ? "write a size, like 1MiB" : "write a whole number, like 5000");
  if (!text) return;
  const auto parsed = bytes ? parse_size(*text) : parse_count(*text);
  if (!parsed) {
    std::string why = reading::quoted(at->value->text) + ": " + parsed.error();
    if (!bytes && parse_size(*text)) why += "; a size needs cost: byte";
    in.book(*at, std::move(why));
    return;
  }
  if (*parsed == 0) {
    in.book(*at, "a bucket of 0 lets nothing pass; write at least 1, or leave burst out for one second of the rate");
    return;
  }
  const auto burst = static_cast<double>(*parsed);
  if (rate_known && burst > out.rate * burst_seconds_max) {
    in.book(*at, "holds more than a year of the rate; write a smaller burst");
    return;
  }
  out.burst = burst;
}

void read_until(reading& in, const place& at, limit_rule& out) {
  const auto text = in.scalar(at, "write a date, like 2026-12-31");
  if (!text) return;
  const auto parsed = parse_instant(*text);
  if (!parsed) {
    in.book(at, reading::quoted(at.value->text) + ": " + parsed.error());
    return;
  }
  out.until = *parsed;
  if (*parsed <= std::chrono::system_clock::now()) {
    in.warn(at.line, at.key, "has passed: the rule no longer holds; remove it, or move the date");
  }
}

void read_choices(reading& in, const section& one, limit_rule& out) {
  if (const auto it = one.find("per")) in.choice<limit_per>(*it, std::span(limit_per_words), out.per);
  if (const auto it = one.find("action")) {
    in.choice<limit_action>(*it, std::span(limit_action_words).first<3>(), out.action);
  }
}

// False when the unit of rate and burst is in doubt.
bool read_cost(reading& in, const section& one, limit_rule& out) {
  const auto it = one.find("cost");
  if (!it) return true;
  return in.choice<limit_cost>(*it, std::span(limit_cost_words), out.cost);
}

void read_rule(reading& in, section& one, limit_rule& out) {
  read_choices(in, one, out);
  if (read_cost(in, one, out)) {
    const bool rate_known = read_rate(in, one, out);
    read_burst(in, one, rate_known, out);
  }
  if (const auto it = one.find("match")) read_match(in, *it, out);
  if (const auto it = one.find("max_delay")) {
    in.duration(*it, milliseconds(1), std::chrono::hours(1), out.max_delay);
  }
  if (const auto it = one.find("memory")) read_pressure(in, *it, out.memory);
  if (const auto it = one.find("owner")) in.text(*it, R"(write "#channel" or a name)", name_bytes_max, out.owner);
  if (const auto it = one.find("until")) read_until(in, *it, out);
}

bool command_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '|' || c == '.' || c == '_' || c == '-';
  });
}

}  // namespace

void read_commands(reading& in, const place& at, std::vector<std::string>& out) {
  const std::size_t before = in.mistakes();
  std::vector<place> items;
  if (at.is(node_kind::scalar)) {
    items.push_back(at);
  } else {
    items = in.list(at, "SET, SADD", commands_max);
    if (items.empty() && in.mistakes() == before) {
      in.book(at, "is empty: no command would match; write write, SET or [SET, SADD]");
    }
  }
  for (const place& item : items) {
    std::string name;
    if (!in.text(item, "write a command, like SET", name_bytes_max, name)) continue;
    std::ranges::transform(name, name.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    if (!command_name(name)) {
      in.book(item, reading::quoted(item.value->text) +
                        " is no command name; write SET, or XGROUP|CREATE for a "
                        "subcommand, and several as [SET, SADD]");
      continue;
    }
    if (std::ranges::find(out, name) != out.end()) {
      in.book(item, "stands twice; remove this one");
      continue;
    }
    out.push_back(std::move(name));
  }
}

void read_limits(reading& in, const place& at, std::vector<limit_rule>& out) {
  std::map<std::string, std::uint32_t> seen;
  for (const place& item : in.list(at, rule_example, limit_rules_max)) {
    if (item.is(node_kind::null) || (item.is(node_kind::mapping) && item.value->entries.empty())) {
      in.book(item, "an empty rule; remove it, or write " + std::string(rule_example));
      continue;
    }
    section one(in, item,
                {"name", "match", "per", "rate", "burst", "cost", "action", "max_delay", "memory", "owner", "until"},
                rule_example);
    if (!one.readable()) continue;
    limit_rule made;
    made.line = item.line;
    read_rule(in, one, made);
    const auto name = one.need("name", "name: batch-writers");
    if (!name || !in.text(*name, "write a name", name_bytes_max, made.name)) continue;
    const auto [first, is_new] = seen.emplace(made.name, name->line);
    if (!is_new) {
      in.book(*name, "the name is used twice, first on line " + std::to_string(first->second) + "; rename one of them");
    }
    out.push_back(std::move(made));
  }
}

}  // namespace tidegate::config
