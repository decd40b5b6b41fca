// The one writer of a ledger file: appends buckets, keeps the file within its bounds, survives what is wrong with it.
//
// Thread safety: one thread at a time. Ownership: holds the file and the lock beside it (PATH.lock) until close() or
// destruction. Invariants: (1) one process a file: a second open() says busy; (2) a bucket is on disk whole or not at
// all; (3) a corrupt file is never written to or deleted: it is moved aside, and a new one begins; (4) after an error
// the bucket may be appended again; (5) within one run `at` only grows: a clock that was set back is not followed.
// Cost: a transaction a bucket; retention deletes by the primary key's first column.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "evidence/ledger/database.hpp"
#include "evidence/ledger/rows.hpp"

namespace tidegate::ledger {

struct writer_options {
  std::string path;
  std::string instance, version;
  std::chrono::milliseconds bucket{10'000};
  std::chrono::seconds keep{14 * 86'400};
  std::uint64_t max_size = 1ULL << 30;
  bool suspect = false;  // look the whole file over before it is used, however large it is
};

class writer {
 public:
  // Begins a run that started at `now`.
  [[nodiscard]] static result<std::unique_ptr<writer>> open(writer_options options, unix_ms now);
  ~writer();
  writer(const writer&) = delete;
  writer& operator=(const writer&) = delete;

  [[nodiscard]] result<void> append(const bucket& what);
  [[nodiscard]] result<void> note(const change_row& what);
  // Drops what is older than `keep` before `now`, and the oldest while the file is above its size. append() does it by
  // itself once in a while.
  [[nodiscard]] result<void> retain(unix_ms now);
  // The run ended as it should: what a killed process cannot say.
  [[nodiscard]] result<void> close(unix_ms now);

  [[nodiscard]] std::uint64_t bytes() const;  // of the file and its write-ahead log
  // Where a corrupt file went when this one was opened; empty: there was none.
  [[nodiscard]] const std::string& moved_aside() const noexcept { return moved_aside_; }

 private:
  class lock_file;
  struct statements;
  explicit writer(writer_options options);
  [[nodiscard]] result<void> open_file(unix_ms now);
  [[nodiscard]] result<void> begin_run(unix_ms now);
  [[nodiscard]] result<void> append_rows(const bucket& what, unix_ms at);
  [[nodiscard]] result<void> append_writes(const bucket& what, unix_ms at);
  [[nodiscard]] result<void> append_upstream(const upstream_row& what, unix_ms at);
  [[nodiscard]] result<std::int64_t> number_of(int table, const std::string& name);
  [[nodiscard]] result<void> drop_before(unix_ms at);
  [[nodiscard]] result<void> shrink();
  [[nodiscard]] result<void> in_transaction(const auto& work);

  writer_options options_;
  std::unique_ptr<lock_file> lock_;
  database file_;
  std::unique_ptr<statements> sql_;
  std::array<std::unordered_map<std::string, std::int64_t>, 4> numbers_;
  std::int64_t run_ = 0;
  unix_ms last_at_ = 0;
  unix_ms retained_at_ = 0;
  std::string moved_aside_;
};

}  // namespace tidegate::ledger
