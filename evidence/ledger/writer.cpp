#include "evidence/ledger/writer.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>

#include "evidence/ledger/schema.hpp"

namespace tidegate::ledger {

namespace {

constexpr std::uint64_t small_file = 64U << 20;    // looked over whole at each start: a fraction of a second
constexpr unix_ms retention_interval_ms = 60'000;  // how often append() looks at age and size
constexpr int shrink_steps_max = 64;
constexpr int oldest_parts = 16;  // a step of shrinking takes this part of the span away

// Named tables, in the order of writer::numbers_.
enum dimension : int { clients, sources, commands, patterns, dimensions };
constexpr std::array<std::pair<const char*, const char*>, dimensions> dimension_tables{
    {{"client", "name"}, {"source", "address"}, {"command", "name"}, {"pattern", "glob"}}};
constexpr std::array bucket_tables = {"write_bucket", "limit_bucket", "connection_bucket", "ttl_bucket",
                                      "upstream_bucket"};

std::string name_for_corrupt(const std::string& path, unix_ms now) {
  const std::time_t seconds = now / 1000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ", &parts);
  return path + ".corrupt-" + std::string(text.data(), size);
}

std::uint64_t size_of(const std::string& path) {
  std::error_code ignored;
  const auto size = std::filesystem::file_size(path, ignored);
  return ignored ? 0 : size;
}

result<void> move_aside(const std::string& path, const std::string& to) {
  for (const char* part : {"", "-wal", "-shm"}) {
    std::error_code failed;
    std::filesystem::rename(path + part, to + part, failed);
    if (failed && failed != std::errc::no_such_file_or_directory) {
      return std::unexpected(failure{trouble::full, "cannot move " + path + part + " aside: " + failed.message()});
    }
  }
  return {};
}

}  // namespace

// flock, not SQLite's own locks: those come and go with each transaction. A file of its own, because closing any
// descriptor of the database would drop SQLite's POSIX locks on it.
class writer::lock_file {
 public:
  [[nodiscard]] static result<std::unique_ptr<lock_file>> take(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return std::unexpected(failure{trouble::full, path + ": " + std::strerror(errno)});
    auto made = std::make_unique<lock_file>(fd);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      return std::unexpected(failure{trouble::busy, path + ": another process holds this ledger"});
    }
    return made;
  }
  explicit lock_file(int fd) noexcept : fd_(fd) {}
  ~lock_file() { ::close(fd_); }
  lock_file(const lock_file&) = delete;
  lock_file& operator=(const lock_file&) = delete;

 private:
  int fd_;
};

struct writer::statements {
  std::array<statement, dimensions> add_name, find_name;
  statement write, limit, connection, ttl, upstream, written_until, change;
};

writer::writer(writer_options options) : options_(std::move(options)) {}

writer::~writer() = default;

result<std::unique_ptr<writer>> writer::open(writer_options options, unix_ms now) {
  std::unique_ptr<writer> made(new writer(std::move(options)));
  auto lock = lock_file::take(made->options_.path + ".lock");
  if (!lock) return std::unexpected(lock.error());
  made->lock_ = std::move(*lock);
  auto opened = made->open_file(now);
  if (!opened && opened.error().kind == trouble::corrupt) {
    made->sql_.reset();
    made->file_ = database();
    made->moved_aside_ = name_for_corrupt(made->options_.path, now);
    if (auto moved = move_aside(made->options_.path, made->moved_aside_); !moved) return std::unexpected(moved.error());
    opened = made->open_file(now);
  }
  if (!opened) {
    return std::unexpected(failure{opened.error().kind, made->options_.path + ": " + opened.error().text});
  }
  return made;
}

result<void> writer::open_file(unix_ms now) {
  // SQLite would make it readable to all that the umask lets, and its log with it. One that is there stays as it is.
  if (const int fd = ::open(options_.path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600); fd >= 0) ::close(fd);
  auto opened = database::open(options_.path, access::read_write);
  if (!opened) return std::unexpected(opened.error());
  file_ = std::move(*opened);
  const bool is_new = size_of(options_.path) == 0;
  // Only before the first table; WAL, so that readers never stop the writer nor it them; NORMAL, because a bucket that
  // a power cut takes is no more than one that a kill takes.
  if (is_new) {
    if (auto done = file_.execute("PRAGMA auto_vacuum = INCREMENTAL"); !done) return done;
  }
  if (auto done = file_.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -512");
      !done)
    return done;
  if (!is_new && (options_.suspect || size_of(options_.path) <= small_file)) {
    const auto verdict = file_.word("PRAGMA quick_check(1)");
    if (!verdict) return std::unexpected(verdict.error());
    if (*verdict != "ok") return std::unexpected(failure{trouble::corrupt, *verdict});
  }
  if (auto done = prepare_schema(file_, now); !done) return done;
  return begin_run(now);
}

result<void> writer::begin_run(unix_ms now) {
  sql_ = std::make_unique<statements>();
  for (auto& known : numbers_) known.clear();
  result<void> done;
  const auto make = [&](statement& out, std::string_view sql) {
    if (!done) return;
    auto made = file_.prepare(sql);
    if (made) {
      out = std::move(*made);
    } else {
      done = std::unexpected(made.error());
    }
  };
  for (std::size_t which = 0; which < dimensions; ++which) {
    const auto& [table, column] = dimension_tables[which];
    make(sql_->add_name[which],
         std::string("INSERT INTO ") + table + " (" + column + ") VALUES (?) ON CONFLICT DO NOTHING");
    make(sql_->find_name[which], std::string("SELECT id FROM ") + table + " WHERE " + column + " = ?");
  }
  make(sql_->write, "INSERT INTO write_bucket VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
  make(sql_->limit, "INSERT INTO limit_bucket VALUES (?,?,?,?,?,?,?)");
  make(sql_->connection, "INSERT INTO connection_bucket VALUES (?,?,?,?,?,?)");
  make(sql_->ttl, "INSERT INTO ttl_bucket VALUES (?,?,?,?,?,?,?)");
  make(sql_->upstream, "INSERT INTO upstream_bucket VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
  make(sql_->written_until, "UPDATE run SET written_until = ? WHERE id = ?");
  make(sql_->change, "INSERT INTO change (at, who, what, detail) VALUES (?,?,?,?)");
  statement run;
  make(run, "INSERT INTO run (instance, version, started_at, bucket_ms, written_until) VALUES (?,?,?,?,?)");
  if (!done) return done;
  run.bind(1, options_.instance).bind(2, options_.version).bind(3, now).bind(4, options_.bucket.count()).bind(5, now);
  if (done = run.run(); !done) return done;
  run_ = file_.last_id();
  return done;
}

// All of `work` or nothing. What it interned is forgotten with it.
result<void> writer::in_transaction(const auto& work) {
  if (auto begun = file_.execute("BEGIN IMMEDIATE"); !begun) return begun;
  result<void> done = work();
  if (done) done = file_.execute("COMMIT");
  if (!done) {
    (void)file_.execute("ROLLBACK");
    for (auto& known : numbers_) known.clear();
  }
  return done;
}

result<std::int64_t> writer::number_of(int table, const std::string& name) {
  auto& known = numbers_[static_cast<std::size_t>(table)];
  if (const auto it = known.find(name); it != known.end()) return it->second;
  statement& find = sql_->find_name[static_cast<std::size_t>(table)];
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto row = find.bind(1, name).step();
    if (!row) return std::unexpected(row.error());
    if (*row) {
      const std::int64_t number = find.integer(0);
      find.reset();
      known.emplace(name, number);
      return number;
    }
    if (auto added = sql_->add_name[static_cast<std::size_t>(table)].bind(1, name).run(); !added) {
      return std::unexpected(added.error());
    }
  }
  return std::unexpected(failure{trouble::corrupt, "a name that was stored is not there"});
}

result<void> writer::append(const bucket& what) {
  const unix_ms at = std::max(what.at, last_at_ + 1);
  const unix_ms until = std::max(what.until, at + 1);
  auto done = in_transaction([&] {
    if (auto rows = append_rows(what, at); !rows) return rows;
    return sql_->written_until.bind(1, until).bind(2, run_).run();
  });
  if (!done) return done;
  last_at_ = at;
  if (until - retained_at_ >= retention_interval_ms) {
    retained_at_ = until;
    // A failure to clean up is not the bucket's: it is in; the next one meets the same trouble and says so.
    (void)retain(until);
  }
  return done;
}

result<void> writer::append_writes(const bucket& what, unix_ms at) {
  for (const write_row& row : what.writes) {
    const auto client = number_of(clients, row.client);
    if (!client) return std::unexpected(client.error());
    const auto source = number_of(sources, row.source);
    if (!source) return std::unexpected(source.error());
    const auto command = number_of(commands, row.command);
    if (!command) return std::unexpected(command.error());
    const auto pattern = number_of(patterns, row.pattern);
    if (!pattern) return std::unexpected(pattern.error());
    statement& into = sql_->write;
    into.bind(1, run_).bind(2, at).bind(3, *client).bind(4, *source).bind(5, *command).bind(6, *pattern);
    into.bind(7, row.sums.commands).bind(8, row.sums.elements).bind(9, row.sums.bytes).bind(10, row.sums.without_ttl);
    into.bind(11, row.sums.ttl_min_ms).bind(12, row.sums.ttl_max_ms);
    if (row.sums.keys.empty()) {
      into.bind(13, std::int64_t{0}).bind_null(14);
    } else {
      into.bind(13, row.sums.distinct()).bind_blob(14, row.sums.keys.encode());
    }
    if (row.sums.ttl.empty()) {
      into.bind_null(15);
    } else {
      into.bind(15, row.sums.ttl.to_json());
    }
    if (auto done = into.run(); !done) return done;
  }
  return {};
}

result<void> writer::append_upstream(const upstream_row& what, unix_ms at) {
  statement& into = sql_->upstream;
  into.bind(1, run_).bind(2, at).bind(3, what.used_memory).bind(4, what.maxmemory).bind(5, what.keys);
  into.bind(6, what.keys_with_ttl).bind(7, what.expired_keys).bind(8, what.evicted_keys);
  into.bind(9, what.connected_clients).bind(10, what.total_commands).bind(11, what.write_calls);
  into.bind(12, what.booked_calls).bind(13, what.own_calls);
  if (what.eviction_policy.empty()) {
    into.bind_null(14);
  } else {
    into.bind(14, what.eviction_policy);
  }
  return into.bind(15, std::int64_t{what.complete ? 1 : 0}).run();
}

result<void> writer::append_rows(const bucket& what, unix_ms at) {
  if (auto done = append_writes(what, at); !done) return done;
  for (const limit_row& row : what.limits) {
    const auto client = number_of(clients, row.client);
    if (!client) return std::unexpected(client.error());
    statement& into = sql_->limit.bind(1, run_).bind(2, at).bind(3, *client).bind(4, row.rule);
    if (auto done = into.bind(5, row.delayed).bind(6, row.rejected).bind(7, row.observed).run(); !done) return done;
  }
  for (const connection_row& row : what.connections) {
    const auto client = number_of(clients, row.client);
    if (!client) return std::unexpected(client.error());
    const auto source = number_of(sources, row.source);
    if (!source) return std::unexpected(source.error());
    statement& into = sql_->connection.bind(1, run_).bind(2, at).bind(3, *client).bind(4, *source);
    if (auto done = into.bind(5, row.opened).bind(6, row.open).run(); !done) return done;
  }
  for (const ttl_row& row : what.ttl) {
    const auto pattern = number_of(patterns, row.pattern);
    if (!pattern) return std::unexpected(pattern.error());
    const auto command = number_of(commands, row.command);
    if (!command) return std::unexpected(command.error());
    statement& into = sql_->ttl.bind(1, run_).bind(2, at).bind(3, *pattern).bind(4, *command);
    if (auto done = into.bind(5, row.injected).bind(6, row.capped).bind(7, row.observed).run(); !done) return done;
  }
  return what.upstream ? append_upstream(*what.upstream, at) : result<void>{};
}

result<void> writer::note(const change_row& what) {
  return sql_->change.bind(1, what.at).bind(2, what.who).bind(3, what.what).bind(4, what.detail).run();
}

result<void> writer::drop_before(unix_ms at) {
  return in_transaction([&]() -> result<void> {
    for (const char* table : bucket_tables) {
      auto made = file_.prepare(std::string("DELETE FROM ") + table + " WHERE at < ?");
      if (!made) return std::unexpected(made.error());
      if (auto done = made->bind(1, at).run(); !done) return done;
    }
    auto changes = file_.prepare("DELETE FROM change WHERE at < ?");
    if (!changes) return std::unexpected(changes.error());
    if (auto done = changes->bind(1, at).run(); !done) return done;
    auto runs = file_.prepare("DELETE FROM run WHERE written_until < ? AND id <> ?");
    if (!runs) return std::unexpected(runs.error());
    return runs->bind(1, at).bind(2, run_).run();
  });
}

result<void> writer::retain(unix_ms now) {
  const unix_ms oldest = now - std::chrono::duration_cast<std::chrono::milliseconds>(options_.keep).count();
  if (auto done = drop_before(oldest); !done) return done;
  return shrink();
}

result<void> writer::shrink() {
  bool dropped = false;
  for (int step = 0; step < shrink_steps_max; ++step) {
    const auto used = file_.number(
        "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, "
        "pragma_page_size");
    if (!used) return std::unexpected(used.error());
    if (static_cast<std::uint64_t>(*used) <= options_.max_size) break;
    const char* span_sql =
        "SELECT min(at) FROM (SELECT min(at) AS at FROM write_bucket UNION ALL SELECT min(at) FROM upstream_bucket)";
    const auto first = file_.number(span_sql);
    if (!first) return std::unexpected(first.error());
    if (*first == 0 || *first >= last_at_) break;  // the newest bucket stays, whatever its size
    const unix_ms part = std::max<unix_ms>((last_at_ - *first) / oldest_parts, 1);
    if (auto done = drop_before(*first + part); !done) return done;
    dropped = true;
  }
  if (dropped) {
    // Names that nothing refers to any more: the only other thing that grows.
    for (const char* sql : {"DELETE FROM source WHERE id NOT IN (SELECT source FROM write_bucket UNION SELECT source "
                            "FROM connection_bucket)",
                            "DELETE FROM client WHERE id NOT IN (SELECT client FROM write_bucket UNION SELECT client "
                            "FROM connection_bucket UNION SELECT client FROM limit_bucket)"}) {
      if (auto done = file_.execute(sql); !done) return done;
    }
    for (auto& known : numbers_) known.clear();
  }
  if (auto done = file_.execute("PRAGMA incremental_vacuum"); !done) return done;
  if (dropped || size_of(options_.path + "-wal") > options_.max_size / 4) {
    return file_.execute("PRAGMA wal_checkpoint(TRUNCATE)");
  }
  return {};
}

result<void> writer::close(unix_ms now) {
  auto ended = file_.prepare("UPDATE run SET ended_at = ? WHERE id = ?");
  if (!ended) return std::unexpected(ended.error());
  if (auto done = ended->bind(1, now).bind(2, run_).run(); !done) return done;
  *ended = statement();
  sql_.reset();
  file_ = database();
  lock_.reset();
  return {};
}

std::uint64_t writer::bytes() const {
  return size_of(options_.path) + size_of(options_.path + "-wal");
}

}  // namespace tidegate::ledger
