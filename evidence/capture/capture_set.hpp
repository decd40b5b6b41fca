// The files of a capture as one stream of commands in the order of time: a directory's, of one instance or of several,
// or a single file.
//
// Thread safety: none. Ownership: owns the files it has open, one an instance; a record is good until the next call of
// next(). Invariants: (1) the files of an instance follow one another as they were written, whatever their times say;
// instances are merged by time; (2) what lies outside [since, until) is left out, and a transaction whole or not at
// all. Cost: that of reading every byte.
#pragma once

#include <cstdint>
#include <expected>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "evidence/capture/file_reader.hpp"

namespace tidegate::capture {

struct window {
  std::int64_t since_ms = std::numeric_limits<std::int64_t>::min();
  std::int64_t until_ms = std::numeric_limits<std::int64_t>::max();
};

class capture_set {
 public:
  // The error says what there should have been.
  [[nodiscard]] static std::expected<capture_set, std::string> open(const std::string& path, const window& when);

  [[nodiscard]] std::expected<bool, std::string> next();
  [[nodiscard]] const record& now() const noexcept { return lines_[current_].reader->now(); }

  [[nodiscard]] std::size_t files() const noexcept { return files_; }
  [[nodiscard]] std::uint64_t bytes_total() const noexcept { return bytes_total_; }
  [[nodiscard]] std::uint64_t bytes_read() const noexcept;
  // Files that ended within a command.
  [[nodiscard]] std::uint64_t truncated() const noexcept { return truncated_; }

 private:
  // One instance's files, and the command that comes next.
  struct line {
    std::vector<std::string> paths;
    std::size_t next_path = 0;
    std::unique_ptr<file_reader> reader;
    bool ready = false;
    bool in_transaction = false, wanted = false;
  };
  [[nodiscard]] std::expected<bool, std::string> advance(line& which);

  std::vector<line> lines_;
  std::size_t current_ = 0;
  bool begun_ = false;
  window when_;
  std::size_t files_ = 0;
  std::uint64_t bytes_total_ = 0, bytes_done_ = 0, truncated_ = 0;
};

}  // namespace tidegate::capture
