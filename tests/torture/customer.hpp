// One client of the torture: it knows what each of its replies must be, and misbehaves in between.
//
// What it stores it stores under keys of its own and of this connection, so that it knows them, but for what a lost
// connection or a killed server leaves in doubt; then it still knows whose a value must be. See expectation.hpp for how
// values tell.
//
// Thread safety: none; a customer belongs to one thread.
// Ownership: owns its connection; `manners` and the report must outlive it.
// Invariants: (1) each command sent has one expectation, judged in order; (2) a customer that saw a wrong reply says
//   nothing more.
// Cost: memory in proportion to its pipeline; replies are compared as they arrive.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/torture/expectation.hpp"
#include "tests/traffic/dice.hpp"
#include "tests/traffic/link.hpp"

namespace tidegate::torture {

struct manners {
  traffic::place plain, tls;
  bool has_tls = false;
  bool leaves = false;           // resets, half-closes, goes in the middle of a command
  bool losses = false;           // connections are cut and the server may be away: errors and ends are allowed
  bool amnesia = false;          // … and what it held may be gone
  bool rejects = false;          // a limit rejects SETs
  unsigned refused_percent = 0;  // of what is said: SETs of keys that a limit lets through hardly ever
  std::string version;           // the server's, which HELLO tells; without one nobody says HELLO
  std::size_t pipeline_max = 512;
  std::size_t value_bytes_max = 8 << 20;
  std::uint32_t customers = 0;
};

struct report {
  std::uint64_t sent = 0, right = 0, rejected = 0, lost = 0, closed = 0, forgotten = 0, messages = 0, connections = 0;
  std::uint64_t bytes = 0, in_doubt = 0;
  std::uint64_t refused = 0, passed = 0;  // of the SETs that a limit lets through hardly ever
  std::uint64_t unanswered = 0;           // replies that were due when their connection ended
  std::uint64_t hellos = 0;
  std::vector<std::string> wrong;
};

class customer {
 public:
  customer(std::uint32_t number, std::uint64_t seed, const manners& how, report& told);

  // Reads, judges, speaks and writes, as far as it goes without waiting. `talk`: whether anything new is said.
  void go_on(bool talk);
  [[nodiscard]] int descriptor() const { return connection_ ? connection_->descriptor() : -1; }
  [[nodiscard]] bool wants_to_write() const { return sent_ < out_.size(); }
  [[nodiscard]] bool is_idle() const { return due_.empty() && sent_ == out_.size(); }
  [[nodiscard]] bool has_failed() const { return failed_; }
  [[nodiscard]] std::string waits_for() const;

 private:
  static constexpr std::size_t keys = 6;

  // One reply, or a part of it.
  struct item {
    enum class what : std::uint8_t { literal, stored, integer } kind = what::literal;
    answer exact;
    std::size_t key = 0;
  };
  struct expectation {
    std::vector<item> items;
    std::vector<item> otherwise;  // inside a MULTI that failed it runs by itself
    enum class effect : std::uint8_t { none, stores, executes, takes, is_refused } then = effect::none;
    std::size_t key = 0;
    std::uint64_t number = 0;
    std::size_t bytes = 0;
    std::string name;
    bool resp3 = false;  // what its reply is written in; expect() sets it
  };
  struct memory {
    enum class state : std::uint8_t { absent, known, in_doubt } how = state::in_doubt;
    std::uint64_t number = 0;
    std::size_t bytes = 0;
  };

  // --- speaking
  void connect();
  void speak();
  void expect(expectation what);
  void say(std::initializer_list<std::string_view> words, expectation what);
  void say_one();
  void say_hello(bool resp3);
  void say_value_to(const std::string& key, std::uint64_t number, std::size_t bytes);
  void say_refused();
  void say_echo();
  void say_message();
  void say_values();
  void say_stored();
  void say_transaction();
  void say_blocking();
  void say_script();
  void listen();
  void leave();
  void forget_connection();
  void write_some();
  [[nodiscard]] std::string key(std::size_t index) const;
  [[nodiscard]] std::size_t some_size(std::size_t key);
  [[nodiscard]] expectation exactly(std::string name, std::string_view bytes) const;
  [[nodiscard]] expectation exactly(std::string name, answer bytes) const;

  // --- listening
  void read_some();
  void judge(std::string_view bytes);
  [[nodiscard]] std::size_t judge_some(std::string_view bytes);
  [[nodiscard]] bool begin_item();
  void finish_reply();
  void judge_error(const std::string& line);
  [[nodiscard]] bool judge_heard();
  [[nodiscard]] bool judge_heard_reply();
  [[nodiscard]] bool may_be_rejected(const expectation& what) const;
  void ended();
  void fail(const std::string& why);

  std::uint32_t number_;
  const manners& how_;
  report& told_;
  traffic::dice dice_;
  std::string name_;
  bool listener_ = false, half_closed_ = false, failed_ = false, doubtful_ = false, resp3_ = false;
  std::optional<traffic::link> connection_;
  std::chrono::steady_clock::time_point connect_at_{};
  std::string out_;
  std::size_t sent_ = 0;
  std::uint64_t serial_ = 0, generation_ = 0;
  std::array<memory, keys> memory_;
  std::deque<expectation> due_;

  // the reply that is arriving
  std::size_t item_ = 0, at_ = 0;
  bool in_error_ = false, chosen_ = false;
  std::string head_;                            // bytes that do not yet tell what they begin
  std::optional<answer> stored_;                // what the item in turn must be
  std::map<std::string, std::uint64_t> heard_;  // by publisher
  std::vector<char> scratch_;
};

}  // namespace tidegate::torture
