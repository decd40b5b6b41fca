// When freed memory should be given back to the system, judged tick by tick of whoever asks: once most of what was
// there has gone and no more is going, and once more when it has rested for a while.
//
// The allocator keeps what was freed between blocks that live on; after a crowd of TLS clients that is most of it, and
// the process would stay as large as its greatest hour. A fall may pause for a tick where the machine is busy, and its
// last part be too small to count by itself; a connection that has left the count may hold its memory a little longer.
//
// Thread safety: none. Ownership: values. Invariants: due at most twice for each fall, and not in the middle of it.
// Cost: some comparisons a tick; giving back (malloc_trim) locks one arena after the other, which is why it is rare.
#pragma once

#include <algorithm>
#include <cstdint>

namespace tidegate::net {

class memory_return {
 public:
  static constexpr std::int64_t connections_min = 256;  // a smaller fall is not worth it
  static constexpr std::int64_t bytes_min = 32LL << 20;

  static constexpr int ticks_of_rest = 5;  // from the first return, and from whatever still went after it, to the last

  struct held {
    std::int64_t now = 0;
    std::int64_t peak = 0;  // since the last tick: a crowd that came and went between two would hide from `now`
  };

  // True once what is held has fallen to half of the most since the last time, and rested for a tick; and again when
  // nothing more has gone for `ticks_of_rest`.
  [[nodiscard]] bool due(held connections, held bytes) noexcept {
    const bool fell = connections_.fell(connections, connections_min) | bytes_.fell(bytes, bytes_min);
    if (fell) {
      connections_.most = connections_.least = connections.now;
      bytes_.most = bytes_.least = bytes.now;
      rest_left_ = ticks_of_rest;
      return true;
    }
    if (rest_left_ == 0) return false;
    // Only what goes below all before counts: the coming and going of those who stay would put it off for ever.
    if (connections_.sank(connections.now) | bytes_.sank(bytes.now)) rest_left_ = ticks_of_rest;
    return --rest_left_ == 0;
  }

 private:
  struct level {
    std::int64_t most = 0, least = 0, last = 0;
    bool fell(held what, std::int64_t at_least) noexcept {
      const bool rests = what.now >= last;
      last = what.now;
      most = std::max({most, what.now, what.peak});
      return rests && what.now <= most / 2 && most - what.now >= at_least;
    }
    bool sank(std::int64_t now) noexcept {
      const bool did = now < least;
      least = std::min(least, now);
      return did;
    }
  };
  level connections_, bytes_;
  int rest_left_ = 0;
};

}  // namespace tidegate::net
