// Caps: what a person decided about a writer in mid-incident, each until its end, as limit rules in front of the
// configured ones.
//
// Thread safety: none; the control thread owns the one in force. Ownership: plain values. Invariants: (1) one cap a
// client, the last one said; (2) at most caps_max; (3) every cap ends: `until` lies after `since`; (4) rules() never
// makes more than limiter::rules_max leaves room for beside a full configuration. Cost: control path only.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"

namespace tidegate::policy {

inline constexpr std::size_t caps_max = 32;
inline constexpr std::size_t cap_rules_each = 2;  // commands and bytes
inline constexpr std::chrono::seconds cap_time_max = std::chrono::hours(24 * 30);
inline constexpr std::size_t why_bytes_max = 500;

enum class cap_action : std::uint8_t { cap, block };

struct cap {
  std::string client;  // a name, or a glob: then each client that it fits has a bucket of its own
  cap_action action = cap_action::cap;
  std::optional<double> rate;   // commands a second
  std::optional<double> bytes;  // bytes a second
  std::string rate_text, bytes_text;
  std::string key;  // glob; empty = any
  std::string who, why;
  std::chrono::sys_seconds since, until;
};

// What somebody asks for, as text.
struct cap_wish {
  std::string client;
  std::string action = "cap";
  std::string rate, bytes, key;  // empty = none
  std::string lasts;             // "30m"
  std::string who, why;
};

// The error names the field and what to write.
[[nodiscard]] std::expected<cap, std::string> read_wish(const cap_wish& wish,
                                                        std::chrono::sys_time<std::chrono::milliseconds> now);

class cap_book {
 public:
  // Replaces the client's cap. The error says that there is no room.
  [[nodiscard]] std::expected<void, std::string> set(cap one);
  // The cap that was lifted, or none.
  std::optional<cap> lift(std::string_view client);
  // Those that have ended, which are forgotten.
  std::vector<cap> end(std::chrono::sys_seconds now);
  // When the next one ends.
  [[nodiscard]] std::optional<std::chrono::sys_seconds> next_end() const;
  [[nodiscard]] const std::vector<cap>& all() const noexcept { return caps_; }  // the oldest first

  // In the order of all().
  [[nodiscard]] std::vector<config::limit_rule> rules() const;

 private:
  std::vector<cap> caps_;
};

// What became of a change.
struct cap_change {
  std::optional<cap> what;  // the cap set or lifted; none = nothing was changed
  bool in_force = false;    // on every worker
  bool unknown = false;     // nobody answered in time: whether it was changed is not known
  std::string trouble;      // why not, or what went wrong besides
};

// The names of a cap's rules, as metrics and errors show them.
[[nodiscard]] std::vector<std::string> rule_names(const cap& one);
[[nodiscard]] const char* to_string(cap_action action) noexcept;

// The caps as a document, and back; what is not understood is an error, never half a list.
[[nodiscard]] std::string write_caps(const std::vector<cap>& caps);
[[nodiscard]] std::expected<std::vector<cap>, std::string> read_caps(std::string_view document);

}  // namespace tidegate::policy
