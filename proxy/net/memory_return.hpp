// When freed memory should be given back to the system, judged tick by tick of whoever asks: once most of what was
// there has gone, and no more is going.
//
// The allocator keeps what was freed between blocks that live on; after a crowd of TLS clients that is most of it, and
// the process would stay as large as its greatest hour.
//
// Thread safety: none. Ownership: values. Invariants: due at most once for each fall, and not in the middle of it.
// Cost: some comparisons a tick; giving back (malloc_trim) locks one arena after the other, which is why it is rare.
#pragma once

#include <algorithm>
#include <cstdint>

namespace tidegate::net {

class memory_return {
 public:
  static constexpr std::int64_t connections_min = 256;  // a smaller fall is not worth it
  static constexpr std::int64_t bytes_min = 32LL << 20;

  // True once what is held has fallen to half of the most since the last time, and rested for a tick. bytes_peak: the
  // most since the last tick, which a crowd that came and went between two would hide.
  [[nodiscard]] bool due(std::int64_t connections, std::int64_t bytes, std::int64_t bytes_peak) noexcept {
    bytes_.most = std::max(bytes_.most, bytes_peak);
    const bool fell = connections_.fell(connections, connections_min) | bytes_.fell(bytes, bytes_min);
    if (!fell) return false;
    connections_.most = connections;
    bytes_.most = bytes;
    return true;
  }

 private:
  struct level {
    std::int64_t most = 0, last = 0;
    bool fell(std::int64_t now, std::int64_t at_least) noexcept {
      const bool rests = now >= last;
      last = now;
      most = std::max(most, now);
      return rests && now <= most / 2 && most - now >= at_least;
    }
  };
  level connections_, bytes_;
};

}  // namespace tidegate::net
