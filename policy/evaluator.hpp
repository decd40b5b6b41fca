// One command in, what the policy says of it out: what it is, whose keys it touches, what its TTL plan is and which
// limits it must pass. The live proxy, the tests and `simulate` run this very code.
//
// Thread safety: none; one evaluator a worker (it owns scratch space). Ownership: borrows the snapshot it was given.
// Cost: no allocation once its scratch space has grown and a pattern was seen before.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

#include "policy/snapshot.hpp"

namespace tidegate::policy {

// What a request is. Valid until the next read().
struct command {
  const resp::command_spec* spec = nullptr;
  std::span<const resp::key_ref> keys;
  attribution::pattern_number pattern = attribution::other_pattern;  // of its first key
  std::uint32_t elements = 1;
  std::uint64_t bytes = 0;  // of all arguments behind the name
};

class evaluator {
 public:
  explicit evaluator(attribution::registry& registry);

  void use(const snapshot& now) noexcept;

  // Names the request's command alone: what routing needs.
  [[nodiscard]] const resp::command_spec& identify(const resp::request& request) const noexcept {
    return snapshot_->commands->find(request);
  }
  [[nodiscard]] const resp::command_table& snapshot_commands() const noexcept { return *snapshot_->commands; }
  // Reads keys, pattern, elements and bytes; wanted for writes, scripts and whatever a rule may name.
  [[nodiscard]] const command& read(const resp::command_spec& spec, const resp::request& request) noexcept;
  // The TTL plan of the command last read. Valid until the next call.
  [[nodiscard]] const ttl::plan& plan_ttl(const resp::request& request, std::chrono::milliseconds wall) noexcept;
  // The limits that the command last read must pass. Valid until the next call.
  [[nodiscard]] limiter::charges& limits(const limiter::binding& session, const resp::request& request) noexcept;

  // Of the rules in force, for admitting under them.
  [[nodiscard]] limiter::clock_readings& readings() noexcept { return readings_; }

  // Whether a limit rule names or covers the command, so that it must be read though it writes nothing.
  [[nodiscard]] bool named_by_a_rule(std::uint16_t command) const noexcept {
    return command < named_.size() && named_[command];
  }
  [[nodiscard]] attribution::pattern_number pattern_of(std::string_view key) noexcept;

 private:
  attribution::registry& registry_;
  const snapshot* snapshot_ = nullptr;
  command command_;
  std::vector<resp::key_ref> keys_;
  ttl::plan plan_;
  limiter::charges charges_;
  limiter::clock_readings readings_;
  std::vector<bool> named_;  // by command id
  std::uint64_t random_ = 0x9e3779b97f4a7c15ULL;
  // Inferred patterns seen by this worker: open addressing over registry numbers, twice as many places as numbers.
  static constexpr std::size_t cache_places = 2UL * attribution::patterns_max;
  std::vector<attribution::pattern_number> inferred_;
};

}  // namespace tidegate::policy
