#include "cli/keyspace/progress_line.hpp"

#include <unistd.h>

#include <iostream>

#include "evidence/keyspace/wording.hpp"

namespace tidegate::cli {
namespace {

using keyspace::grouped;

constexpr std::int64_t redraw_ns = 200'000'000;
constexpr std::int64_t line_ns = 10'000'000'000;  // in a log file
constexpr std::size_t bar_width = 24;

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
  std::string text = keyspace::bar_text(at.fraction(), bar_width) + "  " + grouped(keys_seen) + " keys";
  if (!last) {
    const auto left = at.seconds_left();
    text += " of about " + grouped(at.keys_total()) + ", " + (left ? keyspace::duration_text(*left) + " left" : "…");
  }
  text += more;
  if (terminal_) {
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
