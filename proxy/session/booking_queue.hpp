// Writes that Redis ran, until they are counted: a turn's worth at a time.
//
// Thread safety: the owning worker's. Ownership: copies; a series in it must stay until settle(). Invariants: nothing
// stays past the writing of a turn's replies, so that who has his reply finds his write counted. Cost: no allocation.
// What a booking touches is strewn over a few hundred kilobytes, one line after the other found through the last; side
// by side in a batch these waits overlap, one by one they were a sixth of a pipelined command.
#pragma once

#include <array>
#include <cstdint>

#include "attribution/counters.hpp"
#include "attribution/identity.hpp"
#include "proxy/session/evidence_cells.hpp"

namespace tidegate::session {

struct booking {
  attribution::series* series = nullptr;
  std::uint64_t bytes = 0;
  write_traits traits;
  attribution::address source;
  std::uint32_t elements = 0;
  std::uint32_t pattern = 0;  // the evidence's, as the command; the series may be a coarser one
  std::uint16_t command = 0;
  bool without_ttl = false;
  bool for_ledger = false;
};

class booking_queue {
 public:
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  // The place of the next one, to be filled.
  [[nodiscard]] booking& add(evidence_cells& evidence) {
    if (size_ == all_.size()) settle(evidence);
    return all_[size_++];
  }
  void settle(evidence_cells& evidence);

 private:
  std::array<booking, 64> all_;
  std::array<std::uint32_t, 64> cells_{};
  std::size_t size_ = 0;
};

}  // namespace tidegate::session
