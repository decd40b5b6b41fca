// Writes a capture: one open AOF file after another in a directory, compressed when closed, old ones deleted.
//
// The form is that of file_reader.hpp. A file begins with an annotation that says everything, so each can be read
// alone.
//
// Thread safety: one thread. Ownership: owns the open file. Invariants: (1) on the disk a file ends with a whole
// command, but for the last one of a process that was killed in mid-write; (2) a transaction stands between MULTI and
// EXEC in one piece of one file; (3) a name cannot forge an annotation; (4) the files together stay within max_size and
// keep, the oldest going first, but for the one that is written. Cost: one write(2) a flush.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tidegate::capture {

struct writer_options {
  std::string directory, instance;
  bool digested = false;  // what write() is given holds digests
  std::uint64_t rotate = 64ULL << 20, max_size = 1ULL << 30;
  std::chrono::seconds keep{7 * 86'400};
};

// Of a command that is written.
struct described {
  std::int64_t wall_ms = 0;
  std::string_view client, source, pattern;
  std::uint64_t session = 0;
  std::uint32_t db = 0;
};

class file_writer {
 public:
  explicit file_writer(writer_options how);
  ~file_writer();
  file_writer(const file_writer&) = delete;
  file_writer& operator=(const file_writer&) = delete;

  // `arguments`: the command as RESP. Into memory; flush() brings it to the disk.
  void write(const described& what, std::string_view arguments);
  void begin_transaction() {
    in_transaction_ = true;
    opened_ = false;
  }
  void end_transaction();

  // It is time to flush: the file has its size.
  [[nodiscard]] bool full() const noexcept { return !in_transaction_ && size_ + batch_.size() >= how_.rotate; }
  // An error leaves the file as it was before; what it held is lost, and `records` says how many commands that were.
  struct flushed {
    std::uint64_t records = 0, bytes = 0;
    std::string error;
  };
  [[nodiscard]] flushed flush(std::int64_t now_ms);
  // Compresses a part of a closed file; false: nothing to do.
  bool compress_some();
  // Closes and compresses.
  void close();
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  class compression;
  [[nodiscard]] std::string open_file(std::int64_t now_ms);
  void close_file();
  void retain();
  void annotate(const described& what);

  writer_options how_;
  int fd_ = -1;
  std::string path_;
  std::uint64_t size_ = 0;
  std::uint32_t files_ = 0;
  std::string stamp_;
  std::string batch_;
  std::uint64_t batch_records_ = 0;
  bool in_transaction_ = false, opened_ = false;
  // What the file says already.
  std::int64_t second_ = 0, wall_ms_ = 0;
  std::string client_, source_, pattern_;
  std::uint64_t session_ = 0;
  std::uint32_t db_ = 0;
  bool told_ = false;
  std::vector<std::string> closed_;  // to be compressed
  std::unique_ptr<compression> compressing_;
};

}  // namespace tidegate::capture
