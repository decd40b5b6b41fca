// Writes what sessions say: the same words for the same seed, whatever is answered.
//
// It keeps the little of a connection's state that it needs for each batch to end where a PING can be told from what
// came before: outside MULTI, with replies on. Sessions have keys of their own, so that the order in which batches of
// several sessions arrive changes no reply; what crosses sessions is written as moves that wait for each other.
//
// Thread safety: none.
// Ownership: its own; keeps views of nothing.
// Invariants: (1) the sequence depends on seed and options alone; (2) every batch ends with its mark, or with the end
// of
//   the connection.
// Cost: bytes and time in proportion to what is written; values of up to 8 MiB, at most one a batch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/traffic/dice.hpp"

namespace tidegate::differential {

inline constexpr std::size_t sessions_count = 8;
inline constexpr std::size_t value_bytes_max = 8 << 20;
// Loaded before anything is said.
inline constexpr std::string_view known_script = "return{KEYS[1],ARGV[1],redis.call('GET',KEYS[1])}";

struct author_options {
  std::uint64_t seed = 1;
  bool ttl_rules = false;             // replies that show a TTL differ then
  std::string script_sha;             // of known_script
  std::vector<std::string> commands;  // of the server, for what is tried at random
};

// What one session says in one go.
struct batch {
  std::size_t session = 0;
  std::string bytes;
  std::string mark;     // what its replies end with; empty: they are waited for later, with a later batch
  bool ends = false;    // the server closes behind it
  bool pieces = false;  // small ones: in tiny pieces
};

// Batches of one turn are sent at the same time; turns follow each other.
struct scene {
  std::vector<std::vector<batch>> turns;
};

class author {
 public:
  explicit author(author_options options);

  [[nodiscard]] scene write();
  // That a session's connection was closed: the next one begins anew.
  void forget(std::size_t session) { sessions_[session] = {}; }
  [[nodiscard]] std::uint64_t commands() const { return commands_; }

 private:
  struct state {
    bool resp3 = false, tracking = false;
    std::size_t channels = 0;  // subscriptions, of any kind
    bool tracked_ever = false;
    bool tracked_before_reset = false;  // a server remembers those keys still, if the connection is the same
  };

  // --- scenes
  [[nodiscard]] scene everybody();
  [[nodiscard]] scene published();
  [[nodiscard]] scene waited_for();
  [[nodiscard]] scene alone();
  [[nodiscard]] batch speak(std::size_t session);
  void end(batch& to);
  [[nodiscard]] batch short_word(std::size_t session);

  // --- parts of a batch
  void something();
  void phrase(std::string_view text);
  void at_random();
  void transaction();
  void silence();
  void subscriptions();
  void leave_channels();
  void protocol();
  void reset();
  void tracking();
  void oddities();
  bool goodbye();

  // --- words
  void say(const std::vector<std::string>& words);
  [[nodiscard]] std::string fill(std::string_view place);
  [[nodiscard]] std::string key(char kind);
  [[nodiscard]] std::string value();
  [[nodiscard]] std::string word();
  [[nodiscard]] std::string channel(std::size_t session);

  author_options options_;
  traffic::dice dice_;
  std::vector<state> sessions_{sessions_count};
  std::uint64_t commands_ = 0, marks_ = 0, stream_id_ = 0;

  // the batch that is being written
  std::string out_;
  std::size_t session_ = 0;
  bool in_transaction_ = false, large_ = false, silent_ = false;
  bool in_turn_ = false;  // nobody else speaks at the same time
};

}  // namespace tidegate::differential
