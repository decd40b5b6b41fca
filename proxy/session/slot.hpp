// A place in an upstream connection's line of replies: whose the next reply is, and what it books.
//
// Thread safety: none. Ownership: none; `owner` outlives its slots (a session that is gone stays until its last slot
// is). Invariants: slots leave in the order in which they came: the reply that arrives belongs to front(). Cost: push
// and pop are a few stores; the ring doubles when it is full and never shrinks below its high-water mark of 1,024.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "attribution/counters.hpp"
#include "proxy/session/evidence_cells.hpp"
#include "resp/command_table.hpp"

namespace tidegate::session {

class session;

enum class slot_kind : std::uint8_t {
  reply,      // the owner's command; its reply goes to the owner
  local,      // nothing was sent: `extra` bytes of the owner's local replies go out in this place
  subscribe,  // (P|S)SUBSCRIBE and their opposites: `extra` confirmations are still due
  follow_up,  // ours: EXPIRE behind a write; swallowed
  prelude,    // ours: AUTH, HELLO, SELECT, CLIENT SETNAME before a connection serves anybody; swallowed
  own,        // ours, anything else; swallowed
};

struct slot {
  enum flag : std::uint16_t {
    without_ttl = 1,  // books as a write that leaves no TTL
    arity_bad = 2,    // Redis refuses it before it runs
    queued = 4,       // inside MULTI: the reply says QUEUED; `extra` is its place in the transaction
    injected = 8,     // rewritten: a TTL was added; `pattern` is the rule's
    capped = 16,      // rewritten: a TTL was cut; and for follow-ups: max LT
    blocking = 32,
    script = 64,         // `counter` and not `series` is booked
    begun = 128,         // bytes of its reply went to the owner
    refused_exec = 256,  // EXEC that the proxy replaced by DISCARD
    booked = 512,        // already counted (a blocking write that is waiting)
    silenced = 1024,     // SUBSCRIBE under CLIENT REPLY: confirmations come, a refusal does not
    for_ledger = 2048,   // books for the evidence, too: under the pattern `wrote`
  };

  session* owner = nullptr;
  union {
    attribution::series* series = nullptr;
    attribution::single_writer_counter* counter;
  };
  std::uint64_t bytes = 0;
  write_traits traits;  // for the evidence
  std::uint32_t elements = 0;
  std::uint32_t extra = 0;
  std::uint32_t pattern = 0;
  std::uint32_t wrote = 0;
  std::uint16_t command = 0;
  std::uint16_t flags = 0;
  slot_kind kind = slot_kind::reply;
  resp::special special = resp::special::none;
};

static_assert(sizeof(slot) == 64);

class slot_ring {
 public:
  [[nodiscard]] bool empty() const noexcept { return head_ == tail_; }
  [[nodiscard]] std::size_t size() const noexcept { return tail_ - head_; }
  [[nodiscard]] slot& front() noexcept { return slots_[head_ & (capacity_ - 1)]; }
  [[nodiscard]] slot& at(std::size_t index) noexcept { return slots_[(head_ + index) & (capacity_ - 1)]; }
  void push(const slot& item) {
    if (size() == capacity_) grow();
    slots_[tail_++ & (capacity_ - 1)] = item;
  }
  void pop() noexcept { ++head_; }

 private:
  void grow() {
    const std::size_t capacity = capacity_ == 0 ? 64 : 2 * capacity_;
    auto slots = std::make_unique<slot[]>(capacity);
    const std::size_t count = size();
    for (std::size_t index = 0; index < count; ++index) slots[index] = at(index);
    slots_ = std::move(slots);
    capacity_ = capacity;
    head_ = 0;
    tail_ = count;
  }
  std::unique_ptr<slot[]> slots_;
  std::size_t capacity_ = 0;
  std::size_t head_ = 0;
  std::size_t tail_ = 0;
};

}  // namespace tidegate::session
