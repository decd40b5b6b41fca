// The audit log: one JSON line for each change that a person or the clock made to what is in force.
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
// Without the newline.
[[nodiscard]] std::string line_of(const entry& one);

class audit_log {
 public:
  explicit audit_log(std::string path) : path_(std::move(path)) {}
  // The error says which file and why; nothing is in it then.
  [[nodiscard]] std::expected<void, std::string> append(const entry& one) const;
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

}  // namespace tidegate::audit
