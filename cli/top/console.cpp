#include "cli/top/console.hpp"

#include <algorithm>
#include <sstream>

#include "cli/top/text.hpp"
#include "config/quantity.hpp"

namespace tidegate::cli::top {
namespace {

constexpr std::ptrdiff_t page_rows = 10;
constexpr const char* usual_duration = "30m";

bool is_duration(const std::string& text) {
  return config::parse_duration(text).has_value();
}

}  // namespace

bool read_limit(const std::string& typed, change& into) {
  into.rate.clear();
  into.bytes.clear();
  std::istringstream words(typed);
  for (std::string word; words >> word;) {
    const auto rate = config::parse_rate(word);
    if (!rate) return false;
    std::string& place = rate->bytes ? into.bytes : into.rate;
    if (!place.empty()) return false;
    place = word;
  }
  return !into.rate.empty() || !into.bytes.empty();
}

void console::say(std::string message, bool is_bad) {
  set_.message = std::move(message);
  set_.message_is_bad = is_bad;
}

void console::ask(asking what) {
  asking_ = what;
  typed_ = what == asking::filter ? set_.filter : std::string();
  show_question();
}

void console::show_question() {
  const std::string who = printed_name(wanted_.client, 30, set_.ascii_only);
  std::string text;
  switch (asking_) {
    case asking::nothing:
      set_.question.clear();
      return;
    case asking::filter:
      text = "part of a name: ";
      break;
    case asking::limit:
      text = "cap " + who + " at (500/s, 150KiB/s or both): ";
      break;
    case asking::cap_duration:
    case asking::block_duration:
      text = std::string(asking_ == asking::cap_duration ? "cap " : "block ") + who + " for [" + usual_duration + "]: ";
      break;
    case asking::cap_why:
    case asking::block_why:
      text = "why, for those who find it later: ";
      break;
    case asking::uncap:
      text = "lift the cap on " + who + "? y or n: ";
      break;
  }
  set_.question = text + printed_name(typed_, typed_max, set_.ascii_only) + "_";
}

void console::choose(const view& seen, std::ptrdiff_t by) {
  if (seen.writers.empty()) return;
  const auto last = static_cast<std::ptrdiff_t>(seen.writers.size()) - 1;
  const auto at = static_cast<std::ptrdiff_t>(chosen_row(seen, set_.chosen));
  set_.chosen = seen.writers[static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(at + by, 0, last))].name;
}

void console::command(int code, const view& seen) {
  const auto everything = static_cast<std::ptrdiff_t>(seen.writers.size());
  switch (code) {
    case 'q':
    case 'Q':
    case 3:  // Ctrl-C: the terminal is raw
      quits_ = true;
      return;
    case key::up:
    case 'k':
      return choose(seen, -1);
    case key::down:
    case 'j':
      return choose(seen, 1);
    case key::page_up:
      return choose(seen, -page_rows);
    case key::page_down:
      return choose(seen, page_rows);
    case key::home:
      return choose(seen, -everything);
    case key::end:
      return choose(seen, everything);
    case key::enter:
      set_.detail = !set_.detail && !seen.writers.empty();
      if (set_.detail) choose(seen, 0);
      return;
    case key::escape:
      set_.detail = set_.help = false;
      return;
    case 's': {
      const auto* const at = std::find(orders.begin(), orders.end(), set_.by);
      set_.by = at + 1 == orders.end() ? orders.front() : *(at + 1);
      return;
    }
    case ' ':
      set_.paused = !set_.paused;
      return;
    case '?':
    case 'h':
      set_.help = !set_.help;
      return;
    case '/':
      return ask(asking::filter);
    case 'c':
    case 'b':
    case 'u':
      break;
    default:
      return;
  }
  if (seen.writers.empty()) return say("there is no writer to choose", true);
  choose(seen, 0);
  wanted_ = {};
  wanted_.client = set_.chosen;
  ask(code == 'c' ? asking::limit : code == 'b' ? asking::block_duration : asking::uncap);
}

std::optional<change> console::answer() {
  switch (asking_) {
    case asking::nothing:
      break;
    case asking::filter:
      set_.filter = typed_;
      break;
    case asking::limit:
      if (!read_limit(typed_, wanted_)) {
        say("not a rate: 500/s, 150KiB/s, or both with a blank between", true);
        break;
      }
      ask(asking::cap_duration);
      return std::nullopt;
    case asking::cap_duration:
    case asking::block_duration:
      wanted_.duration = typed_.empty() ? usual_duration : typed_;
      if (!is_duration(wanted_.duration)) {
        say("not a time: 90s, 30m, 2h", true);
        break;
      }
      ask(asking_ == asking::cap_duration ? asking::cap_why : asking::block_why);
      return std::nullopt;
    case asking::cap_why:
    case asking::block_why:
      wanted_.why = typed_;
      wanted_.what = asking_ == asking::cap_why ? change::kind::cap : change::kind::block;
      ask(asking::nothing);
      return wanted_;
    case asking::uncap:
      wanted_.what = change::kind::uncap;
      if (typed_ != "y" && typed_ != "Y") break;
      ask(asking::nothing);
      return wanted_;
  }
  ask(asking::nothing);
  return std::nullopt;
}

std::optional<change> console::press(int code, const view& seen) {
  if (asking_ == asking::nothing) {
    say({}, false);
    command(code, seen);
    return std::nullopt;
  }
  if (code == key::escape || code == 3) {
    ask(asking::nothing);
  } else if (code == key::enter) {
    return answer();
  } else if (code == key::backspace) {
    // A whole character, whatever its bytes.
    while (!typed_.empty() && (static_cast<unsigned char>(typed_.back()) & 0xc0U) == 0x80) typed_.pop_back();
    if (!typed_.empty()) typed_.pop_back();
    show_question();
  } else if (code >= 0x20 && code != 0x7f && code <= 0xff && typed_.size() < typed_max) {
    typed_ += static_cast<char>(code);
    show_question();
  }
  return std::nullopt;
}

}  // namespace tidegate::cli::top
