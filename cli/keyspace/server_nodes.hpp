// The servers that hold a keyspace: the one that was named, or, where that says it runs in cluster mode, every master.
//
// A SCAN walks the keys of one node, and a node refuses commands on keys of another one's slots: so a cluster is walked
// node by node, each key asked for where SCAN found it.
//
// Thread safety: none. Ownership: values. Invariants: (1) masters come in the order of their first slot, so that two
// runs take them in the same order; (2) `slots` is the same text exactly while every slot lies where it lay. Cost: a
// connection and two round trips.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "cli/keyspace/server_link.hpp"
#include "proxy/net/control_reply.hpp"

namespace tidegate::cli {

struct server_nodes {
  std::vector<server_target> all;
  std::string slots = {};  // which slots lie where; empty = no cluster
  [[nodiscard]] bool is_cluster() const noexcept { return !slots.empty(); }
};

// The error says why the server cannot be walked as a whole.
[[nodiscard]] std::expected<server_nodes, std::string> find_nodes(const server_target& target,
                                                                  const std::string& client_name);

// CLUSTER SLOTS' answer, asked of `target`.
[[nodiscard]] std::expected<server_nodes, std::string> read_slots(const net::reply& answer,
                                                                  const server_target& target);

// What is to be said where slots moved while their keys were walked.
inline constexpr const char* slots_moved_text =
    "slots moved from node to node while their keys were walked, so some keys may have been passed over: run it again";

}  // namespace tidegate::cli
