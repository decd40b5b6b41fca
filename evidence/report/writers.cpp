#include "evidence/report/writers.hpp"

#include <algorithm>
#include <map>
#include <unordered_map>

namespace tidegate::report {
namespace {

constexpr std::size_t parts_listed = 12;

bool within(unix_ms at, const window& span) {
  return at >= span.since && at < span.until;
}

double seconds_of(const window& span) {
  return static_cast<double>(span.until - span.since) / 1000;
}

double part(double of, double whole) {
  return whole > 0 ? of / whole : 0;
}

void add_ttl(ttl_sums& into, const write_row& row) {
  for (const ttl_share& each : row.ttl) {
    into.writes[each.ttl_class] += each.writes;
    into.bytes[each.ttl_class] += each.bytes;
  }
  if (row.ttl_min_ms) into.least_ms = std::min(into.least_ms.value_or(*row.ttl_min_ms), *row.ttl_min_ms);
  if (row.ttl_max_ms) into.most_ms = std::max(into.most_ms.value_or(*row.ttl_max_ms), *row.ttl_max_ms);
}

struct gathered {
  writer sums;
  std::uint64_t commands_before = 0, elements_before = 0, bytes_before = 0;
  std::unordered_map<std::uint32_t, source_of> sources;
  std::unordered_map<std::uint32_t, share_of> commands, patterns;
};

void add_share(share_of& into, const write_row& row) {
  into.commands += row.commands;
  into.elements += row.elements;
  into.bytes += row.bytes;
  into.without_ttl += row.without_ttl;
}

void add_row(gathered& into, const write_row& row) {
  writer& sums = into.sums;
  sums.commands += row.commands;
  sums.elements += row.elements;
  sums.bytes += row.bytes;
  sums.without_ttl += row.without_ttl;
  source_of& source = into.sources[row.source];
  source.commands += row.commands;
  source.bytes += row.bytes;
  add_share(into.commands[row.command], row);
  add_share(into.patterns[row.pattern], row);
  add_ttl(sums.ttl, row);
}

std::vector<share_of> ranked(const std::unordered_map<std::uint32_t, share_of>& parts,
                             const std::vector<std::string>& names, std::uint64_t whole) {
  std::vector<share_of> made;
  for (const auto& [id, each] : parts) {
    made.push_back(each);
    made.back().name = names[id];
    made.back().share = part(static_cast<double>(each.bytes), static_cast<double>(whole));
  }
  std::ranges::sort(made, [](const share_of& a, const share_of& b) {
    return a.bytes != b.bytes         ? a.bytes > b.bytes
           : a.commands != b.commands ? a.commands > b.commands
                                      : a.name < b.name;
  });
  if (made.size() > parts_listed) made.resize(parts_listed);
  return made;
}

class gathering {
 public:
  gathering(const observation& seen, const window& subject, const std::vector<window>& quiet)
      : seen_(seen), subject_(subject), quiet_(quiet) {}

  void take_writes() {
    for (const write_row& row : seen_.writes) {
      if (within(row.at, subject_)) {
        add_row(of(row.client), row);
      } else if (std::ranges::any_of(quiet_, [&](const window& each) { return within(row.at, each); })) {
        gathered& one = of(row.client);
        one.commands_before += row.commands;
        one.elements_before += row.elements;
        one.bytes_before += row.bytes;
      }
    }
  }

  void take_connections() {
    std::map<std::pair<std::uint32_t, unix_ms>, std::uint64_t> open;
    for (const connection_row& row : seen_.connections) {
      open[{row.client, row.at}] += row.open;
      if (!within(row.at, subject_)) continue;
      gathered& one = of(row.client);
      one.sums.opened += row.opened;
      one.sources[row.source].opened += row.opened;
    }
    for (const auto& [key, count] : open) {
      const auto found = all_.find(key.first);
      if (found == all_.end()) continue;
      writer& sums = found->second.sums;
      if (within(key.second, subject_)) sums.open_most = std::max(sums.open_most, count);
      if (key.second < subject_.since) sums.open_before = count;
    }
  }

  void take_limits() {
    for (const limit_row& row : seen_.limits) {
      if (!within(row.at, subject_)) continue;
      writer& sums = of(row.client).sums;
      sums.delayed += row.delayed;
      sums.rejected += row.rejected;
      sums.observed += row.observed;
    }
  }

  std::vector<gathered> finished() {
    double quiet_seconds = 0;
    for (const window& each : quiet_) quiet_seconds += seconds_of(each);
    std::vector<gathered> made;
    for (auto& [id, one] : all_) {
      writer& sums = one.sums;
      if (sums.commands == 0 && sums.opened == 0 && sums.delayed + sums.rejected + sums.observed == 0) continue;
      sums.name = seen_.names.clients[id];
      const double during = std::max(0.001, seconds_of(subject_));
      sums.during = {.commands = static_cast<double>(sums.commands) / during,
                     .elements = static_cast<double>(sums.elements) / during,
                     .bytes = static_cast<double>(sums.bytes) / during};
      if (quiet_seconds > 0) {
        sums.before = {.commands = static_cast<double>(one.commands_before) / quiet_seconds,
                       .elements = static_cast<double>(one.elements_before) / quiet_seconds,
                       .bytes = static_cast<double>(one.bytes_before) / quiet_seconds};
      }
      sums.by_command = ranked(one.commands, seen_.names.commands, sums.bytes);
      sums.by_pattern = ranked(one.patterns, seen_.names.patterns, sums.bytes);
      for (auto& [source, each] : one.sources) {
        each.address = seen_.names.sources[source];
        sums.sources.push_back(each);
      }
      std::ranges::sort(sums.sources, [](const source_of& a, const source_of& b) {
        return a.bytes != b.bytes ? a.bytes > b.bytes : a.address < b.address;
      });
      made.push_back(std::move(one));
    }
    return made;
  }

 private:
  gathered& of(std::uint32_t client) { return all_[client]; }

  const observation& seen_;
  const window& subject_;
  const std::vector<window>& quiet_;
  std::unordered_map<std::uint32_t, gathered> all_;
};

void take_shares(std::vector<writer>& writers, const std::vector<std::pair<std::string, double>>& distinct_keys) {
  double commands = 0, elements = 0, bytes = 0, keys = 0;
  for (const writer& each : writers) {
    commands += static_cast<double>(each.commands);
    elements += static_cast<double>(each.elements);
    bytes += static_cast<double>(each.bytes);
  }
  for (const auto& [name, count] : distinct_keys) keys += count;
  for (writer& each : writers) {
    each.commands_share = part(static_cast<double>(each.commands), commands);
    each.elements_share = part(static_cast<double>(each.elements), elements);
    each.bytes_share = part(static_cast<double>(each.bytes), bytes);
    const auto found = std::ranges::find(distinct_keys, each.name, &std::pair<std::string, double>::first);
    if (found == distinct_keys.end()) continue;
    each.distinct_keys = found->second;
    each.keys_share = part(found->second, keys);
  }
}

// What a client wrote above its own ordinary, as a share of everybody's, by bytes or commands, whichever is more.
std::vector<std::pair<double, writer>> by_guilt(std::vector<writer> writers, double seconds) {
  double bytes = 0, commands = 0;
  const auto above = [&](double during, double before) { return std::max(0.0, (during - before) * seconds); };
  for (const writer& each : writers) {
    bytes += above(each.during.bytes, each.before.bytes);
    commands += above(each.during.commands, each.before.commands);
  }
  std::vector<std::pair<double, writer>> made;
  for (writer& each : writers) {
    const double by_bytes = part(above(each.during.bytes, each.before.bytes), bytes);
    const double by_commands = part(above(each.during.commands, each.before.commands), commands);
    made.emplace_back(std::max(by_bytes, by_commands), std::move(each));
  }
  std::ranges::sort(made, [](const auto& a, const auto& b) {
    if (a.first != b.first) return a.first > b.first;
    return a.second.bytes != b.second.bytes ? a.second.bytes > b.second.bytes : a.second.name < b.second.name;
  });
  return made;
}

}  // namespace

void take_writers(const observation& seen, const window& subject, const std::vector<window>& quiet,
                  const std::vector<std::pair<std::string, double>>& distinct_keys,
                  const std::function<std::string(const std::string&)>& owner_of, incident& into) {
  gathering all(seen, subject, quiet);
  all.take_writes();
  all.take_connections();
  all.take_limits();
  std::vector<writer> writers;
  for (gathered& each : all.finished()) writers.push_back(std::move(each.sums));
  take_shares(writers, distinct_keys);
  for (const writer& each : writers) {
    for (std::size_t ttl_class = 0; ttl_class < attribution::ttl_classes; ++ttl_class) {
      into.ttl.writes[ttl_class] += each.ttl.writes[ttl_class];
      into.ttl.bytes[ttl_class] += each.ttl.bytes[ttl_class];
    }
  }
  if (into.burst) {
    for (auto& [guilt, each] : by_guilt(std::move(writers), seconds_of(subject))) {
      if (into.culprits < culprits_max && (into.culprits == 0 || guilt >= culprit_share)) ++into.culprits;
      into.writers.push_back(std::move(each));
    }
  } else {
    into.writers = std::move(writers);
    std::ranges::sort(into.writers, [](const writer& a, const writer& b) {
      return a.bytes != b.bytes ? a.bytes > b.bytes : a.name < b.name;
    });
  }
  if (into.writers.size() > writers_listed) {
    into.writers_left_out = into.writers.size() - writers_listed;
    into.writers.resize(writers_listed);
  }
  if (owner_of) {
    for (writer& each : into.writers) each.owner = owner_of(each.name);
  }
}

}  // namespace tidegate::report
