// The audit log: one JSON line for each change that a person or the clock made to what is in force, and for whoever was
// refused one.
//
// Thread safety: none; the control thread writes it. Ownership: opens the file for each line, so that whoever rotates
// or removes it is never written past. Invariants: (1) lines are appended whole and are on the disk when append()
// returns; (2) the file is readable by its owner alone; (3) beyond file_bytes_max it becomes `PATH.1`, so that at most
// two of that size exist. Cost: control path only; a sync of the disk a line.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "policy/cap_book.hpp"

namespace tidegate::audit {

inline constexpr std::uint64_t file_bytes_max = 16ULL << 20;

struct entry {
  std::chrono::sys_time<std::chrono::milliseconds> at;
  std::string what;  // "cap", "block", "uncap", "ended", "kept"
  std::string who;
  policy::cap cap;
};

// `2026-02-12T14:00:00Z`
[[nodiscard]] std::string utc_text(std::chrono::sys_seconds time);

// A change beside the proxy's own, told by whoever made it: old keys that were mended through it.
struct told {
  std::chrono::sys_time<std::chrono::milliseconds> at;
  std::string what, who, detail;
};

// Somebody asked for a change without the token, or with a wrong one. What was sent for a token is nowhere in it.
struct refusal {
  std::chrono::sys_time<std::chrono::milliseconds> at;
  std::string who, method, path;
  unsigned status = 0;
  std::uint64_t not_written = 0;  // others before this line, left out of the log
};

// Without the newline.
[[nodiscard]] std::string line_of(const entry& one);
[[nodiscard]] std::string line_of(const told& one);
[[nodiscard]] std::string line_of(const refusal& one);

class audit_log {
 public:
  explicit audit_log(std::string path) : path_(std::move(path)) {}
  // The error says which file and why; nothing is in it then.
  template <typename Line>
  [[nodiscard]] std::expected<void, std::string> append(const Line& one) const {
    return append_line(line_of(one));
  }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  [[nodiscard]] std::expected<void, std::string> append_line(std::string line) const;

  std::string path_;
};

}  // namespace tidegate::audit
