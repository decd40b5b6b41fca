// A small model of a Redis: enough commands, with their replies, their state on a connection and the count of calls
// that `INFO commandstats` would show, to be the upstream of an engine under test.
//
// Thread safety: none. Ownership: links are named by number and live as long as the model.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "resp/command_table.hpp"
#include "resp/request_parser.hpp"

namespace tidegate::session::testing_support {

using words = std::vector<std::string>;

class fake_redis {
 public:
  struct value {
    char type = 's';  // s string, l list, e set
    std::string text;
    std::deque<std::string> items;
    std::int64_t ttl_ms = -1;
    std::uint64_t version = 0;
  };

  struct link {
    std::size_t index = 0;
    std::string in, out;
    std::string user;  // "" = nobody logged in
    std::string name;
    std::int64_t db = 0;
    int protocol = 2;
    bool multi = false, dirty = false, aborted = false;
    std::vector<words> queued;
    std::map<std::string, std::uint64_t> watched;
    bool reply_off = false, skip = false, skip_next = false;
    std::set<std::string> channels, patterns;
    words blocked;  // keys of a BLPOP that waits
    bool monitoring = false;
    bool open = true;           // the proxy has not closed it
    bool closed_by_us = false;  // everything in `out` is the last
    bool ran_exec = false;
    std::uint64_t executed = 0;  // commands that ran on it
  };

  fake_redis();

  [[nodiscard]] std::size_t open_link();
  void feed(std::size_t link, std::string_view bytes);
  void close_link(std::size_t link);
  [[nodiscard]] link& at(std::size_t index) { return links_[index]; }
  [[nodiscard]] std::size_t links() const { return links_.size(); }
  [[nodiscard]] std::size_t open_links() const;

  // Where it matters only after `SET name`: what is stored.
  [[nodiscard]] value* find(std::int64_t db, const std::string& key);
  void publish(const std::string& channel, const std::string& text);

  std::map<std::string, std::uint64_t> calls;                 // commandstats
  std::map<std::string, std::string> passwords;               // by user; "default" with a password = requirepass
  std::map<std::string, std::string> refusals;                // by command: the error given instead of running it
  std::map<std::string, std::string> failures;                // by command: the error of a command that ran
  std::map<std::string, int> refusals_left;                   // how often a refusal is given; absent = always
  std::vector<words> log;                                     // every command that ran, in order
  std::vector<std::pair<std::size_t, std::string>> dialogue;  // every command name received, by link
  bool silent = false;                                        // takes commands, runs nothing

 private:
  void handle(link& c, const words& args);
  [[nodiscard]] std::string run(link& c, const words& args, const resp::command_spec& spec);
  [[nodiscard]] std::string run_connection(link& c, const words& args, const resp::command_spec& spec, bool& known);
  [[nodiscard]] std::string run_client(link& c, const words& args);
  [[nodiscard]] std::string run_data(link& c, const words& args, bool& known);
  [[nodiscard]] std::string run_set(link& c, const words& args);
  [[nodiscard]] std::string run_expire(link& c, const words& args, std::int64_t unit);
  [[nodiscard]] std::string exec(link& c);
  [[nodiscard]] std::string subscribe(link& c, const words& args, std::set<std::string>& where);
  [[nodiscard]] std::string unsubscribe(link& c, const words& args, std::set<std::string>& where);
  void serve_blocked(std::int64_t db, const std::string& key);
  value& touch(link& c, const std::string& key, char type);
  void say(link& c, const std::string& reply, bool push = false);
  [[nodiscard]] static std::string null(const link& c);

  std::deque<link> links_;
  std::map<std::pair<std::int64_t, std::string>, value> data_;
  std::uint64_t versions_ = 0;
  std::shared_ptr<const resp::command_table> table_ = resp::command_table::builtin();
};

[[nodiscard]] std::string lower(std::string_view text);
[[nodiscard]] std::string command_line(const words& args);  // as multibulk
[[nodiscard]] std::string bulk(std::string_view text);

}  // namespace tidegate::session::testing_support
