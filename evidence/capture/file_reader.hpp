// Reads one capture file: an AOF with annotations of ours, plain or compressed with zstd.
//
// The format: commands as RESP arrays; `#TS:<unix seconds>` as Redis 7 writes it; `#TG:` lines of ours before what they
// describe, with `client= source= pattern= session= ms=` and `values=digest` separated by blanks (`ms` within the
// second of the last #TS, or Unix milliseconds). What such a line does not say keeps its value, but for `pattern`.
// Lines with another beginning behind `#` are skipped, as Redis skips them.
//
// Thread safety: none. Ownership: owns the file; a record is good until the next call of next().
// Invariants: (1) memory is bounded by the longest command (command_bytes_max) and not by the file; (2) a file that
// ends in the middle of a command is read up to there, and says so; (3) an error names the file and the place. Cost: a
// copy of each byte, and the decompression.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>

#include "evidence/capture/record.hpp"

namespace tidegate::capture {

inline constexpr std::size_t command_bytes_max = 600UL
                                                 << 20;    // a value of 512 MiB, Redis's bound, and what is around it
inline constexpr std::size_t annotation_bytes_max = 1024;  // AOF_ANNOTATION_LINE_MAX_LEN of Redis 7

class file_reader {
 public:
  [[nodiscard]] static std::expected<file_reader, std::string> open(const std::string& path);
  file_reader(file_reader&&) noexcept;
  file_reader& operator=(file_reader&&) noexcept;
  ~file_reader();

  // True: now() is the next command. False: the end.
  [[nodiscard]] std::expected<bool, std::string> next();
  [[nodiscard]] const record& now() const noexcept;
  // After the end: the file stopped within a command, as one does whose writer was killed.
  [[nodiscard]] bool truncated() const noexcept;
  // Of the file as it lies on the disk; for progress.
  [[nodiscard]] std::uint64_t bytes_read() const noexcept;

 private:
  struct state;
  explicit file_reader(std::unique_ptr<state> opened) noexcept;
  std::unique_ptr<state> state_;
};

}  // namespace tidegate::capture
