#include "evidence/ledger/database.hpp"

namespace tidegate::ledger {

namespace {

constexpr int patience_ms = 2000;  // for a checkpoint or another process's short transaction

trouble kind_of(int code) noexcept {
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return trouble::corrupt;
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
      return trouble::full;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return trouble::busy;
    default:
      return trouble::other;
  }
}

failure failed(sqlite3* in, int code, std::string_view what) {
  const char* words = in != nullptr ? sqlite3_errmsg(in) : sqlite3_errstr(code);
  return {kind_of(code), std::string(what) + ": " + words};
}

// What SQL says of an error is enough; a whole CREATE TABLE is not needed for it.
std::string_view beginning(std::string_view sql) noexcept {
  return sql.substr(0, std::min<std::size_t>(sql.find('\n'), 80));
}

}  // namespace

statement& statement::bind(int at, std::int64_t value) {
  sqlite3_bind_int64(made_.get(), at, value);
  return *this;
}
statement& statement::bind(int at, std::string_view text) {
  sqlite3_bind_text64(made_.get(), at, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  return *this;
}
statement& statement::bind_blob(int at, std::string_view bytes) {
  sqlite3_bind_blob64(made_.get(), at, bytes.data(), bytes.size(), SQLITE_TRANSIENT);
  return *this;
}
statement& statement::bind_null(int at) {
  sqlite3_bind_null(made_.get(), at);
  return *this;
}

result<bool> statement::step() {
  const int code = sqlite3_step(made_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    sqlite3_reset(made_.get());
    return false;
  }
  failure why = failed(sqlite3_db_handle(made_.get()), code, beginning(sqlite3_sql(made_.get())));
  sqlite3_reset(made_.get());
  return std::unexpected(std::move(why));
}

result<void> statement::run() {
  for (;;) {
    const result<bool> row = step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return {};
  }
}

void statement::reset() noexcept {
  sqlite3_reset(made_.get());
}

std::int64_t statement::integer(int column) const noexcept {
  return sqlite3_column_int64(made_.get(), column);
}
std::optional<std::int64_t> statement::maybe_integer(int column) const noexcept {
  if (sqlite3_column_type(made_.get(), column) == SQLITE_NULL) return std::nullopt;
  return integer(column);
}
std::optional<std::uint64_t> statement::maybe_count(int column) const noexcept {
  if (sqlite3_column_type(made_.get(), column) == SQLITE_NULL) return std::nullopt;
  return count(column);
}
std::string_view statement::text(int column) const noexcept {
  const void* bytes = sqlite3_column_text(made_.get(), column);
  if (bytes == nullptr) return {};
  return {static_cast<const char*>(bytes), static_cast<std::size_t>(sqlite3_column_bytes(made_.get(), column))};
}
std::string_view statement::blob(int column) const noexcept {
  const void* bytes = sqlite3_column_blob(made_.get(), column);
  if (bytes == nullptr) return {};
  return {static_cast<const char*>(bytes), static_cast<std::size_t>(sqlite3_column_bytes(made_.get(), column))};
}

result<database> database::open(const std::string& path, access how) {
  const int flags = how == access::read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  sqlite3* made = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &made, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  database out;
  out.made_.reset(made);
  if (code != SQLITE_OK) return std::unexpected(failed(made, code, path));
  sqlite3_extended_result_codes(made, 1);
  sqlite3_busy_timeout(made, patience_ms);
  return out;
}

result<void> database::execute(const char* sql) {
  const int code = sqlite3_exec(made_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return std::unexpected(failed(made_.get(), code, beginning(sql)));
  return {};
}

result<statement> database::prepare(std::string_view sql) {
  sqlite3_stmt* made = nullptr;
  const int code = sqlite3_prepare_v2(made_.get(), sql.data(), static_cast<int>(sql.size()), &made, nullptr);
  if (code != SQLITE_OK) return std::unexpected(failed(made_.get(), code, beginning(sql)));
  return statement(made);
}

result<std::int64_t> database::number(std::string_view sql) {
  result<statement> made = prepare(sql);
  if (!made) return std::unexpected(made.error());
  const result<bool> row = made->step();
  if (!row) return std::unexpected(row.error());
  return *row ? made->integer(0) : 0;
}

result<std::string> database::word(std::string_view sql) {
  result<statement> made = prepare(sql);
  if (!made) return std::unexpected(made.error());
  const result<bool> row = made->step();
  if (!row) return std::unexpected(row.error());
  return *row ? std::string(made->text(0)) : std::string();
}

}  // namespace tidegate::ledger
