#include "evidence/simulate/outcome_text.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <ctime>

namespace tidegate::simulate {
namespace {

constexpr std::size_t rows_shown = 20;
constexpr std::size_t curve_rows = 12;

template <class... Values>
void line(std::ostream& out, const char* format, Values... values) {
  std::array<char, 512> text{};
  std::snprintf(text.data(), text.size(), format, values...);
  out << text.data() << '\n';
}

std::string memory_text(const outcome& what, double bytes) {
  std::string text = size_text(bytes);
  if (!what.memory_is_absolute || what.maxmemory == 0) return text;
  std::array<char, 32> percent{};
  std::snprintf(percent.data(), percent.size(), " (%.1f %%)", 100 * bytes / static_cast<double>(what.maxmemory));
  return text + percent.data();
}

unsigned long long number(std::uint64_t value) {
  return value;
}

void print_memory(const outcome& what, std::ostream& out) {
  if (what.memory.empty()) return;
  out << '\n'
      << (what.memory_is_absolute ? "Memory" : "Memory that this traffic takes")
      << (what.stored_per_counted == 1 ? " (estimated from sizes and TTLs)" : " (held against what the upstream said)")
      << '\n';
  line(out, "  %-22s %24s %24s", "TIME", "WITHOUT THESE RULES", "WITH THEM");
  const std::size_t step = std::max<std::size_t>(what.memory.size() / curve_rows, 1);
  for (std::size_t i = 0; i < what.memory.size(); i += step) {
    const memory_point& one = what.memory[i];
    line(out, "  %-22s %24s %24s", time_text(one.at_ms).c_str(), memory_text(what, one.before).c_str(),
         memory_text(what, one.after).c_str());
  }
  line(out, "  %-22s %24s %24s", "peak", memory_text(what, what.peak_before).c_str(),
       memory_text(what, what.peak_after).c_str());
}

}  // namespace

std::string size_text(double bytes) {
  constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  for (; std::abs(bytes) >= 1024 && unit + 1 < units.size(); ++unit) bytes /= 1024;
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.2f %s", bytes, units[unit]);
  return text.data();
}

std::string time_text(std::int64_t unix_ms) {
  const auto seconds = static_cast<std::time_t>(unix_ms / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

void print_text(const outcome& what, std::string_view traffic, std::ostream& out) {
  if (what.commands == 0) {
    out << traffic << ": there is no write in that time\n";
    return;
  }
  out << traffic << ": " << what.commands << " writes, " << size_text(static_cast<double>(what.bytes)) << ", "
      << time_text(what.from_ms) << " to " << time_text(what.until_ms) << "\n\n";
  line(out, "  delayed %llu (%.1f s in all), rejected %llu, observed %llu", number(what.delayed), what.waited_seconds,
       number(what.rejected), number(what.observed));
  line(out, "  given a TTL %llu, cut to the max %llu, refused for lack of one %llu, TTL observed %llu",
       number(what.injected), number(what.capped), number(what.refused), number(what.ttl_observed));
  if (!what.limits.empty()) {
    out << "\nLimits\n";
    line(out, "  %-28s %-28s %10s %10s %10s %10s %9s", "CLIENT", "RULE", "DELAYED", "REJECTED", "OBSERVED", "WAITED s",
         "LONGEST s");
    for (std::size_t i = 0; i < std::min(what.limits.size(), rows_shown); ++i) {
      const limit_line& one = what.limits[i];
      line(out, "  %-28s %-28s %10llu %10llu %10llu %10.1f %9.2f", one.client.c_str(), one.rule.c_str(),
           number(one.delayed), number(one.rejected), number(one.observed), one.waited_seconds, one.longest_seconds);
    }
    if (what.limits.size() > rows_shown) out << "  … and " << what.limits.size() - rows_shown << " more\n";
  }
  if (!what.ttl.empty()) {
    out << "\nTTLs\n";
    line(out, "  %-40s %-12s %10s %10s %10s %10s", "PATTERN", "COMMAND", "GIVEN", "CUT", "REFUSED", "OBSERVED");
    for (std::size_t i = 0; i < std::min(what.ttl.size(), rows_shown); ++i) {
      const ttl_line& one = what.ttl[i];
      line(out, "  %-40s %-12s %10llu %10llu %10llu %10llu", one.pattern.c_str(), one.command.c_str(),
           number(one.injected), number(one.capped), number(one.refused), number(one.observed));
    }
    if (what.ttl.size() > rows_shown) out << "  … and " << what.ttl.size() - rows_shown << " more\n";
  }
  out << "\nWriters\n";
  line(out, "  %-28s %12s %14s %10s %12s", "CLIENT", "WRITES", "BYTES", "WAITED s", "ENDS LATER s");
  for (std::size_t i = 0; i < std::min(what.clients.size(), rows_shown); ++i) {
    const client_line& one = what.clients[i];
    line(out, "  %-28s %12llu %14s %10.1f %12.1f", one.client.c_str(), number(one.commands),
         size_text(static_cast<double>(one.bytes)).c_str(), one.waited_seconds, one.ends_later_seconds);
  }
  if (what.clients.size() > rows_shown) out << "  … and " << what.clients.size() - rows_shown << " more\n";
  print_memory(what, out);
  if (what.unreadable > 0) {
    out << "\n" << what.unreadable << " commands pass the rules, for their keys cannot be told from them\n";
  }
}

}  // namespace tidegate::simulate
