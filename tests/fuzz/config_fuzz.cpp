// Any text is a configuration or a list of mistakes, each of one line that names its place; what loads keeps the
// promises of config/config.hpp.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "config/load.hpp"

namespace {

void demand(bool holds) {
  if (!holds) std::abort();
}

void check_line(const std::string& line) {
  demand(!line.empty());
  for (const char c : line) demand(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
}

void check_limits(const tidegate::config::config& config) {
  for (const tidegate::config::limit_rule& rule : config.limits) {
    demand(!rule.name.empty() && rule.rate > 0 && rule.burst >= 1);
    if (rule.memory) demand(rule.memory->from < rule.memory->to && rule.memory->floor >= 0 && rule.memory->floor <= 1);
  }
}

void check_ttl(const tidegate::config::config& config) {
  for (const tidegate::config::ttl_rule& rule : config.ttl) {
    demand(!rule.pattern.empty() && rule.jitter >= 0 && rule.jitter <= 1);
    if (rule.default_ttl && rule.max_ttl) demand(*rule.default_ttl <= *rule.max_ttl);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view yaml(reinterpret_cast<const char*>(bytes), size);
  std::vector<tidegate::config::mistake> warnings;
  const auto loaded = tidegate::config::load_text(yaml, "/nonexistent/fuzz.yaml", &warnings);
  for (const tidegate::config::mistake& warning : warnings) check_line(warning.to_string());
  if (!loaded) {
    demand(!loaded.error().empty());
    for (const tidegate::config::mistake& mistake : loaded.error()) check_line(mistake.to_string());
    return 0;
  }
  const tidegate::config::config& config = **loaded;
  demand(config.workers > 0 && !config.listen.empty());
  demand(config.memory.session > 0);
  if (config.capture) demand(config.capture->sample >= 0 && config.capture->sample <= 1);
  check_limits(config);
  check_ttl(config);
  return 0;
}
