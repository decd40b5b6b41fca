// What a long walk shows on stderr: a bar that is redrawn on a terminal, a line now and then elsewhere.
//
// Thread safety: none. Invariants: nothing goes to stdout; the bar is gone when it is destroyed, its last state
// printed. Cost: at most a few writes a second.
#pragma once

#include <cstdint>
#include <string>

#include "evidence/keyspace/progress.hpp"

namespace tidegate::cli {

class progress_line {
 public:
  explicit progress_line(bool quiet);
  ~progress_line();
  progress_line(const progress_line&) = delete;
  progress_line& operator=(const progress_line&) = delete;

  // Drawn only when enough time went by since the last one; always with `last`.
  void show(const keyspace::progress& at, std::uint64_t keys_seen, const std::string& more, std::int64_t now,
            bool last = false);
  // A message above the bar.
  void say(const std::string& text);

 private:
  bool quiet_, terminal_;
  bool drawn_ = false;
  std::int64_t shown_at_ = 0;
};

}  // namespace tidegate::cli
