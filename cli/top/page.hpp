// One screen of `tidegate top` as lines of text with a style each: what is drawn, before there is a terminal.
//
// Thread safety: reentrant. Ownership: none. Invariants: (1) at most `height` lines of at most `width` columns, so that
// nothing wraps; (2) every name went through printed_name(). Cost: that of the lines.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "cli/top/model.hpp"

namespace tidegate::cli::top {

enum class style : unsigned char { plain, quiet, head, chosen, good, warn, bad };

struct line {
  std::string text;
  style look = style::plain;
};

struct page_size {
  std::size_t width = 80, height = 24;
};

// What the user has set, apart from the figures.
struct choices {
  order by = order::bytes;
  std::string filter;
  std::string chosen;   // the writer that keys act on; empty = the first
  bool detail = false;  // its patterns instead of the table
  bool paused = false;
  bool help = false;
  bool ascii_only = false;
  std::string message;  // what came of the last key
  bool message_is_bad = false;
  std::string trouble;   // why there is no fresh answer
  std::string question;  // asked in the last line, with what is typed so far
};

[[nodiscard]] std::vector<line> draw(const view& seen, const choices& set, page_size size);

// The row of `seen` that keys act on; its size if there is none.
[[nodiscard]] std::size_t chosen_row(const view& seen, const std::string& chosen);

// Everything, as long as it is, for --once and for what is no terminal.
[[nodiscard]] std::string plain_text(const view& seen, bool ascii_only);
[[nodiscard]] std::string json_text(const view& seen);

}  // namespace tidegate::cli::top
