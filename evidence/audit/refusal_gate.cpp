#include "evidence/audit/refusal_gate.hpp"

#include <utility>

namespace tidegate::audit {

std::optional<std::uint64_t> refusal_gate::take(clock::time_point now) {
  if (!begun_ || now >= minute_ends()) {
    begun_ = true;
    began_ = now;
    written_ = 0;
  }
  if (written_ == lines_max) {
    ++counted_;
    return std::nullopt;
  }
  ++written_;
  return std::exchange(counted_, 0);
}

std::uint64_t refusal_gate::left_over(clock::time_point now) {
  return now >= minute_ends() ? std::exchange(counted_, 0) : 0;
}

}  // namespace tidegate::audit
