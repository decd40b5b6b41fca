// SQLite with errors as values: a connection, a statement, a transaction.
//
// Thread safety: one thread at a time. Ownership: a database owns its connection; a statement must not outlive it.
// Invariants: text from outside only ever goes in as a bound parameter; an error names what was tried and SQLite's own
// words. Cost: prepare() parses; keep statements that run often.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace tidegate::ledger {

enum class trouble : std::uint8_t {
  corrupt,  // not a database, or a malformed one
  full,     // no room, or the medium refuses
  busy,     // another process is at it
  other,
};
struct failure {
  trouble kind = trouble::other;
  std::string text;
};
template <typename T>
using result = std::expected<T, failure>;

class statement {
 public:
  statement() = default;
  explicit statement(sqlite3_stmt* made) : made_(made) {}

  statement& bind(int at, std::int64_t value);
  statement& bind(int at, std::uint64_t value) { return bind(at, static_cast<std::int64_t>(value)); }
  statement& bind(int at, std::string_view text);
  statement& bind_blob(int at, std::string_view bytes);
  statement& bind_null(int at);
  template <typename T>
  statement& bind(int at, const std::optional<T>& value) {
    return value ? bind(at, *value) : bind_null(at);
  }

  // True: a row is there. False: no more; the statement is then ready to be bound and run again.
  [[nodiscard]] result<bool> step();
  // For what returns no rows.
  [[nodiscard]] result<void> run();
  void reset() noexcept;

  [[nodiscard]] std::int64_t integer(int column) const noexcept;
  [[nodiscard]] std::uint64_t count(int column) const noexcept { return static_cast<std::uint64_t>(integer(column)); }
  [[nodiscard]] std::optional<std::int64_t> maybe_integer(int column) const noexcept;
  [[nodiscard]] std::optional<std::uint64_t> maybe_count(int column) const noexcept;
  [[nodiscard]] std::string_view text(int column) const noexcept;  // until the next step
  [[nodiscard]] std::string_view blob(int column) const noexcept;  // until the next step

 private:
  struct finish {
    void operator()(sqlite3_stmt* s) const noexcept { sqlite3_finalize(s); }
  };
  std::unique_ptr<sqlite3_stmt, finish> made_;
};

enum class access : std::uint8_t { read_only, read_write };

class database {
 public:
  [[nodiscard]] static result<database> open(const std::string& path, access how);

  [[nodiscard]] result<void> execute(const char* sql);
  [[nodiscard]] result<statement> prepare(std::string_view sql);
  // The first column of the first row; 0 without one.
  [[nodiscard]] result<std::int64_t> number(std::string_view sql);
  [[nodiscard]] result<std::string> word(std::string_view sql);
  [[nodiscard]] std::int64_t last_id() const noexcept { return sqlite3_last_insert_rowid(made_.get()); }
  [[nodiscard]] std::int64_t changes() const noexcept { return sqlite3_changes64(made_.get()); }

 private:
  struct close {
    void operator()(sqlite3* d) const noexcept { sqlite3_close_v2(d); }
  };
  std::unique_ptr<sqlite3, close> made_;
};

}  // namespace tidegate::ledger
