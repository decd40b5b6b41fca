#include "proxy/net/upstream_facts.hpp"

#include <algorithm>
#include <charconv>
#include <unordered_map>

#include "resp/error_code.hpp"

namespace tidegate::net {
namespace {

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

// One line of the keyspace section: "keys=12,expires=3,avg_ttl=0".
void add_keyspace(upstream_info& info, std::string_view fields) {
  while (!fields.empty()) {
    const std::size_t comma = std::min(fields.find(','), fields.size());
    const std::string_view field = fields.substr(0, comma);
    fields.remove_prefix(std::min(comma + 1, fields.size()));
    const std::size_t equals = field.find('=');
    if (equals == std::string_view::npos) continue;
    const std::uint64_t value = number(field.substr(equals + 1)).value_or(0);
    if (field.substr(0, equals) == "keys") info.keys += value;
    if (field.substr(0, equals) == "expires") info.keys_with_ttl += value;
  }
}

// "calls=5,usec=9,…" of one command.
constexpr std::string_view commandstat_prefix = "cmdstat_";
void add_calls(upstream_info& info, std::string_view name, std::string_view fields) {
  constexpr std::string_view first = "calls=";
  if (!fields.starts_with(first) || info.calls.size() >= commands_max) return;
  fields.remove_prefix(first.size());
  const std::optional<std::uint64_t> calls = number(fields.substr(0, fields.find(',')));
  if (calls) info.calls.emplace_back(name, *calls);
}

bool is_keyspace(std::string_view key) {
  return key.size() > 2 && key.starts_with("db") &&
         std::all_of(key.begin() + 2, key.end(), [](char c) { return c >= '0' && c <= '9'; });
}

void add_field(upstream_info& info, std::string_view key, std::string_view value) {
  if (key == "redis_version") {
    info.version = value;
  } else if (key == "role") {
    info.role = value;
  } else if (key == "maxmemory_policy") {
    info.eviction_policy = value;
  } else if (key == "cluster_enabled") {
    info.cluster = value == "1";
  } else if (key == "loading") {
    info.loading = value == "1";
  } else if (key == "used_memory") {
    info.memory_used = number(value);
  } else if (key == "maxmemory") {
    info.memory_max = number(value);
  } else if (key == "evicted_keys") {
    info.evicted_keys = number(value).value_or(0);
  } else if (key == "expired_keys") {
    info.expired_keys = number(value);
  } else if (key == "connected_clients") {
    info.connected_clients = number(value);
  } else if (key == "total_commands_processed") {
    info.total_commands = number(value);
  } else if (key.starts_with(commandstat_prefix)) {
    add_calls(info, key.substr(commandstat_prefix.size()), value);
  } else if (is_keyspace(key)) {
    add_keyspace(info, value);
  }
}

bool usable_name(const std::string& name) {
  return !name.empty() && name.size() <= 64 &&
         std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c <= '~' && c != '"' && c != '\\'; });
}

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

std::int64_t integer_at(const reply& entry, std::size_t index) {
  return index < entry.items.size() && entry.items[index].what == reply::kind::integer ? entry.items[index].integer : 0;
}

// An entry is [name, arity, flags, first key, last key, step, ACL categories, tips, key specs, subcommands]; the last
// four came with 6.0 and 7.0.
void add_command(std::vector<resp::upstream_command>& out, const reply& entry, const std::string& parent) {
  if (entry.what != reply::kind::array || entry.items.size() < 6 || out.size() >= commands_max) return;
  resp::upstream_command command;
  command.name = lower(entry.items[0].text);
  // Redis 7.0 tells subcommands by their whole name ("xgroup|create"), Valkey forks have told the last word alone.
  if (!parent.empty() && command.name.find('|') == std::string::npos) command.name = parent + '|' + command.name;
  if (!usable_name(command.name)) return;
  command.arity = integer_at(entry, 1);
  for (const reply& flag : entry.items[2].items) command.flags.push_back(flag.text);
  command.first_key = integer_at(entry, 3);
  command.last_key = integer_at(entry, 4);
  command.step = integer_at(entry, 5);
  const std::string name = command.name;
  out.push_back(std::move(command));
  if (!parent.empty() || entry.items.size() < 10) return;
  for (const reply& subcommand : entry.items[9].items) add_command(out, subcommand, name);
}

}  // namespace

upstream_info read_info(std::string_view text) {
  upstream_info info;
  while (!text.empty()) {
    const std::size_t newline = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, newline);
    text.remove_prefix(std::min(newline + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::size_t colon = line.find(':');
    if (line.starts_with('#') || colon == std::string_view::npos) continue;
    add_field(info, line.substr(0, colon), line.substr(colon + 1));
  }
  return info;
}

std::string read_role(const reply& answer) {
  if (answer.what != reply::kind::array || answer.items.empty()) return {};
  return answer.items[0].text;
}

std::vector<resp::upstream_command> read_commands(const reply& answer) {
  std::vector<resp::upstream_command> commands;
  for (const reply& entry : answer.items) add_command(commands, entry, {});
  return commands;
}

std::optional<bool> read_expire_probe(const reply& answer) {
  if (answer.what == reply::kind::integer) return true;
  if (!answer.is_error()) return std::nullopt;
  const std::string_view text = answer.text;
  for (const std::string_view about_arguments : {"wrong number of arguments", "syntax error", "Unsupported option"}) {
    if (text.find(about_arguments) != std::string_view::npos) return false;
  }
  const resp::error_code code = resp::classify_error(text);
  if (code == resp::error_code::unknown_command || !resp::refused_before_execution(code)) return std::nullopt;
  return true;
}

double memory_fraction(const upstream_info& info, std::uint64_t override_max) {
  const std::uint64_t most = override_max != 0 ? override_max : info.memory_max.value_or(0);
  if (most == 0 || !info.memory_used) return -1;
  return static_cast<double>(*info.memory_used) / static_cast<double>(most);
}

std::vector<resp::upstream_command> merge_commands(const std::vector<resp::upstream_command>& before,
                                                   const std::vector<resp::upstream_command>& now) {
  std::unordered_map<std::string_view, const resp::upstream_command*> fresh;
  for (const resp::upstream_command& command : now) fresh.emplace(command.name, &command);
  std::vector<resp::upstream_command> merged;
  for (const resp::upstream_command& old : before) {
    const auto found = fresh.find(old.name);
    if (found != fresh.end()) {
      merged.push_back(*found->second);
      fresh.erase(found);
    } else if (resp::command_table::builtin()->find_name(old.name) == nullptr) {
      merged.push_back(old);  // its number stays taken
    }
  }
  for (const resp::upstream_command& command : now) {
    if (fresh.erase(command.name) != 0) merged.push_back(command);
  }
  return merged;
}

}  // namespace tidegate::net
