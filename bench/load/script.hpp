// What the clients of the generator say, and what they must hear: SET and GET of one key after the other, rendered
// once. All clients send from the same bytes, each from a place of its own, so that saying costs the generator nothing.
//
// Thread safety: immutable once made.
// Ownership: commands() and replies() view memory of the script.
// Invariants: (1) command 2n is a SET and 2n + 1 a GET of the same key; (2) size() is an even multiple of the pipeline,
// so that a batch never wraps; (3) the replies are one pair over and over, whatever the place.
// Cost: made once, at most script_bytes_max bytes or one batch of each parity; then no allocation.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tidegate::load {

constexpr std::size_t script_bytes_max = std::size_t{48} << 20;
constexpr std::size_t script_commands_max = std::size_t{1} << 17;

struct script_shape {
  std::size_t keys = 3000;
  std::size_t patterns = 30;
  std::size_t value_bytes = 64;
  std::size_t pipeline = 1;
  std::string family = "family";  // crowds with values of different sizes must not meet on a key
};

class script {
 public:
  explicit script(const script_shape& shape);

  [[nodiscard]] std::size_t size() const { return ends_.size() - 1; }
  // Pre: first + count <= size().
  [[nodiscard]] std::string_view commands(std::size_t first, std::size_t count) const;
  // Where client `index` of `count` begins: at a SET, at the beginning of a batch.
  [[nodiscard]] std::size_t place_of(std::size_t index, std::size_t count) const;
  // The replies to a SET and to the GET behind it.
  [[nodiscard]] std::string_view replies() const { return replies_; }
  // How many replies end within the first `bytes` of a stream of replies that begins with a SET's.
  [[nodiscard]] std::size_t replies_within(std::size_t bytes) const;

 private:
  std::size_t pipeline_;
  std::string wire_;
  std::vector<std::size_t> ends_;
  std::string replies_;
  std::size_t set_reply_bytes_ = 0;
};

// family00007:00000042, the key of that number; families are what the proxy's patterns tell apart.
[[nodiscard]] std::string key_of(std::string_view family, std::size_t number, std::size_t patterns);

}  // namespace tidegate::load
