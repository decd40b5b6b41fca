// Which connection used a key last: what one session wrote, another must not overtake when both are played again.
//
// Thread safety: none. Ownership: owns its slots. Invariants: (1) two commands that name the same key, in whatever
// database, are never both under way on two connections; (2) keys that share a slot wait for each other in vain, and
// are right. Cost: slot_count x 8 bytes; O(keys) a command.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "resp/command_table.hpp"

namespace tidegate::replay {

class key_order {
 public:
  static constexpr std::size_t slot_count = 1UL << 20;  // some thousand commands under way seldom share one

  key_order();

  // What a command waits for: for others' commands up to a number, or for all of them.
  struct wait {
    bool everybody = false;  // FLUSHALL, SWAPDB, an unknown command: nobody can tell which keys it uses
    std::vector<std::pair<std::uint32_t, std::uint64_t>> before;  // (connection, its command's number)
  };
  // The command is the `number`-th (from 1) of `connection`. Good until the next call.
  const wait& take(const resp::request& request, std::uint32_t connection, std::uint64_t number);

 private:
  struct slot {
    std::uint64_t connection : 8 = 0, number : 56 = 0;
  };
  std::shared_ptr<const resp::command_table> table_ = resp::command_table::builtin();
  std::vector<slot> slots_;
  std::vector<resp::key_ref> keys_;
  wait found_;
};

}  // namespace tidegate::replay
