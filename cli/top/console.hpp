// Keys into what they mean: choices for the next page, and changes to ask of the proxy. No terminal.
//
// Thread safety: none. Ownership: its choices. Invariants: (1) a change is asked for only after its last question was
// answered by Enter; Escape takes every question back; (2) a question is about the writer that was chosen when it was
// begun, whatever moves meanwhile; (3) what is typed holds no control character and is bounded. Cost: none.
#pragma once

#include <optional>
#include <string>

#include "cli/top/page.hpp"

namespace tidegate::cli::top {

inline constexpr std::size_t typed_max = 200;

// Keys beyond what has a character.
namespace key {
inline constexpr int up = -1, down = -2, page_up = -3, page_down = -4, home = -5, end = -6, enter = -7, escape = -8,
                     backspace = -9;
}  // namespace key

struct change {
  enum class kind : unsigned char { cap, block, uncap };
  kind what = kind::cap;
  std::string client, rate, bytes, duration, why;
};

class console {
 public:
  // A change to ask for, or nothing.
  [[nodiscard]] std::optional<change> press(int code, const view& seen);
  [[nodiscard]] bool wants_to_quit() const noexcept { return quits_; }
  [[nodiscard]] const choices& set() const noexcept { return set_; }
  [[nodiscard]] choices& set() noexcept { return set_; }
  void say(std::string message, bool is_bad);

 private:
  enum class asking : unsigned char { nothing, filter, limit, cap_duration, cap_why, block_duration, block_why, uncap };
  void ask(asking what);
  void show_question();
  void choose(const view& seen, std::ptrdiff_t by);
  void command(int code, const view& seen);
  std::optional<change> answer();

  choices set_;
  asking asking_ = asking::nothing;
  std::string typed_;
  change wanted_;
  bool quits_ = false;
};

// `500/s` is a rate of writes, `150KiB/s` one of bytes; both may stand beside each other. False if it is neither.
[[nodiscard]] bool read_limit(const std::string& typed, change& into);

}  // namespace tidegate::cli::top
