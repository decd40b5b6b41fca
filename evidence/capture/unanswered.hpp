// Commands of one worker that wait for their outcome, by their number.
//
// Thread safety: none. Ownership: owns what it holds; a place keeps the room of its last command, up to kept_bytes, so
// that the steady state asks nothing of malloc. Invariants: (1) numbers are put in rising order, modulo 2^32; (2) the
// last `places` stand in a ring where a number says its place; what is answered much later than its neighbours, like a
// blocking command, moves to a map. Cost: a copy of the arguments; taking is one comparison.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "proxy/session/capture_ring.hpp"

namespace tidegate::capture {

struct waiting {
  session::capture_message head;  // head.number is 0 where nothing waits
  session::capture_command of;
  std::string arguments;  // lengths, then bytes, as in the ring
};

class unanswered {
 public:
  static constexpr std::uint32_t places = 4096;
  static constexpr std::size_t kept_bytes = 4096;

  void put(const session::capture_message& head, const session::capture_command& of, std::string_view arguments) {
    if (ring_.empty()) ring_.resize(places);
    waiting& at = ring_[head.number % places];
    if (at.head.number != 0) late_.insert_or_assign(at.head.number, std::move(at));
    if (bytes_ == 0) oldest_ = head.number;
    at.head = head;
    at.of = of;
    at.arguments.assign(arguments);
    bytes_ += size_of(at);
  }

  // use(waiting&), once, and it is forgotten. False: there is none of this number.
  template <typename Use>
  bool take(std::uint32_t number, const Use& use) {
    if (number == 0 || ring_.empty()) return false;
    waiting& at = ring_[number % places];
    if (at.head.number == number) {
      bytes_ -= size_of(at);
      at.head.number = 0;
      use(at);
      if (at.arguments.capacity() > kept_bytes) std::string().swap(at.arguments);
      return true;
    }
    const auto found = late_.extract(number);
    if (found.empty()) return false;
    bytes_ -= size_of(found.mapped());
    use(found.mapped());
    return true;
  }

  // Nothing is left when this returns false. Numbers follow one another, so the oldest is found by counting on.
  bool forget_oldest() {
    while (bytes_ != 0) {
      if (take(oldest_++, [](waiting&) {})) return true;
    }
    return false;
  }
  // Held, with what each command takes beside its arguments.
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

 private:
  [[nodiscard]] static std::size_t size_of(const waiting& one) noexcept { return sizeof one + one.arguments.size(); }

  std::vector<waiting> ring_;
  std::unordered_map<std::uint32_t, waiting> late_;
  std::size_t bytes_ = 0;
  std::uint32_t oldest_ = 0;
};

}  // namespace tidegate::capture
