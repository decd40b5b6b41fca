#include "proxy/session/booking_queue.hpp"

namespace tidegate::session {

void booking_queue::settle(evidence_cells& evidence) {
  for (std::size_t index = 0; index < size_; ++index) __builtin_prefetch(all_[index].series, 1);
  for (std::size_t index = 0; index < size_; ++index) {
    const booking& one = all_[index];
    if (one.for_ledger) evidence.prefetch_cell(one.series->note);
  }
  for (std::size_t index = 0; index < size_; ++index) {
    const booking& one = all_[index];
    if (!one.for_ledger) continue;
    // Where this series was counted last; another source of the same client may have been there since.
    const cell_key key{one.series->client, one.pattern, one.command, true, one.source};
    cells_[index] = one.series->note = evidence.cell_for(key, one.series->note);
    evidence.prefetch_register(cells_[index], one.traits.key_index);
  }
  for (std::size_t index = 0; index < size_; ++index) {
    const booking& one = all_[index];
    one.series->writes.add(1);
    one.series->elements.add(one.elements);
    one.series->bytes.add(one.bytes);
    if (one.without_ttl) one.series->without_ttl.add(1);
    if (one.for_ledger) evidence.book(cells_[index], one.elements, one.bytes, one.without_ttl, one.traits);
  }
  size_ = 0;
}

}  // namespace tidegate::session
