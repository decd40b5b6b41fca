// From how it stands to what to do: the runbook's first section as a function.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "proxy/admin/status_view.hpp"

namespace tidegate::admin {
namespace {

// Below that a minute the memory stands still.
constexpr double steady_share = 0.001;
// Who writes at least so much of all bytes is named.
constexpr double culprit_share = 0.3;
constexpr double no_ttl_share = 0.3;
// Stored growth of about 150 KB/s kept both known bursts under 70 %.
constexpr double cap_bytes_max = 150.0 * 1024;
constexpr double cap_bytes_min = 1024;

bool rises(const status_facts& facts) {
  return facts.share_a_minute && *facts.share_a_minute > steady_share;
}

bool falls(const status_facts& facts) {
  return facts.share_a_minute && *facts.share_a_minute < -steady_share;
}

std::string trend(const status_facts& facts) {
  if (!facts.share_a_minute) return "its trend is not known yet";
  if (rises(facts)) return fmt::format("rising by {:.1f} points a minute", *facts.share_a_minute * 100);
  if (falls(facts)) return fmt::format("falling by {:.1f} points a minute", -*facts.share_a_minute * 100);
  return "steady";
}

// `70 % in 4m 10s`
std::string ahead_text(const expectation& ahead) {
  const auto seconds = static_cast<long>(std::ceil(ahead.seconds));
  const std::string span =
      seconds < 60 ? fmt::format("{}s", seconds) : fmt::format("{}m {}s", seconds / 60, seconds % 60);
  return fmt::format("{:.0f} % in {}", ahead.share * 100, span);
}

// A name has no character that a shell reads otherwise, but `~` and `#`; quoted it is always one word.
std::string quoted(const std::string& name) {
  return "'" + name + "'";
}

void advise_on_writer(const status_facts& facts, const status_limits& limits, judgement& out) {
  const bool culprit = !facts.top_writer.empty() && facts.all_bytes > 0 &&
                       facts.top_bytes / facts.all_bytes >= culprit_share && facts.top_bytes >= cap_bytes_min;
  if (!culprit) {
    out.next.emplace_back(
        "nobody who writes through here stands out: look for other writers with CLIENT LIST upstream");
    return;
  }
  if (facts.top_is_held) {
    out.next.emplace_back("tidegate caps");
    if (rises(facts)) out.next.push_back("tidegate block " + quoted(facts.top_writer) + " --for 30m");
    return;
  }
  // A tenth of what it writes, at most what is known to be harmless.
  const double bytes = std::clamp(facts.top_bytes / 10, cap_bytes_min, cap_bytes_max);
  // Why it is held, for who reads the audit log: what it came to, or else what it would have come to.
  const bool only_ahead = facts.ahead && facts.used.value_or(0) < limits.warn;
  const std::string coming = only_ahead ? ", " + ahead_text(*facts.ahead) : std::string();
  out.next.push_back(fmt::format("tidegate cap {} --bytes {:.0f}KiB/s --for 30m --why 'memory at {:.0f} %{}'",
                                 quoted(facts.top_writer), std::max(1.0, std::floor(bytes / 1024)),
                                 facts.used.value_or(0) * 100, coming));
}

}  // namespace

const char* to_string(verdict what) noexcept {
  switch (what) {
    case verdict::ok:
      return "ok";
    case verdict::warn:
      return "warn";
    case verdict::critical:
      return "critical";
    case verdict::unknown:
      return "unknown";
  }
  return "unknown";
}

judgement judge(const status_facts& facts, const status_limits& limits) {
  judgement out;
  if (!facts.reachable) {
    out.because = "the upstream is not reachable from here";
    out.next.emplace_back("look at /readyz for the reason, and at the upstream itself");
    return out;
  }
  if (!facts.used) {
    out.because = "the upstream's memory is not known: no INFO, or no maxmemory";
    out.next.emplace_back("give upstream.maxmemory, or upstream.control credentials that may run INFO");
    return out;
  }
  const double used = *facts.used;
  out.is = used >= limits.critical ? verdict::critical : used >= limits.warn ? verdict::warn : verdict::ok;
  out.because = fmt::format("memory at {:.1f} %, {}", used * 100, trend(facts));
  if (facts.ahead) {
    if (out.is == verdict::ok) out.is = verdict::warn;
    out.because += "; forecast: " + ahead_text(*facts.ahead);
  }
  if (facts.evictions > 0) {
    out.is = verdict::critical;
    out.because += fmt::format("; {:.0f} keys a second are evicted", std::max(1.0, facts.evictions));
  }
  if (out.is == verdict::ok) {
    if (facts.without_ttl >= no_ttl_share) {
      out.because += fmt::format("; {:.0f} % of the keys have no TTL", facts.without_ttl * 100);
      out.next.emplace_back("tidegate ttl audit");
    }
    return out;
  }
  if (falls(facts)) {
    out.next.emplace_back("tidegate status --watch");
    return out;
  }
  advise_on_writer(facts, limits, out);
  out.next.emplace_back("tidegate status --watch");
  return out;
}

}  // namespace tidegate::admin
