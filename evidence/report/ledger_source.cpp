#include "evidence/report/ledger_source.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <unordered_map>
#include <utility>

#include "attribution/distinct_keys.hpp"
#include "evidence/ledger/database.hpp"
#include "evidence/ledger/rows.hpp"
#include "evidence/report/ledger_overview.hpp"

namespace tidegate::report {
namespace {

using ledger::statement;
template <typename T>
using read = std::expected<T, std::string>;

// Long enough to even out what an hour does, short enough to be read in a moment from the largest ledger.
constexpr std::int64_t leak_span_ms = 6 * 3'600'000;

// One of the ledger's dictionaries, as far as it is used: row id -> place in a vector of names.
class dictionary {
 public:
  dictionary(statement by_id, std::vector<std::string>& names) : by_id_(std::move(by_id)), names_(names) {}

  std::uint32_t place_of(std::int64_t id) {
    const auto [at, is_new] = places_.try_emplace(id, static_cast<std::uint32_t>(names_.size()));
    if (is_new) {
      by_id_.bind(1, id);
      const auto row = by_id_.step();
      names_.emplace_back(row && *row ? by_id_.text(0) : std::string_view("?"));
      by_id_.reset();
    }
    return at->second;
  }

 private:
  statement by_id_;
  std::vector<std::string>& names_;
  std::unordered_map<std::int64_t, std::uint32_t> places_;
};

struct dictionaries {
  dictionary clients, sources, commands, patterns;
};

std::expected<dictionaries, ledger::failure> open_dictionaries(ledger::database& in, name_table& names) {
  auto clients = in.prepare("SELECT name FROM client WHERE id = ?");
  auto sources = in.prepare("SELECT address FROM source WHERE id = ?");
  auto commands = in.prepare("SELECT name FROM command WHERE id = ?");
  auto patterns = in.prepare("SELECT glob FROM pattern WHERE id = ?");
  for (auto* made : {&clients, &sources, &commands, &patterns}) {
    if (!*made) return std::unexpected(made->error());
  }
  return dictionaries{.clients = {std::move(*clients), names.clients},
                      .sources = {std::move(*sources), names.sources},
                      .commands = {std::move(*commands), names.commands},
                      .patterns = {std::move(*patterns), names.patterns}};
}

// Runs `take` on each row of a question about [from, until).
template <typename Take>
std::expected<void, ledger::failure> for_each_row(ledger::database& in, std::string_view sql, window span, Take take) {
  auto made = in.prepare(sql);
  if (!made) return std::unexpected(made.error());
  made->bind(1, span.since).bind(2, span.until);
  while (true) {
    const auto row = made->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return {};
    if (!take(*made)) return {};
  }
}

void merge_least(std::optional<std::int64_t>& into, std::optional<std::int64_t> value, bool least) {
  if (!value) return;
  into = !into ? *value : least ? std::min(*into, *value) : std::max(*into, *value);
}

void merge_histogram(std::vector<ttl_share>& into, std::string_view json) {
  const auto histogram = ledger::ttl_histogram::from_json(json);
  for (std::size_t each = 0; each < histogram.cells.size(); ++each) {
    const auto& cell = histogram.cells[each];
    if (cell.writes == 0 && cell.bytes == 0) continue;
    const auto ttl_class = static_cast<std::uint8_t>(each);
    const auto at = std::ranges::find(into, ttl_class, &ttl_share::ttl_class);
    if (at == into.end()) {
      into.push_back({.ttl_class = ttl_class, .writes = cell.writes, .bytes = cell.bytes});
    } else {
      at->writes += cell.writes;
      at->bytes += cell.bytes;
    }
  }
}

// Buckets of several runs, or of one step, become one row.
class write_folder {
 public:
  write_folder(observation& into, dictionaries& names) : into_(into), names_(names) {}

  bool take(const statement& row) {
    const unix_ms at = row.integer(0) - row.integer(0) % into_.step_ms;
    if (at != step_) {
      step_ = at;
      of_step_.clear();
    }
    const std::array<std::uint32_t, 4> key{
        names_.clients.place_of(row.integer(1)), names_.sources.place_of(row.integer(2)),
        names_.commands.place_of(row.integer(3)), names_.patterns.place_of(row.integer(4))};
    const auto [place, is_new] = of_step_.try_emplace(key, into_.writes.size());
    if (is_new) {
      if (into_.writes.size() >= rows_max) {
        into_.rows_cut = true;
        return false;
      }
      into_.writes.push_back({.at = at, .client = key[0], .source = key[1], .command = key[2], .pattern = key[3]});
    }
    write_row& sums = into_.writes[place->second];
    sums.commands += row.count(5);
    sums.elements += row.count(6);
    sums.bytes += row.count(7);
    sums.without_ttl += row.count(8);
    merge_least(sums.ttl_min_ms, row.maybe_integer(9), true);
    merge_least(sums.ttl_max_ms, row.maybe_integer(10), false);
    sums.distinct_keys += static_cast<double>(row.count(11));
    if (!row.text(12).empty()) merge_histogram(sums.ttl, row.text(12));
    return true;
  }

 private:
  observation& into_;
  dictionaries& names_;
  unix_ms step_ = -1;
  std::map<std::array<std::uint32_t, 4>, std::size_t> of_step_;
};

// A bucket that began some milliseconds late, on a busy machine, ends when it was due: it is one row of a timeline.
reading reading_of(const statement& row, std::int64_t bucket_ms) {
  return {.at = row.integer(0) - row.integer(0) % bucket_ms + bucket_ms,
          .run = row.integer(1),
          .used_memory = row.maybe_count(2),
          .maxmemory = row.maybe_count(3),
          .keys = row.maybe_count(4),
          .keys_with_ttl = row.maybe_count(5),
          .expired_keys = row.maybe_count(6),
          .evicted_keys = row.maybe_count(7),
          .connected_clients = row.maybe_count(8),
          .total_commands = row.maybe_count(9),
          .write_calls = row.maybe_count(10),
          .booked_calls = row.maybe_count(11),
          .own_calls = row.maybe_count(12),
          .eviction_policy = std::string(row.text(13))};
}

constexpr std::string_view runs_sql =
    "SELECT id, instance, version, started_at, ended_at, bucket_ms, written_until FROM run"
    " WHERE written_until > ?1 AND started_at < ?2 ORDER BY id";
constexpr std::string_view writes_sql =
    "SELECT at, client, source, command, pattern, commands, elements, bytes, without_ttl, ttl_min_ms, ttl_max_ms,"
    " distinct_keys, ttl_histogram FROM write_bucket WHERE at >= ?1 AND at < ?2 ORDER BY at";
constexpr std::string_view readings_sql =
    "SELECT at, run, used_memory, maxmemory, keys, keys_with_ttl, expired_keys, evicted_keys, connected_clients,"
    " total_commands, write_calls, booked_calls, own_calls, eviction_policy FROM upstream_bucket"
    " WHERE at >= ?1 AND at < ?2 AND complete = 1 ORDER BY at, run";
constexpr std::string_view limits_sql =
    "SELECT at, client, rule, delayed, rejected, observed FROM limit_bucket WHERE at >= ?1 AND at < ?2 ORDER BY at";
constexpr std::string_view connections_sql =
    "SELECT at, client, source, opened, open FROM connection_bucket WHERE at >= ?1 AND at < ?2 ORDER BY at";
constexpr std::string_view ttl_sql =
    "SELECT pattern, sum(injected), sum(capped), sum(observed) FROM ttl_bucket WHERE at >= ?1 AND at < ?2 GROUP BY 1";
constexpr std::string_view changes_sql =
    "SELECT at, who, what, detail FROM change WHERE at >= ?1 AND at < ?2 ORDER BY at LIMIT 200";
constexpr std::string_view leaks_sql =
    "SELECT client, pattern, sum(without_ttl) FROM write_bucket WHERE at >= ?1 AND at < ?2 AND without_ttl > 0"
    " GROUP BY 1, 2";

std::expected<void, ledger::failure> read_runs(ledger::database& in, window span, observation& into) {
  return for_each_row(in, runs_sql, span, [&](const statement& row) {
    into.runs.push_back({.id = row.integer(0),
                         .instance = std::string(row.text(1)),
                         .version = std::string(row.text(2)),
                         .started_at = row.integer(3),
                         .written_until = row.integer(6),
                         .ended_at = row.maybe_integer(4),
                         .bucket_ms = row.integer(5)});
    return true;
  });
}

std::expected<void, ledger::failure> read_writes(ledger::database& in, window span, dictionaries& names,
                                                 observation& into) {
  write_folder folder(into, names);
  return for_each_row(in, writes_sql, span, [&](const statement& row) { return folder.take(row); });
}

std::expected<void, ledger::failure> read_readings(ledger::database& in, window span, observation& into) {
  std::unordered_map<std::int64_t, std::int64_t> bucket_of_run;
  for (const run& each : into.runs) bucket_of_run[each.id] = each.bucket_ms;
  return for_each_row(in, readings_sql, span, [&](const statement& row) {
    const auto bucket = bucket_of_run.find(row.integer(1));
    into.readings.push_back(reading_of(row, bucket == bucket_of_run.end() ? into.step_ms : bucket->second));
    return true;
  });
}

std::expected<void, ledger::failure> read_rules(ledger::database& in, window span, dictionaries& names,
                                                observation& into) {
  auto done = for_each_row(in, limits_sql, span, [&](const statement& row) {
    into.limits.push_back({.at = row.integer(0),
                           .client = names.clients.place_of(row.integer(1)),
                           .rule = std::string(row.text(2)),
                           .delayed = row.count(3),
                           .rejected = row.count(4),
                           .observed = row.count(5)});
    return true;
  });
  if (!done) return done;
  return for_each_row(in, ttl_sql, span, [&](const statement& row) {
    into.ttl.push_back({.pattern = names.patterns.place_of(row.integer(0)),
                        .injected = row.count(1),
                        .capped = row.count(2),
                        .observed = row.count(3)});
    return true;
  });
}

std::expected<void, ledger::failure> read_connections(ledger::database& in, window span, dictionaries& names,
                                                      observation& into) {
  return for_each_row(in, connections_sql, span, [&](const statement& row) {
    into.connections.push_back({.at = row.integer(0),
                                .client = names.clients.place_of(row.integer(1)),
                                .source = names.sources.place_of(row.integer(2)),
                                .opened = row.count(3),
                                .open = row.count(4)});
    return true;
  });
}

std::expected<void, ledger::failure> read_changes(ledger::database& in, window span, observation& into) {
  return for_each_row(in, changes_sql, span, [&](const statement& row) {
    into.changes.push_back({.at = row.integer(0),
                            .who = std::string(row.text(1)),
                            .what = std::string(row.text(2)),
                            .detail = std::string(row.text(3))});
    return true;
  });
}

std::expected<void, ledger::failure> read_leaks(ledger::database& in, window span, dictionaries& names,
                                                observation& into) {
  into.leaks_ms = span.until - span.since;
  return for_each_row(in, leaks_sql, span, [&](const statement& row) {
    into.leaks.push_back({.client = names.clients.place_of(row.integer(0)),
                          .pattern = names.patterns.place_of(row.integer(1)),
                          .writes = row.count(2)});
    return true;
  });
}

}  // namespace

ledger_source::ledger_source(std::unique_ptr<ledger::database> made, std::string path)
    : ledger_(std::move(made)), path_(std::move(path)) {}
ledger_source::ledger_source(ledger_source&&) noexcept = default;
ledger_source& ledger_source::operator=(ledger_source&&) noexcept = default;
ledger_source::~ledger_source() = default;

read<ledger_source> ledger_source::open(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    return std::unexpected("there is no ledger at " + path +
                           ": `tidegate serve` writes it; see ledger.path in the configuration");
  }
  auto made = ledger::database::open(path, ledger::access::read_only);
  if (!made) return std::unexpected(path + ": " + made.error().text);
  const auto version = made->number("SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'schema_version'");
  if (!version) return std::unexpected(path + " is not a ledger of tidegate: " + version.error().text);
  if (*version != 1) {
    return std::unexpected(path + " has schema version " + std::to_string(*version) +
                           ", which this tidegate does not read");
  }
  // One moment for everything that follows.
  if (const auto begun = made->execute("BEGIN"); !begun) return std::unexpected(path + ": " + begun.error().text);
  return ledger_source(std::make_unique<ledger::database>(std::move(*made)), path);
}

read<window> ledger_source::span() {
  const auto fail = [this](const ledger::failure& why) { return std::unexpected(path_ + ": " + why.text); };
  window found;
  for (const char* table : {"write_bucket", "upstream_bucket", "connection_bucket"}) {
    const auto first = ledger_->number(std::string("SELECT coalesce(min(at), 0) FROM ") + table);
    if (!first) return fail(first.error());
    if (*first != 0 && (found.since == 0 || *first < found.since)) found.since = *first;
  }
  if (found.since == 0) return window{};
  const auto last = ledger_->number("SELECT coalesce(max(written_until), 0) FROM run");
  if (!last) return fail(last.error());
  found.until = *last;
  return found;
}

read<std::int64_t> ledger_source::bucket_ms() {
  const auto found = ledger_->number("SELECT bucket_ms FROM run ORDER BY id DESC LIMIT 1");
  if (!found) return std::unexpected(path_ + ": " + found.error().text);
  return std::max<std::int64_t>(1, *found);
}

read<std::optional<incident_window>> ledger_source::last_incident(window in) {
  const auto bucket = bucket_ms();
  if (!bucket) return std::unexpected(bucket.error());
  auto found = last_burst(*ledger_, in, *bucket);
  if (!found) return std::unexpected(path_ + ": " + found.error().text);
  return *found;
}

read<observation> ledger_source::observe(window asked, unix_ms from) {
  const auto bucket = bucket_ms();
  const auto held = span();
  if (!bucket) return std::unexpected(bucket.error());
  if (!held) return std::unexpected(held.error());
  observation seen{.since = asked.since, .until = asked.until, .from = std::min(from, asked.since)};
  seen.first = held->since;
  seen.last = held->until;
  const std::int64_t buckets = (asked.until - std::max(seen.from, seen.first)) / *bucket + 1;
  seen.step_ms = *bucket * std::max<std::int64_t>(1, (buckets + steps_max - 1) / steps_max);
  const window span_of_rows{.since = seen.from, .until = asked.until};
  auto names = open_dictionaries(*ledger_, seen.names);
  if (!names) return std::unexpected(path_ + ": " + names.error().text);
  const window leak_span{.since = std::max(seen.first, seen.from - leak_span_ms),
                         .until = std::max(seen.first, seen.from)};
  auto done = read_runs(*ledger_, span_of_rows, seen);
  if (done) done = read_writes(*ledger_, span_of_rows, *names, seen);
  if (done) done = read_readings(*ledger_, span_of_rows, seen);
  if (done) done = read_rules(*ledger_, span_of_rows, *names, seen);
  if (done) done = read_connections(*ledger_, span_of_rows, *names, seen);
  if (done) done = read_changes(*ledger_, span_of_rows, seen);
  if (done) done = read_leaks(*ledger_, leak_span, *names, seen);
  if (!done) return std::unexpected(path_ + ": " + done.error().text);
  return seen;
}

read<std::vector<std::pair<std::string, double>>> ledger_source::distinct_keys(window in) {
  std::map<std::int64_t, attribution::distinct_keys> sketches;
  auto done = for_each_row(*ledger_,
                           "SELECT client, keys_hll FROM write_bucket WHERE at >= ?1 AND at < ?2 AND keys_hll NOT NULL",
                           in, [&](const statement& row) {
                             const auto sketch = attribution::distinct_keys::decode(row.blob(1));
                             if (sketch) sketches[row.integer(0)].merge(*sketch);
                             return true;
                           });
  if (!done) return std::unexpected(path_ + ": " + done.error().text);
  std::vector<std::string> names;
  auto by_id = ledger_->prepare("SELECT name FROM client WHERE id = ?");
  if (!by_id) return std::unexpected(path_ + ": " + by_id.error().text);
  dictionary clients(std::move(*by_id), names);
  std::vector<std::pair<std::string, double>> found;
  for (const auto& [id, sketch] : sketches) {
    const std::uint32_t place = clients.place_of(id);
    found.emplace_back(names[place], sketch.estimate());
  }
  return found;
}

}  // namespace tidegate::report
