#include "cli/top/screen.hpp"

// ncurses defines macros of common words; with NOMACROS they are functions.
#define NCURSES_NOMACROS 1
#include <curses.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string_view>

#include "cli/top/console.hpp"
#include "cli/top/page.hpp"
#include "cli/top/poller.hpp"

namespace tidegate::cli::top {
namespace {

constexpr int key_wait_ms = 100;
constexpr int ctrl_l = 12, ctrl_z = 26;

enum pair : short { pair_good = 1, pair_warn, pair_bad, pair_head };

class terminal {
 public:
  terminal() : screen_(::newterm(nullptr, stdout, stdin)) {
    if (screen_ == nullptr) return;
    ::set_escdelay(25);
    ::raw();
    ::noecho();
    ::nonl();
    ::keypad(stdscr, true);
    ::curs_set(0);
    ::timeout(key_wait_ms);
    if (::has_colors()) {
      ::start_color();
      ::use_default_colors();
      ::init_pair(pair_good, COLOR_GREEN, -1);
      ::init_pair(pair_warn, COLOR_YELLOW, -1);
      ::init_pair(pair_bad, COLOR_RED, -1);
      ::init_pair(pair_head, COLOR_CYAN, -1);
    }
  }
  ~terminal() {
    if (screen_ == nullptr) return;
    ::endwin();
    ::delscreen(screen_);
  }
  terminal(const terminal&) = delete;
  terminal& operator=(const terminal&) = delete;

  [[nodiscard]] bool works() const noexcept { return screen_ != nullptr; }

  [[nodiscard]] static page_size size() {
    return {static_cast<std::size_t>(::getmaxx(stdscr)), static_cast<std::size_t>(::getmaxy(stdscr))};
  }

  static void paint(const std::vector<line>& lines) {
    ::erase();
    int row = 0;
    for (const line& each : lines) {
      const chtype look = attributes(each.look);
      ::attrset(static_cast<NCURSES_ATTR_T>(look));
      ::mvaddnstr(row++, 0, each.text.c_str(), static_cast<int>(each.text.size()));
      // A chosen line is one bar to the edge.
      if (each.look == style::chosen) ::hline(' ' | look, ::getmaxx(stdscr));
    }
    ::attrset(A_NORMAL);
    ::refresh();
  }

 private:
  static chtype attributes(style look) {
    const auto coloured = [](pair which, chtype otherwise) {
      return ::has_colors() ? static_cast<chtype>(COLOR_PAIR(which)) | A_BOLD : otherwise;
    };
    switch (look) {
      case style::plain:
        return A_NORMAL;
      case style::quiet:
        return A_DIM;
      case style::head:
        return coloured(pair_head, A_BOLD);
      case style::chosen:
        return A_REVERSE;
      case style::good:
        return coloured(pair_good, A_BOLD);
      case style::warn:
        return coloured(pair_warn, A_BOLD);
      case style::bad:
        return coloured(pair_bad, A_REVERSE);
    }
    return A_NORMAL;
  }

  SCREEN* screen_;
};

int translated(int code) {
  switch (code) {
    case KEY_UP:
      return key::up;
    case KEY_DOWN:
      return key::down;
    case KEY_PPAGE:
      return key::page_up;
    case KEY_NPAGE:
      return key::page_down;
    case KEY_HOME:
      return key::home;
    case KEY_END:
      return key::end;
    case KEY_ENTER:
    case '\r':
    case '\n':
      return key::enter;
    case KEY_BACKSPACE:
    case 0x7f:
    case '\b':
      return key::backspace;
    case 0x1b:
      return key::escape;
    default:
      return code;
  }
}

// What the proxy said of it, as one line.
void ask_for(const admin_client& client, const change& wanted, console& desk) {
  const auto refused = [&desk](const api_error& error) { desk.say("not done: " + error.text, true); };
  if (wanted.what == change::kind::uncap) {
    const auto answer = client.del("/api/v1/caps/" + path_segment(wanted.client));
    if (!answer) return refused(answer.error());
    return desk.say("lifted: " + wanted.client, false);
  }
  const bool blocks = wanted.what == change::kind::block;
  const auto text_or_null = [](const std::string& text) {
    return text.empty() ? nlohmann::json(nullptr) : nlohmann::json(text);
  };
  const nlohmann::json body{{"client", wanted.client},
                            {"action", blocks ? "block" : "cap"},
                            {"rate", text_or_null(wanted.rate)},
                            {"bytes", text_or_null(wanted.bytes)},
                            {"key", nullptr},
                            {"for", wanted.duration},
                            {"why", wanted.why}};
  const auto answer = client.post("/api/v1/caps", body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  if (!answer) return refused(answer.error());
  desk.say((blocks ? "blocked: " : "capped: ") + wanted.client + " for " + wanted.duration, false);
}

void stop_like_any_job() {
  ::endwin();
  std::raise(SIGTSTP);
  ::refresh();
}

void loop(const admin_client& client, std::chrono::milliseconds interval, bool ascii_only) {
  poller asked(client, interval);
  model figures;
  console desk;
  desk.set().ascii_only = ascii_only;
  bool was_paused = false;
  while (!desk.wants_to_quit()) {
    if (const auto fresh = asked.take()) {
      const auto taken = fresh->has_value() ? figures.take(**fresh) : std::unexpected(fresh->error());
      desk.set().trouble = taken ? std::string() : taken.error();
    }
    const view seen = figures.look(desk.set().by, desk.set().filter);
    terminal::paint(draw(seen, desk.set(), terminal::size()));
    const int code = ::getch();
    if (code == ERR || code == KEY_RESIZE) continue;
    if (code == ctrl_z) {
      stop_like_any_job();
    } else if (code == ctrl_l) {
      ::clearok(stdscr, true);
    } else if (const auto wanted = desk.press(translated(code), seen)) {
      ask_for(client, *wanted, desk);
      asked.hurry();
    }
    if (desk.set().paused != was_paused) asked.pause(was_paused = desk.set().paused);
  }
}

}  // namespace

bool can_paint() {
  const char* kind = std::getenv("TERM");  // NOLINT(concurrency-mt-unsafe): nobody sets it
  return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1 && kind != nullptr && *kind != '\0' &&
         std::string_view(kind) != "dumb";
}

int run_screen(const admin_client& client, std::chrono::milliseconds interval, bool ascii_only) {
  const terminal painted;
  if (!painted.works()) {
    std::cerr << "this terminal is not known here (TERM); use --once, or TERM=xterm\n";
    return 1;
  }
  loop(client, interval, ascii_only);
  return 0;
}

}  // namespace tidegate::cli::top
