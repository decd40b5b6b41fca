// What a report says, as values: every figure of the document, none of its words.
//
// Thread safety: none; plain values. Ownership: owns everything. Invariants: (1) shares are from 0 to 1; (2) times are
// Unix milliseconds UTC; (3) what is not known is absent, never 0; (4) writers come by their part of what was above the
// ordinary, largest first; the first `culprits` of them made the burst. Cost: some hundred kilobytes.
#pragma once

#include <array>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "attribution/ttl_class.hpp"
#include "evidence/keyspace/evictability.hpp"
#include "evidence/report/observation.hpp"

namespace tidegate::report {

inline constexpr double warn_share = 0.60;
inline constexpr double alert_share = 0.70;
inline constexpr double critical_share = 0.85;

enum class situation : std::uint8_t {
  empty,     // nothing was recorded in the window
  quiet,     // no burst in it
  held,      // a burst that stayed under the alert
  warning,   // a burst that passed the alert
  critical,  // evictions, or memory above the critical share at the end
};

struct rates {
  double commands = 0, elements = 0, bytes = 0;  // writes, a second, as booked
};

struct moment {
  unix_ms at = 0;
  std::optional<std::uint64_t> used{}, max{}, keys{}, keys_with_ttl{}, clients{}, evicted{};
  [[nodiscard]] std::optional<double> share() const {
    if (!used || !max || *max == 0) return std::nullopt;
    return static_cast<double>(*used) / static_cast<double>(*max);
  }
};

struct timeline_row {
  unix_ms at = 0;
  std::optional<double> memory_share{}, operations{};  // operations: what the upstream executed, a second
  std::optional<std::uint64_t> used{}, keys{}, keys_with_ttl{}, clients{};
  double writes = 0, bytes = 0;  // a second
  std::uint64_t opened = 0;      // connections
  bool in_burst = false;
  std::vector<double> bytes_of{};   // bytes a second of the first writers, in their order; the last is everybody else
  std::vector<double> writes_of{};  // the same of writes
};

struct share_of {
  std::string name{};
  std::uint64_t commands = 0, elements = 0, bytes = 0, without_ttl = 0;
  double share = 0;  // of its writer's bytes
};

struct source_of {
  std::string address{};
  std::uint64_t commands = 0, bytes = 0, opened = 0;
};

struct ttl_sums {
  std::array<std::uint64_t, attribution::ttl_classes> writes{}, bytes{};
  std::optional<std::int64_t> least_ms{}, most_ms{};

  // Of the bytes: a counter that is given its TTL right afterwards weighs little, and no memory.
  [[nodiscard]] double share_without() const {
    const std::uint64_t whole = std::accumulate(bytes.begin(), bytes.end(), std::uint64_t{0});
    if (whole == 0) return 0;
    return static_cast<double>(bytes[attribution::ttl_class_none]) / static_cast<double>(whole);
  }
};

struct writer {
  std::string name{};
  std::uint64_t commands = 0, elements = 0, bytes = 0, without_ttl = 0;
  double commands_share = 0, elements_share = 0, bytes_share = 0;
  std::optional<double> distinct_keys{}, keys_share{};
  rates before{}, during{};
  std::uint64_t opened = 0, open_before = 0, open_most = 0;
  std::uint64_t delayed = 0, rejected = 0, observed = 0;
  std::vector<source_of> sources{};
  std::vector<share_of> by_command{}, by_pattern{};
  ttl_sums ttl{};
  std::string owner{};  // of the limit that matches it; empty = none named
};

// How many of the upstream's executed writes passed the proxy.
struct coverage {
  std::uint64_t upstream = 0, booked = 0, own = 0;
  [[nodiscard]] double share() const {
    return upstream == 0 ? 1 : static_cast<double>(booked + own) / static_cast<double>(upstream);
  }
};

struct leak {
  std::string client{}, pattern{};
  std::uint64_t writes = 0;
  double a_day = 0;
  std::optional<std::int64_t> longest_ttl_ms{};  // that any write to the pattern gave
};

struct limit_work {
  std::string rule{}, client{};
  std::uint64_t delayed = 0, rejected = 0, observed = 0;
};

struct ttl_work {
  std::string pattern{};
  std::uint64_t injected = 0, capped = 0, observed = 0;
};

// A time without rows: from a run that ended without a word, or between two runs.
struct gap {
  unix_ms from = 0, to = 0;
  bool killed = false;  // the run before it has no end
};

// What becomes of memory if nobody writes any more, by the TTLs that the burst's keys were given.
struct drain {
  std::uint64_t live_bytes = 0;             // of the burst, still stored at the end of the window, as estimated
  std::optional<unix_ms> under_alert_at{};  // memory back under the alert; absent = never by expiry, or it is there
  std::optional<unix_ms> half_gone_at{}, gone_at{};  // of the burst's timed bytes
  double share_then = 0;                             // of maxmemory, when all timed bytes are gone
};

// The limit that would have kept memory under the alert.
struct holding_limit {
  bool possible = false;
  double rate = 0;            // bytes a second a client, to be written down
  double peak_share = 0;      // of memory, with it
  double longest_wait_s = 0;  // the writer's last byte, later than it was
  // The same under `memory: { from: 60%, to: 70% }`, which slows down only as memory fills; 0 = no such rate.
  double pressed_rate = 0, pressed_wait_s = 0;
  std::uint64_t burst_bytes = 0;
  double stored_for_written = 0;       // bytes of memory for a byte written
  std::vector<double> memory_share{};  // of each timeline row, with it
};

struct node_size {
  std::string type{};
  std::uint64_t memory = 0, maxmemory = 0;
  std::uint32_t vcpu = 0;
  double price = 0;  // an hour, a node
};
struct node_prices {
  std::string region, as_of, currency = "USD";
  std::uint32_t nodes = 2;
  double hours_a_month = 730;
  std::vector<node_size> sizes{};
};
struct node_choice {
  node_size size{};
  bool is_current = false;
  double month = 0, more_a_month = 0;
  std::optional<double> before_share{}, peak_share{};
};

struct burst_facts {
  unix_ms begin = 0, end = 0;
  bool goes_on = false;            // still at it when the window ends
  rates before{}, mean{}, peak{};  // all clients; peak: each figure's own highest step
  std::optional<double> operations_before{}, operations_peak{};
  std::uint64_t commands = 0, elements = 0, bytes = 0, without_ttl = 0;
  std::optional<std::uint64_t> keys_added{}, keys_added_without_ttl{};
  std::optional<std::uint64_t> clients_before{}, clients_most{};
  std::optional<unix_ms> clients_most_at{}, alert_from{}, alert_to{};
  std::uint64_t opened = 0;
};

struct incident {
  std::string upstream{}, instance{}, version{};
  unix_ms made_at = 0, since = 0, until = 0, first = 0, last = 0;
  std::int64_t step_ms = 0;
  situation state = situation::empty;
  std::optional<burst_facts> burst{};
  std::vector<burst_facts> other_bursts{};
  moment before{}, peak{}, now{};
  std::vector<timeline_row> timeline{};
  std::vector<writer> writers{};
  std::size_t culprits = 0;
  std::size_t writers_left_out = 0;
  std::optional<report::coverage> coverage{};  // of the burst; of the window where there is none
  bool coverage_suspended = false;             // the upstream's counters began anew in it
  ttl_sums ttl{};
  std::vector<leak> leaks{};
  double leaked_a_day = 0;
  std::int64_t leaks_ms = 0;  // how much time without bursts was looked at
  std::vector<limit_work> limits{};
  std::vector<ttl_work> ttl_rules{};
  std::vector<gap> gaps{};
  std::vector<change> changes{};
  std::optional<report::drain> drain{};
  std::optional<report::holding_limit> holding_limit{};
  std::vector<node_choice> nodes{};
  node_prices prices{};
  std::string eviction_policy{};
  std::optional<keyspace::eviction_view> eviction{};  // what it may take, and what another would
  std::optional<std::uint64_t> evicted{};             // in the window
  bool rows_cut = false;
};

}  // namespace tidegate::report
