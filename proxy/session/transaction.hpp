// What a session queued between MULTI and EXEC: booked, followed up and admitted as a whole once EXEC answers.
//
// Thread safety: none. Ownership: a session's. Invariants: entries stand in the order in which they were sent; an EXEC
// or DISCARD takes as many from the front as its slot says, so that pipelined transactions do not mix. Cost: vectors
// keep their capacity over transactions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "limiter/rule_set.hpp"
#include "proxy/session/slot.hpp"
#include "resp/reply_framer.hpp"
#include "ttl/rule_set.hpp"

namespace tidegate::session {

struct queued_follow_up {
  std::uint32_t entry = 0;    // of the transaction's entries
  std::uint32_t pattern = 0;  // registry number of the rule's pattern
  ttl::follow_up what;
  std::string key;
  std::int32_t db = -1;  // where the key went, if the command names a db of its own
};

// A request that passes through as it arrives; see streaming.cpp.
struct streamed_request {
  std::uint64_t left = 0;  // bytes of it still to come
  bool discard = false;    // refused: they are thrown away
  std::uint16_t command = 0;
  ttl::rewrite rewrite;  // its words for the end
  std::vector<queued_follow_up> follow_ups;
};

struct queued_command {
  slot books;            // what it books when its element of EXEC's reply is known
  std::int32_t db = -1;  // SELECT n inside
  bool answered = false;
  bool answered_queued = false;
  bool ran = false;  // its element of EXEC's reply was no error
};

struct transaction {
  bool open = false;           // MULTI was sent, EXEC or DISCARD was not
  bool refused = false;        // `require` refused a command of it: EXEC will answer EXECABORT
  bool odd = false;            // holds commands that change the connection in ways not followed element by element
  bool unframes = false;       // holds CLIENT REPLY or SUBSCRIBE: what EXEC answers cannot be told apart
  std::int32_t selected = -1;  // the db that a SELECT in it leads to; -1: none did
  std::uint32_t count = 0;     // entries of the transaction that is open
  std::uint32_t base = 0;      // number of entries[0]: entries are numbered through, whatever was taken from the front
  std::vector<queued_command> entries;
  std::vector<queued_follow_up> follow_ups;
  std::vector<limiter::charge> charges;  // of the open one, summed by rule and bucket
  std::uint64_t charged_generation = 0;  // of the snapshot whose rules they point to
  std::vector<resp::element_outcome> outcomes;

  void begin() {
    end();
    open = true;
    refused = odd = unframes = false;
    selected = -1;
  }
  // Nothing more is queued; what it was stays known until EXEC is answered.
  void end() {
    open = false;
    count = 0;
    charges.clear();
  }
  [[nodiscard]] queued_command* entry(std::uint32_t number) noexcept {
    const std::uint32_t index = number - base;
    return index < entries.size() ? &entries[index] : nullptr;
  }
  // Forgets the oldest `n` entries and their follow-ups.
  void take(std::uint32_t n) {
    const std::uint32_t end = base + n;
    std::erase_if(follow_ups, [&](const queued_follow_up& f) { return static_cast<std::int32_t>(f.entry - end) < 0; });
    entries.erase(entries.begin(),
                  entries.begin() + static_cast<std::ptrdiff_t>(n < entries.size() ? n : entries.size()));
    base = end;
  }

  // Forgets all but the oldest `n` entries, and their follow-ups.
  void keep(std::uint32_t n) {
    const std::uint32_t end = base + n;
    std::erase_if(follow_ups, [&](const queued_follow_up& f) { return static_cast<std::int32_t>(f.entry - end) >= 0; });
    entries.resize(n);
  }

  void add_charge(const limiter::charge& item) {
    for (limiter::charge& known : charges) {
      if (known.which == item.which && known.from == item.from) {
        known.cost = limiter::saturating_sum(known.cost, item.cost);
        return;
      }
    }
    charges.push_back(item);
  }
};

}  // namespace tidegate::session
