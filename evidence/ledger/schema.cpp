#include "evidence/ledger/schema.hpp"

#include <array>

namespace tidegate::ledger {

namespace {

// Rows of one bucket lie together (WITHOUT ROWID, `at` first), because every question has a span of time and retention
// takes the oldest away.
constexpr const char* first_version = R"sql(
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT);
CREATE TABLE run (
  id INTEGER PRIMARY KEY, instance TEXT NOT NULL, version TEXT NOT NULL, started_at INTEGER NOT NULL,
  ended_at INTEGER, bucket_ms INTEGER NOT NULL, written_until INTEGER NOT NULL);
CREATE TABLE client (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE source (id INTEGER PRIMARY KEY, address TEXT NOT NULL UNIQUE);
CREATE TABLE command (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE pattern (id INTEGER PRIMARY KEY, glob TEXT NOT NULL UNIQUE);
CREATE TABLE write_bucket (
  run INTEGER NOT NULL, at INTEGER NOT NULL, client INTEGER NOT NULL, source INTEGER NOT NULL,
  command INTEGER NOT NULL, pattern INTEGER NOT NULL,
  commands INTEGER NOT NULL, elements INTEGER NOT NULL, bytes INTEGER NOT NULL, without_ttl INTEGER NOT NULL,
  ttl_min_ms INTEGER, ttl_max_ms INTEGER, distinct_keys INTEGER NOT NULL, keys_hll BLOB, ttl_histogram TEXT,
  PRIMARY KEY (at, run, client, source, command, pattern)) WITHOUT ROWID;
CREATE TABLE limit_bucket (
  run INTEGER NOT NULL, at INTEGER NOT NULL, client INTEGER NOT NULL, rule TEXT NOT NULL,
  delayed INTEGER NOT NULL, rejected INTEGER NOT NULL, observed INTEGER NOT NULL,
  PRIMARY KEY (at, run, client, rule)) WITHOUT ROWID;
CREATE TABLE connection_bucket (
  run INTEGER NOT NULL, at INTEGER NOT NULL, client INTEGER NOT NULL, source INTEGER NOT NULL,
  opened INTEGER NOT NULL, open INTEGER NOT NULL,
  PRIMARY KEY (at, run, client, source)) WITHOUT ROWID;
CREATE TABLE ttl_bucket (
  run INTEGER NOT NULL, at INTEGER NOT NULL, pattern INTEGER NOT NULL, command INTEGER NOT NULL,
  injected INTEGER NOT NULL, capped INTEGER NOT NULL, observed INTEGER NOT NULL,
  PRIMARY KEY (at, run, pattern, command)) WITHOUT ROWID;
CREATE TABLE upstream_bucket (
  run INTEGER NOT NULL, at INTEGER NOT NULL, used_memory INTEGER, maxmemory INTEGER, keys INTEGER,
  keys_with_ttl INTEGER, expired_keys INTEGER, evicted_keys INTEGER, connected_clients INTEGER,
  total_commands INTEGER, write_calls INTEGER, booked_calls INTEGER, own_calls INTEGER, eviction_policy TEXT,
  complete INTEGER NOT NULL,
  PRIMARY KEY (at, run)) WITHOUT ROWID;
CREATE TABLE change (at INTEGER NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, detail TEXT NOT NULL);
CREATE INDEX change_at ON change (at);

CREATE VIEW writes AS
  SELECT strftime('%Y-%m-%dT%H:%M:%SZ', w.at / 1000, 'unixepoch') AS time, w.at AS at, run.instance AS instance,
         client.name AS client, source.address AS source, command.name AS command, pattern.glob AS pattern,
         w.commands, w.elements, w.bytes, w.without_ttl, w.ttl_min_ms, w.ttl_max_ms, w.distinct_keys, w.ttl_histogram
  FROM write_bucket w JOIN run ON run.id = w.run JOIN client ON client.id = w.client
  JOIN source ON source.id = w.source JOIN command ON command.id = w.command JOIN pattern ON pattern.id = w.pattern;
CREATE VIEW limits AS
  SELECT strftime('%Y-%m-%dT%H:%M:%SZ', l.at / 1000, 'unixepoch') AS time, l.at AS at, run.instance AS instance,
         client.name AS client, l.rule, l.delayed, l.rejected, l.observed
  FROM limit_bucket l JOIN run ON run.id = l.run JOIN client ON client.id = l.client;
CREATE VIEW connections AS
  SELECT strftime('%Y-%m-%dT%H:%M:%SZ', c.at / 1000, 'unixepoch') AS time, c.at AS at, run.instance AS instance,
         client.name AS client, source.address AS source, c.opened, c.open
  FROM connection_bucket c JOIN run ON run.id = c.run JOIN client ON client.id = c.client
  JOIN source ON source.id = c.source;
CREATE VIEW upstream AS
  SELECT strftime('%Y-%m-%dT%H:%M:%SZ', u.at / 1000, 'unixepoch') AS time, u.at AS at, run.instance AS instance,
         u.used_memory, u.maxmemory, round(100.0 * u.used_memory / nullif(u.maxmemory, 0), 1) AS used_percent,
         u.keys, u.keys_with_ttl, u.keys - u.keys_with_ttl AS keys_without_ttl, u.expired_keys, u.evicted_keys,
         u.connected_clients, u.total_commands, u.write_calls, u.booked_calls, u.own_calls, u.eviction_policy,
         u.complete
  FROM upstream_bucket u JOIN run ON run.id = u.run;
)sql";

// steps[n] makes version n + 1 of version n.
constexpr std::array steps = {first_version};
static_assert(steps.size() == schema_version);

result<void> take_step(database& in, std::size_t from, std::int64_t now_ms) {
  if (auto done = in.execute("BEGIN IMMEDIATE"); !done) return done;
  auto done = in.execute(steps[from]);
  if (done && from == 0) {
    auto made = in.prepare("INSERT INTO meta (key, value) VALUES ('created_at', ?)");
    done = made ? made->bind(1, now_ms).run() : std::unexpected(made.error());
  }
  if (done) {
    auto made = in.prepare("INSERT OR REPLACE INTO meta (key, value) VALUES ('schema_version', ?)");
    done = made ? made->bind(1, static_cast<std::int64_t>(from + 1)).run() : std::unexpected(made.error());
  }
  if (done) done = in.execute("COMMIT");
  if (!done) (void)in.execute("ROLLBACK");
  return done;
}

}  // namespace

result<std::int64_t> version_of(database& in) {
  const auto has_meta = in.number("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'meta'");
  if (!has_meta) return std::unexpected(has_meta.error());
  if (*has_meta == 0) return 0;
  return in.number("SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'schema_version'");
}

result<void> prepare_schema(database& in, std::int64_t now_ms) {
  const auto version = version_of(in);
  if (!version) return std::unexpected(version.error());
  if (*version > schema_version) {
    return std::unexpected(failure{trouble::other, "its schema is version " + std::to_string(*version) +
                                                       ", this tidegate knows " + std::to_string(schema_version) +
                                                       "; use the newer tidegate, or another ledger.path"});
  }
  if (*version == 0) {
    const auto tables = in.number("SELECT count(*) FROM sqlite_master");
    if (!tables) return std::unexpected(tables.error());
    if (*tables != 0) {
      return std::unexpected(
          failure{trouble::other, "it is another program's database; name a file of its own in ledger.path"});
    }
  }
  for (auto from = static_cast<std::size_t>(*version); from < steps.size(); ++from) {
    if (auto done = take_step(in, from, now_ms); !done) return done;
  }
  return {};
}

}  // namespace tidegate::ledger
