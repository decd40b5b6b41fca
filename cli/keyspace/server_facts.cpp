#include "cli/keyspace/server_facts.hpp"

#include <charconv>

namespace tidegate::cli {
namespace {

void read(std::string_view text, std::uint64_t& out) {
  std::uint64_t value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc{}) out = value;
}

void take(std::string_view name, std::string_view value, server_facts& facts) {
  if (name == "run_id") facts.run_id = value;
  if (name == "redis_version") facts.version = value;
  if (name == "role") facts.role = value;
  if (name == "maxmemory_policy") facts.eviction_policy = value;
  if (name == "cluster_enabled") facts.cluster = value == "1";
  if (name == "loading") facts.loading = value == "1";
  if (name == "used_memory") read(value, facts.memory_used);
  if (name == "maxmemory") read(value, facts.memory_max);
  if (name == "evicted_keys") read(value, facts.evicted_keys);
  if (name == "total_commands_processed") read(value, facts.commands);
}

}  // namespace

server_facts read_facts(std::string_view info) {
  server_facts facts;
  while (!info.empty()) {
    const std::size_t end = std::min(info.find('\n'), info.size());
    std::string_view line = info.substr(0, end);
    info.remove_prefix(std::min(end + 1, info.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos) take(line.substr(0, colon), line.substr(colon + 1), facts);
  }
  return facts;
}

}  // namespace tidegate::cli
