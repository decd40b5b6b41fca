// What `tidegate top` knows: answers of the admin API in, rates and tables out. No terminal, no socket, no clock.
//
// Thread safety: none. Ownership: keeps figures of the last `samples_kept` answers, not the answers. Invariants: (1) a
// rate is what counters grew by between the oldest and the newest answer kept, divided by their own times; (2) after a
// restart of the proxy nothing is compared with what was before; (3) a document that another version wrote is an error
// with a text, never an exception. Cost: that of the documents.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidegate::cli::top {

inline constexpr std::size_t samples_kept = 6;

struct growth {
  double writes = 0, bytes = 0, without_ttl = 0, held = 0, opened = 0;  // a second
};

struct pattern_row {
  std::string pattern, command;
  growth rates;
  std::uint64_t writes = 0, bytes = 0, without_ttl = 0;
};

struct writer_row {
  std::string name;
  growth rates;
  double share = 0;  // of all bytes a second; of all bytes ever while nobody writes
  std::uint64_t writes = 0, bytes = 0, connections = 0;
  std::vector<pattern_row> patterns;  // the busiest first
};

struct limit_row {
  std::string name, action;
  double held = 0, observed = 0;  // a second
  bool in_force = false;
};

struct cap_row {
  std::string client, phrase, left, who, why;
};

struct memory_view {
  std::optional<double> used, max, keys, keys_with_ttl, evicted;
  std::optional<double> trend;  // bytes a second
  bool up = false, stale = true;
};

struct forecast_view {
  bool known = false;
  double peak_percent = 0;
  std::optional<double> seconds_to_70, seconds_to_85, seconds_to_100;
  std::string why_unknown;
};

struct view {
  std::string instance, version, reason;  // reason: why it is not ready; empty = it is
  std::int64_t at_ms = 0;
  double seconds = 0;  // that the rates are taken over; 0 = no rates yet
  memory_view memory;
  forecast_view forecast;
  growth total;
  double left_without_ttl = 0;  // a second: sent without one and given none
  std::uint64_t connections = 0;
  std::vector<writer_row> writers;  // sorted and filtered
  std::size_t writers_in_all = 0;
  std::vector<limit_row> limits;  // those at work first
  std::vector<cap_row> caps;
};

enum class order : unsigned char { bytes, writes, without_ttl, held, opened, name };
inline constexpr std::array orders{order::bytes, order::writes, order::without_ttl,
                                   order::held,  order::opened, order::name};
[[nodiscard]] std::string_view to_string(order by) noexcept;

// The documents of one look; those of what is not served are empty.
struct answers {
  std::string live, writes, caps, forecast;
};

class model {
 public:
  [[nodiscard]] std::expected<void, std::string> take(const answers& got);
  // filter: a part of a client's or a pattern's name; empty = all
  [[nodiscard]] view look(order by, std::string_view filter) const;

 private:
  struct counts {
    double writes = 0, bytes = 0, without_ttl = 0, held = 0, opened = 0, observed = 0, connections = 0;
  };
  struct write_key {
    std::string client, pattern, command;
    auto operator<=>(const write_key&) const = default;
  };
  struct limit_facts {
    counts sums;
    std::string action;
    bool in_force = false;
  };
  struct sample {
    std::int64_t at_ms = 0, started_ms = 0;
    std::string instance, version, reason;
    memory_view memory;
    std::map<std::string, counts> clients;
    std::map<write_key, counts> writes;
    std::vector<std::pair<std::string, limit_facts>> limits;  // in the proxy's order
    double injected = 0;                                      // TTLs given
  };
  // What may throw: the shape of a document that is not as we know it.
  static sample read_sample(const answers& got);
  [[nodiscard]] static growth between(const counts* before, const counts& now, double seconds);
  [[nodiscard]] std::vector<writer_row> writers(double seconds) const;
  [[nodiscard]] std::vector<limit_row> limits(double seconds) const;

  std::deque<sample> samples_;
  std::vector<cap_row> caps_;
  forecast_view forecast_;
};

}  // namespace tidegate::cli::top
