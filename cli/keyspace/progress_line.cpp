#include "cli/keyspace/progress_line.hpp"

#include <unistd.h>

#include <iostream>

#include "cli/screen_width.hpp"
#include "evidence/keyspace/wording.hpp"

namespace tidegate::cli {
namespace {

using keyspace::grouped;

constexpr std::int64_t redraw_ns = 200'000'000;
constexpr std::int64_t line_ns = 10'000'000'000;  // in a log file
constexpr std::size_t bar_width = 24, bar_narrow = 8;

std::string line_of(const keyspace::progress& at, std::uint64_t keys_seen, const std::string& more, bool last,
                    std::size_t bar) {
  std::string text = keyspace::bar_text(at.fraction(), bar) + "  " + grouped(keys_seen) + " keys";
  if (!last) {
    const auto left = at.seconds_left();
    text += " of about " + grouped(at.keys_total()) + ", " + (left ? keyspace::duration_text(*left) : "?") + " left";
  }
  return text + more;
}

}  // namespace

progress_line::progress_line(bool quiet) : quiet_(quiet), terminal_(::isatty(STDERR_FILENO) == 1) {}

progress_line::~progress_line() {
  if (drawn_ && terminal_) std::cerr << '\n';
}

void progress_line::show(const keyspace::progress& at, std::uint64_t keys_seen, const std::string& more,
                         std::int64_t now, bool last) {
  if (quiet_ || (!last && now - shown_at_ < (terminal_ ? redraw_ns : line_ns) && shown_at_ != 0)) return;
  if (shown_at_ == 0 && !terminal_ && !last) {
    shown_at_ = now;  // a short walk leaves one line in a log, its last
    return;
  }
  shown_at_ = now;
  std::string text = line_of(at, keys_seen, more, last, bar_width);
  if (terminal_) {
    // A line that the terminal breaks is not erased as a whole by the next one.
    const std::size_t width = screen_width(STDERR_FILENO);
    if (text.size() >= width) text = line_of(at, keys_seen, more, last, bar_narrow);
    if (text.size() >= width) text.resize(width - 1);
    std::cerr << "\r\x1b[K" << text << std::flush;
    drawn_ = true;
  } else {
    std::cerr << text << '\n';
  }
}

void progress_line::say(const std::string& text) {
  if (drawn_ && terminal_) std::cerr << "\r\x1b[K";
  std::cerr << text << '\n';
}

}  // namespace tidegate::cli
