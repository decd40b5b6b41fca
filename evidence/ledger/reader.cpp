#include "evidence/ledger/reader.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <tuple>

#include "evidence/ledger/schema.hpp"

namespace tidegate::ledger {

namespace {

const std::string& name_at(const std::vector<std::string>& names, std::int64_t id) {
  static const std::string unknown = "?";
  return id > 0 && static_cast<std::size_t>(id) < names.size() ? names[static_cast<std::size_t>(id)] : unknown;
}

// One row of any bucket table; `take` reads its columns.
template <typename Row, typename Take>
result<std::vector<Row>> collect(database& in, const char* sql, const span& when, const Take& take) {
  auto made = in.prepare(sql);
  if (!made) return std::unexpected(made.error());
  made->bind(1, when.since).bind(2, when.until);
  std::vector<Row> out;
  for (;;) {
    const auto row = made->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return out;
    out.push_back(take(*made));
  }
}

write_sums sums_of(const statement& row, const write_query& what) {
  write_sums out;
  out.commands = row.count(5);
  out.elements = row.count(6);
  out.bytes = row.count(7);
  out.without_ttl = row.count(8);
  out.ttl_min_ms = row.maybe_integer(9);
  out.ttl_max_ms = row.maybe_integer(10);
  if (what.with_keys) {
    if (const auto keys = attribution::distinct_keys::decode(row.blob(11))) out.keys = *keys;
  }
  if (what.with_ttl) out.ttl = ttl_histogram::from_json(row.text(12));
  return out;
}

upstream_row upstream_of(const statement& row) {
  upstream_row out;
  int column = 2;
  for (const auto field : {&upstream_row::used_memory, &upstream_row::maxmemory, &upstream_row::keys,
                           &upstream_row::keys_with_ttl, &upstream_row::expired_keys, &upstream_row::evicted_keys,
                           &upstream_row::connected_clients, &upstream_row::total_commands, &upstream_row::write_calls,
                           &upstream_row::booked_calls, &upstream_row::own_calls}) {
    out.*field = row.maybe_count(column++);
  }
  out.eviction_policy = std::string(row.text(column));
  out.complete = row.integer(column + 1) != 0;
  return out;
}

}  // namespace

std::expected<reader, std::string> reader::open(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    return std::unexpected(path + ": there is no ledger yet; `tidegate serve` with `ledger:` on writes one");
  }
  auto opened = database::open(path, access::read_only);
  if (!opened) return std::unexpected(opened.error().text);
  reader out;
  out.file_ = std::move(*opened);
  const auto version = version_of(out.file_);
  if (!version) return std::unexpected(path + ": " + version.error().text);
  if (*version == schema_version) return out;
  return std::unexpected(*version == 0 ? path + ": is not a ledger of tidegate"
                                       : path + ": its schema is version " + std::to_string(*version) +
                                             ", this tidegate reads version " + std::to_string(schema_version) +
                                             "; use the tidegate that writes it");
}

result<std::vector<std::string>> reader::names(const char* table, const char* column) {
  auto made = file_.prepare(std::string("SELECT id, ") + column + " FROM " + table);
  if (!made) return std::unexpected(made.error());
  std::vector<std::string> out;
  for (;;) {
    const auto row = made->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return out;
    const auto id = static_cast<std::size_t>(made->integer(0));
    if (out.size() <= id) out.resize(id + 1, "?");
    out[id] = std::string(made->text(1));
  }
}

result<std::vector<run_row>> reader::runs(const span& when) {
  return collect<run_row>(file_,
                          "SELECT id, instance, version, started_at, ended_at, bucket_ms, written_until FROM run "
                          "WHERE written_until >= ?1 AND started_at < ?2 ORDER BY started_at, id",
                          when, [](const statement& row) {
                            return run_row{row.integer(0), std::string(row.text(1)), std::string(row.text(2)),
                                           row.integer(3), row.maybe_integer(4),     row.integer(5),
                                           row.integer(6)};
                          });
}

result<std::vector<write_group>> reader::writes(const write_query& what) {
  const auto clients = names("client", "name");
  const auto sources = names("source", "address");
  const auto commands = names("command", "name");
  const auto patterns = names("pattern", "glob");
  for (const auto* table : {&clients, &sources, &commands, &patterns}) {
    if (!*table) return std::unexpected(table->error());
  }
  auto made = file_.prepare(
      "SELECT at, client, source, command, pattern, commands, elements, bytes, without_ttl, ttl_min_ms, ttl_max_ms, "
      "keys_hll, ttl_histogram FROM write_bucket WHERE at >= ?1 AND at < ?2 ORDER BY at");
  if (!made) return std::unexpected(made.error());
  made->bind(1, what.when.since).bind(2, what.when.until);
  using key = std::tuple<unix_ms, std::int64_t, std::int64_t, std::int64_t, std::int64_t>;
  std::map<key, write_sums> groups;
  for (;;) {
    const auto row = made->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    if (!what.client.empty() && name_at(*clients, made->integer(1)) != what.client) continue;
    if (!what.pattern.empty() && name_at(*patterns, made->integer(4)) != what.pattern) continue;
    const auto part = [&](unsigned bit, int column) { return (what.by & bit) != 0 ? made->integer(column) : 0; };
    unix_ms at = part(by_time, 0);
    if (what.step_ms > 0) at -= at % what.step_ms;
    groups[{at, part(by_client, 1), part(by_source, 2), part(by_command, 3), part(by_pattern, 4)}].merge(
        sums_of(*made, what));
  }
  const auto named = [](const std::vector<std::string>& all, std::int64_t id) {
    return id == 0 ? std::string() : name_at(all, id);
  };
  std::vector<write_group> out;
  out.reserve(groups.size());
  for (const auto& [k, sums] : groups) {
    const auto& [at, client, source, command, pattern] = k;
    out.push_back({at, named(*clients, client), named(*sources, source), named(*commands, command),
                   named(*patterns, pattern), sums});
  }
  std::stable_sort(out.begin(), out.end(), [](const write_group& a, const write_group& b) {
    return std::tie(a.at, a.client, a.source, a.command, a.pattern) <
           std::tie(b.at, b.client, b.source, b.command, b.pattern);
  });
  return out;
}

result<std::vector<timed<limit_row>>> reader::limits(const span& when) {
  return collect<timed<limit_row>>(
      file_,
      "SELECT at, run, client.name, rule, delayed, rejected, observed FROM limit_bucket JOIN client ON client.id = "
      "client WHERE at >= ?1 AND at < ?2 ORDER BY at, rule, client.name",
      when, [](const statement& row) {
        return timed<limit_row>{
            row.integer(0),
            row.integer(1),
            {std::string(row.text(2)), std::string(row.text(3)), row.count(4), row.count(5), row.count(6)}};
      });
}

result<std::vector<timed<connection_row>>> reader::connections(const span& when) {
  return collect<timed<connection_row>>(
      file_,
      "SELECT at, run, client.name, source.address, opened, open FROM connection_bucket JOIN client ON client.id = "
      "client JOIN source ON source.id = source WHERE at >= ?1 AND at < ?2 ORDER BY at, client.name, source.address",
      when, [](const statement& row) {
        return timed<connection_row>{row.integer(0),
                                     row.integer(1),
                                     {std::string(row.text(2)), std::string(row.text(3)), row.count(4), row.count(5)}};
      });
}

result<std::vector<timed<ttl_row>>> reader::ttl(const span& when) {
  return collect<timed<ttl_row>>(
      file_,
      "SELECT at, run, pattern.glob, command.name, injected, capped, observed FROM ttl_bucket JOIN pattern ON "
      "pattern.id = pattern JOIN command ON command.id = command WHERE at >= ?1 AND at < ?2 ORDER BY at, pattern.glob, "
      "command.name",
      when, [](const statement& row) {
        return timed<ttl_row>{
            row.integer(0),
            row.integer(1),
            {std::string(row.text(2)), std::string(row.text(3)), row.count(4), row.count(5), row.count(6)}};
      });
}

result<std::vector<timed<upstream_row>>> reader::upstream(const span& when) {
  return collect<timed<upstream_row>>(
      file_,
      "SELECT at, run, used_memory, maxmemory, keys, keys_with_ttl, expired_keys, evicted_keys, connected_clients, "
      "total_commands, write_calls, booked_calls, own_calls, eviction_policy, complete FROM upstream_bucket "
      "WHERE at >= ?1 AND at < ?2 ORDER BY at, run",
      when, [](const statement& row) { return timed<upstream_row>{row.integer(0), row.integer(1), upstream_of(row)}; });
}

result<std::vector<change_row>> reader::changes(const span& when) {
  return collect<change_row>(
      file_, "SELECT at, who, what, detail FROM change WHERE at >= ?1 AND at < ?2 ORDER BY at, rowid", when,
      [](const statement& row) {
        return change_row{row.integer(0), std::string(row.text(1)), std::string(row.text(2)), std::string(row.text(3))};
      });
}

result<span> reader::extent() {
  const auto first = file_.number(
      "SELECT min(at) FROM (SELECT min(at) AS at FROM write_bucket UNION ALL SELECT min(at) FROM "
      "upstream_bucket)");
  if (!first) return std::unexpected(first.error());
  const auto last = file_.number(
      "SELECT max(at) FROM (SELECT max(at) AS at FROM write_bucket UNION ALL SELECT max(at) FROM "
      "upstream_bucket)");
  if (!last) return std::unexpected(last.error());
  return span{*first, *last};
}

}  // namespace tidegate::ledger
