// The keyspace as far as a simulation needs it: which keys are there, about how large, and when they expire.
//
// A key is what was written to it: bytes of its arguments and what Redis 7 needs around a key. What the traffic did not
// write is not there; what a failed or conditional write did is taken as done, but for NX on a key that is there.
//
// Thread safety: none. Ownership: keeps 64-bit hashes of keys, never the keys.
// Invariants: bytes() is the sum over the keys that are there at the last expire_until().
// Cost: a hash map's step a key; 60 bytes a key, and 24 for each TTL set that has not run out.
#pragma once

#include <cstdint>
#include <optional>
#include <queue>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "resp/command_table.hpp"
#include "resp/request.hpp"

namespace tidegate::simulate {

class key_model {
 public:
  // dictEntry, robj and the string headers with malloc's rounding; with a TTL an entry of the expires table.
  static constexpr std::uint64_t key_overhead = 72, ttl_overhead = 32;

  void expire_until(std::int64_t now_ms);
  void apply(const resp::command_spec& spec, const resp::request& request, std::span<const resp::key_ref> keys,
             std::uint32_t db, std::int64_t now_ms);
  // As EXPIRE key ttl NX and EXPIRE key ttl LT: whether it set one.
  bool expire_if_none(std::uint32_t db, std::string_view key, std::int64_t ttl_ms, std::int64_t now_ms);
  bool expire_if_less(std::uint32_t db, std::string_view key, std::int64_t ttl_ms, std::int64_t now_ms);

  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::uint64_t mortal_bytes() const noexcept { return mortal_bytes_; }  // of keys that have a TTL
  [[nodiscard]] std::size_t keys() const noexcept { return keys_.size(); }
  // Of one key; nothing = not there, 0 = no TTL. For tests.
  [[nodiscard]] std::optional<std::int64_t> expires_at(std::uint32_t db, std::string_view key) const;

 private:
  struct entry {
    std::uint64_t bytes = 0;
    std::int64_t expires_ms = 0;  // 0 = never
  };
  using number = std::uint64_t;  // a key's hash
  struct end {
    std::int64_t at_ms;
    number key;
    bool operator>(const end& other) const noexcept { return at_ms > other.at_ms; }
  };
  enum class growth : std::uint8_t { replaces, adds };

  [[nodiscard]] static number number_of(std::uint32_t db, std::string_view key) noexcept;
  void put(number key, std::uint64_t bytes, growth how);
  void set_expiry(number key, std::int64_t at_ms);
  void erase(number key);
  void count(const entry& one, bool in) noexcept;
  void move(const resp::command_spec& spec, const resp::request& request, std::uint32_t db);
  void change_expiry(const resp::command_spec& spec, const resp::request& request, number key, std::int64_t now_ms);
  void remove(const resp::command_spec& spec, const resp::request& request, std::span<const resp::key_ref> keys,
              std::uint32_t db);

  std::unordered_map<number, entry> keys_;
  std::priority_queue<end, std::vector<end>, std::greater<>> ends_;
  std::uint64_t bytes_ = 0, mortal_bytes_ = 0;
};

}  // namespace tidegate::simulate
