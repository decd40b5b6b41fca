#include "cli/keyspace/server_nodes.hpp"

#include <algorithm>

#include "cli/keyspace/server_facts.hpp"

namespace tidegate::cli {
namespace {

constexpr std::int64_t slots_all = 16'384;
constexpr std::size_t nodes_max = 1'000;  // what Redis recommends at most

std::unexpected<std::string> wrong(const server_target& target, const std::string& why) {
  return std::unexpected(target.name + ": " + why);
}

// One range of slots and its master: [first, last, [host, port, …], replicas …].
struct slot_range {
  std::int64_t first = 0, last = 0, port = 0;
  std::string host;
};

std::optional<slot_range> read_range(const net::reply& row, const server_target& target) {
  using kind = net::reply::kind;
  if (row.items.size() < 3 || row.items[2].items.size() < 2) return std::nullopt;
  const net::reply& node = row.items[2];
  if (row.items[0].what != kind::integer || row.items[1].what != kind::integer || node.items[1].what != kind::integer) {
    return std::nullopt;
  }
  slot_range made{.first = row.items[0].integer,
                  .last = row.items[1].integer,
                  .port = node.items[1].integer,
                  .host = node.items[0].text};
  // Nil and "" stand for the host that was asked, "?" for one that is not known.
  if (made.host.empty()) made.host = target.where.host;
  const bool sound = made.first >= 0 && made.first <= made.last && made.last < slots_all && made.port > 0 &&
                     made.port <= 65'535 && made.host != "?";
  return sound ? std::optional(std::move(made)) : std::nullopt;
}

server_target master_of(const slot_range& range, const server_target& seed) {
  server_target node = seed;
  node.where.host = range.host;
  node.where.port = static_cast<std::uint16_t>(range.port);
  node.name = range.host + ":" + std::to_string(range.port) + "/" + std::to_string(seed.db);
  node.cluster_node = true;
  return node;
}

}  // namespace

std::expected<server_nodes, std::string> read_slots(const net::reply& answer, const server_target& target) {
  if (answer.is_error()) {
    return wrong(target, "it runs in cluster mode and does not say where its slots lie: " + answer.text.substr(0, 200) +
                             " (the user needs +cluster|slots)");
  }
  std::vector<slot_range> ranges;
  for (const net::reply& row : answer.items) {
    auto range = read_range(row, target);
    if (!range) return wrong(target, "CLUSTER SLOTS' answer is not understood");
    ranges.push_back(std::move(*range));
  }
  std::ranges::sort(ranges, {}, &slot_range::first);
  server_nodes made;
  std::int64_t covered = 0;
  for (const slot_range& range : ranges) {
    covered += range.last - range.first + 1;
    server_target node = master_of(range, target);
    made.slots += std::to_string(range.first) + "-" + std::to_string(range.last) + " " + node.name + "\n";
    const bool known = std::ranges::any_of(made.all, [&](const server_target& one) { return one.name == node.name; });
    if (!known) made.all.push_back(std::move(node));
  }
  if (covered != slots_all) {
    return wrong(target, "it runs in cluster mode and " + std::to_string(slots_all - covered) +
                             " of its 16,384 slots lie nowhere: mend the cluster first (redis-cli --cluster check)");
  }
  if (made.all.size() > nodes_max) return wrong(target, "a cluster of more than 1,000 masters");
  return made;
}

std::expected<server_nodes, std::string> find_nodes(const server_target& target, const std::string& client_name) {
  auto link = server_link::open(target, client_name);
  if (!link) return std::unexpected(link.error());
  net::question asked;
  asked.add("info", {"INFO", "cluster"});
  const net::answers info = link->ask(asked);
  if (!info) return wrong(target, info.error());
  if (info->front().is_error() || !read_facts(info->front().text).cluster) return server_nodes{.all = {target}};
  if (target.through_proxy) {
    return wrong(target,
                 "behind the proxy is a server in cluster mode, of which one node alone can be reached there: "
                 "name any node with --url");
  }
  net::question slots;
  slots.add("cluster|slots", {"CLUSTER", "SLOTS"});
  const net::answers got = link->ask(slots);
  if (!got) return wrong(target, got.error());
  return read_slots(got->front(), target);
}

}  // namespace tidegate::cli
