// The process-wide tables of client names and key patterns: name <-> small number, bounded, with `other`.
//
// Thread safety: every member from any thread. acquire_client and intern_pattern take a mutex and are called at naming
// events only (a new session or name, a pattern a worker has not seen); *_name, the counts and release_client are
// lock-free. Ownership: entries live in chunks that never move or go, so a returned string_view is valid for the
// registry's life. Invariants: (1) number 0 is "other" in both tables, and the name "other" is number 0; (2) a number's
// name never changes while a session holds it; (3) at most clients_max live client names and patterns_max patterns,
// `other` among them; what overflows is `other`; (4) a client name without a session for `fold_after` is folded into
// `other` when room is needed, the longest idle first: its number is retired, never reused, and its name gets a new
// number when it comes back; (5) at most clients_ever_max numbers in a process's life; after that new names are `other`
// and the live ones stay. The counts of a retired number stay with it: a reader sums by client_name(), and `other` thus
// gets them exactly once. Cost: lookups hash the name; no allocation on a hit. A new name when the table is full looks
// at all live ones, at most once until the next of them can be folded. Memory: ~150 bytes a name ever seen.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace tidegate::attribution {

using client_number = std::uint32_t;
using pattern_number = std::uint32_t;
using steady_ns = std::int64_t;  // nanoseconds of the monotonic clock

inline constexpr client_number other_client = 0;
inline constexpr pattern_number other_pattern = 0;
inline constexpr std::uint32_t clients_max = 4096;
inline constexpr std::uint32_t patterns_max = 4096;
inline constexpr std::uint32_t clients_ever_max = 1U << 20;
inline constexpr std::chrono::hours fold_after{1};

class registry {
 public:
  registry();
  ~registry();
  registry(const registry&) = delete;
  registry& operator=(const registry&) = delete;

  // Interns a client name for one more session; `other_client` when the table is full and nothing can be folded.
  // Counts the session: each call is paired with release_client. `opened`: a new connection, not a renaming.
  [[nodiscard]] client_number acquire_client(std::string_view name, bool opened, steady_ns now);
  // One more connection opened by a client that has a session: for a connection whose name was not settled at first.
  void count_opened(client_number number) noexcept;
  // Aborts on a number without a session: that is a session counted twice.
  void release_client(client_number number, steady_ns now) noexcept;

  // Configured patterns are interned first, at start, so that what clients write cannot take their room.
  [[nodiscard]] pattern_number intern_pattern(std::string_view pattern);

  // "other" for retired and unknown numbers.
  [[nodiscard]] std::string_view client_name(client_number number) const noexcept;
  [[nodiscard]] std::string_view pattern_name(pattern_number number) const noexcept;
  [[nodiscard]] std::uint32_t clients_end() const noexcept;   // numbers are 0 … clients_end()-1
  [[nodiscard]] std::uint32_t patterns_end() const noexcept;  // at most patterns_max
  [[nodiscard]] bool client_retired(client_number number) const noexcept;
  [[nodiscard]] std::uint64_t client_sessions(client_number number) const noexcept;  // open now
  [[nodiscard]] std::uint64_t client_opened(client_number number) const noexcept;    // since start

 private:
  struct tables;
  std::unique_ptr<tables> tables_;
};

}  // namespace tidegate::attribution
