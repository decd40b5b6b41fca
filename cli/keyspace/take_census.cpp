#include "cli/keyspace/take_census.hpp"

#include <array>
#include <iostream>

#include "cli/keyspace/server_nodes.hpp"
#include "evidence/keyspace/mending.hpp"
#include "evidence/keyspace/seen_keys.hpp"
#include "evidence/keyspace/wording.hpp"

namespace tidegate::cli {
namespace {

constexpr const char* audit_client_name = "tidegate-ttl-audit";

// The four of the runbook that the product was born from: looked for also without a configuration.
constexpr std::array well_known{"contact:userGroupLabel:set:*", "MARKETING:COUPON:UNREAD:*", "contact:last:activity:*",
                                "exchange:coupon:high:commodity:price:*"};

std::vector<std::string> all_named(const server_target& target, std::vector<std::string> named) {
  if (target.config) {
    for (const config::ttl_rule& rule : target.config->ttl) named.push_back(rule.pattern);
    const std::vector<std::string>& more = target.config->attribution.patterns;
    named.insert(named.end(), more.begin(), more.end());
  }
  named.insert(named.end(), well_known.begin(), well_known.end());
  return named;
}

void measure_batch(const net::answers& got, const std::vector<const walked_key*>& keys, std::size_t begin,
                   std::size_t end, bool frequency, keyspace::census& into) {
  for (std::size_t i = begin; i < end; ++i) {
    const net::reply& bytes = (*got)[(i - begin) * 2];
    const net::reply& use = (*got)[(i - begin) * 2 + 1];
    keyspace::key_measure seen;
    if (bytes.what == net::reply::kind::integer) seen.bytes = static_cast<std::uint64_t>(bytes.integer);
    if (use.what == net::reply::kind::integer && use.integer >= 0) {
      (frequency ? seen.frequency : seen.idle_seconds) = static_cast<std::uint64_t>(use.integer);
    }
    into.measure(keys[i]->name, keys[i]->ttl_ms, seen);
  }
}

// A keyspace on several servers has the sum of their memory.
void add_facts(const server_facts& of, server_facts& into) {
  if (into.run_id.empty()) {
    into = of;
    return;
  }
  into.memory_used += of.memory_used;
  into.memory_max += of.memory_max;
  into.evicted_keys += of.evicted_keys;
}

walk_end count_node(walk& by, keyspace::seen_keys& seen, counted_keyspace& into) {
  walk::callbacks call;
  call.wanted = [](const std::string&) { return true; };
  // Told apart here, not in `wanted`: a page that fails in between is asked for again.
  call.visit = [&](const std::vector<walked_key>& keys) {
    std::vector<walked_key> fresh;
    for (const walked_key& key : keys) {
      if (!seen.insert(keyspace::key_hash(key.name))) {
        ++into.repeated;
        continue;
      }
      if (key.ttl_ms < 0) ++into.without_ttl;
      fresh.push_back(key);
    }
    count_keys(by, fresh, into.keys);
    return std::string();
  };
  call.done = [](std::uint64_t) {};
  call.restarted = [] {};  // what was counted is known by its hash
  call.more = [&] { return ", " + keyspace::grouped(into.without_ttl) + " without TTL"; };
  return by.run(call);
}

}  // namespace

void count_keys(walk& by, const std::vector<walked_key>& keys, keyspace::census& into) {
  std::vector<const walked_key*> measured;
  for (const walked_key& key : keys) {
    if (into.wants_measure(key.name, key.ttl_ms, measured_one_in)) measured.push_back(&key);
    into.count(key.name, key.ttl_ms);
  }
  // Redis keeps either idle times or frequencies, by its eviction policy, and refuses the other.
  const bool frequency = by.facts().eviction_policy.ends_with("-lfu");
  const char* const wanted = frequency ? "FREQ" : "IDLETIME";
  for (std::size_t begin = 0; begin < measured.size(); begin += walk::batch_max / 2) {
    const std::size_t end = std::min(begin + walk::batch_max / 2, measured.size());
    net::question asked;
    for (std::size_t i = begin; i < end; ++i) {
      asked.add("memory|usage", {"MEMORY", "USAGE", measured[i]->name});
      asked.add("object", {"OBJECT", wanted, measured[i]->name});
    }
    const net::answers got = by.ask(asked);
    // A sample that is lost is a smaller sample; what was counted stays counted.
    if (got) measure_batch(got, measured, begin, end, frequency, into);
  }
}

std::expected<std::unique_ptr<counted_keyspace>, std::string> take_census(const server_target& target,
                                                                          std::vector<std::string> named, double rate,
                                                                          bool quiet, stop_request& stop) {
  auto nodes = find_nodes(target, audit_client_name);
  if (!nodes) return std::unexpected(nodes.error());
  const std::int64_t begin = steady_now();
  auto made = std::make_unique<counted_keyspace>(keyspace::census(all_named(target, std::move(named))));
  keyspace::seen_keys seen;
  for (const server_target& node : nodes->all) {
    if (nodes->is_cluster() && !quiet) std::cerr << "tidegate: a cluster; now " << node.name << '\n';
    auto by = walk::open(node, {.client_name = audit_client_name, .match = {}, .rate = rate, .quiet = quiet}, stop);
    if (!by) return std::unexpected(by.error());
    const walk_end end = count_node(**by, seen, *made);
    if (end == walk_end::failed) return std::unexpected(node.name + ": " + (*by)->failure());
    made->keys_in_db += (*by)->keys_in_db();
    add_facts((*by)->facts(), made->facts);
    if ((*by)->slots_moved()) return std::unexpected(target.name + ": " + slots_moved_text);
    made->whole = end == walk_end::finished;
    if (!made->whole) break;
  }
  if (nodes->is_cluster() && made->whole) {
    const auto after = find_nodes(target, audit_client_name);
    if (!after) return std::unexpected(after.error());
    if (after->slots != nodes->slots) return std::unexpected(target.name + ": " + slots_moved_text);
  }
  made->keys.fold();
  made->distinct_share = seen.distinct_share();
  made->seconds = static_cast<double>(steady_now() - begin) / 1e9;
  made->target = target.name;
  made->frequency_known = made->facts.eviction_policy.ends_with("-lfu");
  return made;
}

}  // namespace tidegate::cli
