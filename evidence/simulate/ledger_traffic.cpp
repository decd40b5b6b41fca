// A ledger's rows as commands.
#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include "evidence/ledger/reader.hpp"
#include "evidence/simulate/traffic.hpp"
#include "resp/command_table.hpp"
#include "resp/encoder.hpp"
#include "resp/request_parser.hpp"

namespace tidegate::simulate {
namespace {

using attribution::ttl_class_keep;
using attribution::ttl_class_none;
using attribution::ttl_classes;

constexpr std::size_t sessions_max = 256;  // a client and source
constexpr std::uint64_t elements_max = 4096;
constexpr std::uint64_t bytes_max = 1UL << 20;

ledger::span span_of(const capture::window& when) {
  return {.since = when.since_ms, .until = when.until_ms};
}

// One row's commands, alike but for their key and TTL.
struct row_commands {
  const ledger::write_group* row;
  const resp::command_spec* spec;  // null: not known to the table
  std::uint64_t sessions = 1;
  std::uint64_t bytes_each = 0, elements_each = 1;
  std::array<std::uint64_t, ttl_classes> until{};  // commands with a number below are of this class
};

std::size_t class_of(const row_commands& of, std::uint64_t number) {
  for (std::size_t which = 0; which < ttl_classes; ++which) {
    if (number < of.until[which]) return which;
  }
  return ttl_class_none;
}

std::string key_of(const std::string& pattern, std::uint64_t number) {
  std::string key = pattern;
  const std::string id = std::to_string(number);
  const std::size_t star = key.find('*');
  if (star == std::string::npos) return key;  // one key
  key.replace(star, 1, id);
  std::ranges::replace(key, '*', '0');
  std::ranges::replace(key, '?', '0');
  return key;
}

std::int64_t ttl_seconds(std::size_t which) {
  return std::max<std::int64_t>(attribution::ttl_class_upper_seconds(which) * 3 / 4, 1);
}

class request_maker {
 public:
  // The words of one command; good until the next call.
  const std::string& make(const row_commands& of, std::uint64_t number, std::int64_t wall_ms) {
    words_.clear();
    const std::string& name = of.row->command;
    const std::size_t bar = name.find('|');
    words_.push_back(name.substr(0, bar));
    if (bar != std::string::npos) words_.push_back(name.substr(bar + 1));
    const std::uint64_t distinct = std::max<std::uint64_t>(of.row->sums.distinct(), 1);
    const std::string key = key_of(of.row->pattern, number % distinct);
    if (of.spec != nullptr) add_arguments(of, key, class_of(of, number), wall_ms);
    raw_.clear();
    resp::append_array_header(raw_, words_.size());
    for (const std::string& word : words_) resp::append_bulk(raw_, word);
    return raw_;
  }

 private:
  void add(std::string word) { words_.push_back(std::move(word)); }
  // What is left of the bytes over so many arguments.
  void fill(const row_commands& of, std::uint64_t arguments) {
    std::uint64_t used = 0;
    for (std::size_t i = 1; i < words_.size(); ++i) used += words_[i].size();
    const std::uint64_t left = of.bytes_each > used ? of.bytes_each - used : 0;
    for (std::uint64_t i = 0; i < arguments; ++i) add(std::string(left / arguments, 'v'));
  }
  void add_expiry(std::size_t which, std::int64_t wall_ms, bool absolute, bool milliseconds) {
    std::int64_t seconds = which < ttl_class_none ? ttl_seconds(which) : 3600;
    if (absolute) seconds += wall_ms / 1000;
    add(std::to_string(milliseconds ? seconds * 1000 : seconds));
  }

  void add_arguments(const row_commands& of, const std::string& key, std::size_t which, std::int64_t wall_ms) {
    using resp::ttl_effect;
    const resp::command_spec& spec = *of.spec;
    const std::uint64_t elements = of.elements_each;
    if (spec.keys == resp::key_layout::none) return;
    const bool timed = which < ttl_class_none;
    switch (spec.ttl) {
      case ttl_effect::set:
        add(key);
        fill(of, 1);
        if (timed) {
          add("EX");
          add_expiry(which, wall_ms, false, false);
        } else if (which == ttl_class_keep) {
          add("KEEPTTL");
        }
        return;
      case ttl_effect::setex:
      case ttl_effect::psetex:
      case ttl_effect::restore:
        add(key);
        add_expiry(which, wall_ms, false, spec.ttl != ttl_effect::setex);
        return fill(of, 1);
      case ttl_effect::expire:
      case ttl_effect::pexpire:
      case ttl_effect::expireat:
      case ttl_effect::pexpireat:
        add(key);
        return add_expiry(which, wall_ms, spec.ttl == ttl_effect::expireat || spec.ttl == ttl_effect::pexpireat,
                          spec.ttl == ttl_effect::pexpire || spec.ttl == ttl_effect::pexpireat);
      case ttl_effect::getex:
        add(key);
        if (!timed) return;
        add("EX");
        return add_expiry(which, wall_ms, false, false);
      default:
        break;
    }
    if (spec.elements == resp::element_count::keys) {
      const auto each = static_cast<std::uint64_t>(std::max<std::int16_t>(spec.key_step, 1));
      for (std::uint64_t i = 0; i < elements; ++i) {
        add(i == 0 ? key : key + ":" + std::to_string(i));
        for (std::uint64_t value = 1; value < each; ++value) {
          add(std::string(of.bytes_each / elements > key.size() ? of.bytes_each / elements - key.size() : 0, 'v'));
        }
      }
      return;
    }
    if (spec.keys == resp::key_layout::numkeys_store) {
      add(key);
      add("1");
      return add(key);
    }
    add(key);
    switch (spec.elements) {
      case resp::element_count::members:
        return fill(of, elements);
      case resp::element_count::pairs:
        return fill(of, 2 * elements);
      case resp::element_count::zadd:
        for (std::uint64_t i = 0; i < elements; ++i) {
          add("1");
          add(std::string(of.bytes_each / elements, 'v'));
        }
        return;
      case resp::element_count::geoadd:
        return fill(of, 3 * elements);
      default:
        break;
    }
    const int least = spec.arity >= 0 ? spec.arity : -spec.arity;
    if (least > 2) fill(of, static_cast<std::uint64_t>(least - 2));
  }

  std::vector<std::string> words_;
  std::string raw_;
};

std::vector<row_commands> commands_of(const std::vector<ledger::write_group>& rows,
                                      const std::map<std::pair<std::string, std::string>, std::uint64_t>& open,
                                      const resp::command_table& table) {
  std::vector<row_commands> all;
  for (const ledger::write_group& row : rows) {
    const std::uint64_t count = row.sums.commands;
    if (count == 0) continue;
    row_commands& made = all.emplace_back();
    made.row = &row;
    made.spec = table.find_name(row.command);
    made.bytes_each = std::min(row.sums.bytes / count, bytes_max);
    made.elements_each = std::clamp<std::uint64_t>(row.sums.elements / count, 1, elements_max);
    const auto connections = open.find({row.client, row.source});
    made.sessions = std::clamp<std::uint64_t>(connections == open.end() ? 1 : connections->second, 1, sessions_max);
    std::uint64_t sum = 0;
    for (std::size_t which = 0; which < ttl_classes; ++which) {
      sum += row.sums.ttl.cells[which].writes;
      made.until[which] = sum;
    }
  }
  return all;
}

struct turn {
  std::int64_t at_ms;
  std::uint32_t row;
  std::uint64_t number;
};

std::expected<void, std::string> play_ledger(const std::string& path, const capture::window& when, simulator& into) {
  auto file = ledger::reader::open(path);
  if (!file) return std::unexpected(file.error());
  const auto runs = file->runs(span_of(when));
  if (!runs) return std::unexpected(path + ": " + runs.error().text);
  std::int64_t bucket_ms = 10'000;
  for (const ledger::run_row& run : *runs) bucket_ms = std::max<std::int64_t>(run.bucket_ms, 1);
  const auto connections = file->connections(span_of(when));
  if (!connections) return std::unexpected(path + ": " + connections.error().text);
  std::map<std::pair<std::string, std::string>, std::uint64_t> open;
  for (const auto& one : *connections) {
    std::uint64_t& most = open[{one.row.client, one.row.source}];
    most = std::max(most, std::max(one.row.open, one.row.opened));
  }
  const auto rows = file->writes({.when = span_of(when), .by = ledger::by_all});
  if (!rows) return std::unexpected(path + ": " + rows.error().text);

  const auto table = resp::command_table::builtin();  // lives as long as the rows that point into it
  const std::vector<row_commands> all = commands_of(*rows, open, *table);
  request_maker maker;
  resp::request_parser parser;
  std::vector<turn> bucket;
  for (std::size_t first = 0; first < all.size();) {
    std::size_t last = first;
    bucket.clear();
    const std::int64_t at = all[first].row->at;
    for (; last < all.size() && all[last].row->at == at; ++last) {
      const std::uint64_t count = all[last].row->sums.commands;
      for (std::uint64_t number = 0; number < count; ++number) {
        bucket.push_back({at + static_cast<std::int64_t>(number * static_cast<std::uint64_t>(bucket_ms) / count),
                          static_cast<std::uint32_t>(last), number});
      }
    }
    std::ranges::stable_sort(bucket, {}, &turn::at_ms);
    for (const turn& one : bucket) {
      const row_commands& of = all[one.row];
      const std::string& raw = maker.make(of, one.number, one.at_ms);
      if (parser.parse(raw) != resp::parse_status::complete) return std::unexpected(path + ": a command that is none");
      const std::string session =
          of.row->client + "\n" + of.row->source + "\n" + std::to_string(one.number % of.sessions);
      capture::record made;
      made.wall_ms = one.at_ms;
      made.client = of.row->client;
      made.source = of.row->source;
      made.pattern = of.row->pattern;
      made.session = session;
      made.request = parser.request();
      into.play(made);
    }
    first = last;
  }
  return {};
}

}  // namespace

std::expected<std::vector<memory_reading>, std::string> memory_in_ledger(const std::string& path,
                                                                         const capture::window& when) {
  auto file = ledger::reader::open(path);
  if (!file) return std::unexpected(file.error());
  const auto rows = file->upstream(span_of(when));
  if (!rows) return std::unexpected(path + ": " + rows.error().text);
  std::int64_t bucket_ms = 0;
  if (const auto runs = file->runs(span_of(when)); runs && !runs->empty()) bucket_ms = runs->front().bucket_ms;
  std::vector<memory_reading> readings;
  for (const auto& one : *rows) {
    // What the row says holds at its bucket's end.
    if (one.row.used_memory) {
      readings.push_back({one.at + bucket_ms, *one.row.used_memory, one.row.maxmemory.value_or(0)});
    }
  }
  return readings;
}

std::expected<traffic, std::string> traffic_of_ledger(const std::string& path, const capture::window& when) {
  auto readings = memory_in_ledger(path, when);
  if (!readings) return std::unexpected(readings.error());
  traffic made;
  made.name = path;
  made.memory = std::move(*readings);
  made.play = [path, when](simulator& into) { return play_ledger(path, when, into); };
  return made;
}

}  // namespace tidegate::simulate
