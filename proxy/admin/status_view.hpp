// GET /api/v1/status: how it stands, what to make of it and what to do next; what `tidegate status` prints.
//
// Query: warn and critical, shares of maxmemory (`60%`); 60 % and 70 % where they are absent.
//
// Thread safety: the admin thread's, as `recent`. Ownership: none. Invariants: (1) what was not told is null; (2) the
// verdict is never `ok` where the memory is not known; (3) every line of `next` that begins with `tidegate ` can be
// pasted into a shell. Cost: that of the document.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proxy/admin/recent.hpp"
#include "proxy/admin/sources.hpp"

namespace tidegate::admin {

enum class verdict : std::uint8_t { ok, warn, critical, unknown };

struct status_limits {
  double warn = 0.6, critical = 0.7;
};

// A limit that is expected to be passed within this is a warning now: fifteen minutes are what a person needs to look,
// to hold the writer and to see it work. TidegateForecast (deploy/prometheus) fires at the same.
inline constexpr double warned_ahead_seconds = 900;

struct expectation {
  double share = 0;    // of maxmemory
  double seconds = 0;  // until then
};

// What the verdict is made of.
struct status_facts {
  bool reachable = true;
  std::optional<double> used;            // share of maxmemory
  std::optional<double> share_a_minute;  // its trend
  double evictions = 0;                  // a second
  std::string top_writer;                // with the most bytes; empty = nobody writes
  double top_bytes = 0, all_bytes = 0;   // a second
  bool top_is_held = false;              // by a cap already
  double without_ttl = 0;                // share of the keys
  std::optional<expectation> ahead =
      {};  // the highest of warn, critical and full that comes within warned_ahead_seconds
};

struct judgement {
  verdict is = verdict::unknown;
  std::string because;
  std::vector<std::string> next;
};

[[nodiscard]] judgement judge(const status_facts& facts, const status_limits& limits);
[[nodiscard]] const char* to_string(verdict what) noexcept;

[[nodiscard]] std::string status_json(const sources& from, std::string_view query);

}  // namespace tidegate::admin
