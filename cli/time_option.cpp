#include "cli/time_option.hpp"

#include <chrono>
#include <tuple>

#include "config/quantity.hpp"

namespace tidegate::cli {

std::int64_t wall_clock_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

std::expected<std::int64_t, std::string> parse_time(std::string_view text, std::int64_t now_ms) {
  if (text == "now") return now_ms;
  if (text.starts_with('-')) {
    const auto distance = config::parse_duration(text.substr(1));
    if (!distance) return std::unexpected("after the minus sign " + distance.error());
    return now_ms - distance->count();
  }
  const auto instant = config::parse_instant(text);
  if (!instant) {
    return std::unexpected("write a time as 2026-02-12T14:00:00Z or 2026-02-12T22:00:00+08:00, or from now as -30m");
  }
  return instant->time_since_epoch().count() * 1000;
}

std::expected<capture::window, std::string> window_of(std::string_view since, std::string_view until) {
  capture::window when;
  const std::int64_t now = wall_clock_ms();
  for (const auto& [text, name, into] :
       {std::tuple{since, "--since: ", &when.since_ms}, std::tuple{until, "--until: ", &when.until_ms}}) {
    if (text.empty()) continue;
    const auto time = parse_time(text, now);
    if (!time) return std::unexpected(name + time.error());
    *into = *time;
  }
  if (when.since_ms >= when.until_ms) return std::unexpected(std::string("--since must lie before --until"));
  return when;
}

}  // namespace tidegate::cli
