// Deadlines of many streams: an indexed binary heap, so that a deadline can be moved or dropped.
//
// Thread safety: none. Ownership: none; a `timed` must be cancelled before it dies.
// Cost: O(log n); allocates only when more streams than ever before have a deadline.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tidegate::session {

using steady_ns = std::int64_t;  // nanoseconds of the monotonic clock
inline constexpr steady_ns never = INT64_MAX;

struct timed {
  steady_ns deadline = never;
  std::size_t heap_index = SIZE_MAX;
};

class timer_heap {
 public:
  void set(timed& item, steady_ns deadline);
  void cancel(timed& item) noexcept;
  [[nodiscard]] steady_ns next() const noexcept { return heap_.empty() ? never : heap_.front()->deadline; }
  // The first item due at `now`, taken out; null if none is.
  [[nodiscard]] timed* pop_due(steady_ns now) noexcept;

 private:
  void up(std::size_t index) noexcept;
  void down(std::size_t index) noexcept;
  void place(std::size_t index, timed* item) noexcept;
  std::vector<timed*> heap_;
};

}  // namespace tidegate::session
