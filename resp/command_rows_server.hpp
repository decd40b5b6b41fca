// Rows: connection, publish/subscribe, transactions, scripts, cluster, server.
//
// Facts from the command documents of Redis 7.0 (src/commands/*.json); what later versions and Valkey added stands at
// the end of its group.
// Thread safety: constant.
#pragma once

#include "resp/command_rows.hpp"

namespace tidegate::resp::rows {

template <class... Differences>
constexpr command_spec link(std::string_view name, std::int16_t arity, Differences... differences) {
  return on(command_class::connection, name, arity, differences...);
}
template <class... Differences>
constexpr command_spec admin(std::string_view name, std::int16_t arity, Differences... differences) {
  return on(command_class::admin, name, arity, differences...);
}
// Says something of, or changes something on, the very connection that it comes in on.
constexpr command_spec client(std::string_view name, std::int16_t arity, special kind = special::client_info_other) {
  return link(name, arity, dedicate::client, kind);
}

inline constexpr command_spec connection_rows[] = {
    link("asking", 1, dedicate::client),
    link("auth", -2, dedicate::exchange, special::auth, flag::no_auth),
    family(command_class::connection, "client", -2, special::client_info_other),
    client("client|caching", 3, special::client_caching),
    link("client|getname", 2, special::client_getname),
    client("client|getredir", 2),
    client("client|help", 2),
    client("client|id", 2, special::client_id),
    client("client|info", 2),
    client("client|kill", -3, special::client_kill),
    client("client|list", -2),
    client("client|no-evict", 3, special::client_no_evict),
    client("client|pause", -3, special::client_pause),
    client("client|reply", 3, special::client_reply),
    link("client|setname", 3, special::client_setname),
    client("client|tracking", -3, special::client_tracking),
    client("client|trackinginfo", 2),
    client("client|unblock", -3),
    client("client|unpause", 2),
    client("client|capa", -3),                           // Valkey 8.0
    client("client|import-source", 3),                   // Valkey 8.1
    client("client|no-touch", 3),                        // Redis 7.2
    link("client|setinfo", 4, special::client_setinfo),  // Redis 7.2
    link("echo", 2),
    link("hello", -1, dedicate::exchange, special::hello, flag::no_auth),
    link("ping", -1, special::ping),
    link("quit", -1, special::quit, flag::no_auth),
    link("readonly", 1, dedicate::client),
    link("readwrite", 1, dedicate::client),
    link("reset", 1, dedicate::exchange, special::reset, flag::no_auth),
    link("select", 2, dedicate::exchange, special::select),
    link("wait", 3, dedicate::wait, special::wait),
    link("waitaof", 4, dedicate::wait, special::wait),  // Redis 7.2
};

inline constexpr command_spec pubsub_rows[] = {
    link("psubscribe", -2, dedicate::subscribe, special::subscribe),
    link("publish", 3),
    family(command_class::connection, "pubsub", -2),
    link("pubsub|channels", -2),
    link("pubsub|help", 2),
    link("pubsub|numpat", 2),
    link("pubsub|numsub", -2),
    link("pubsub|shardchannels", -2),
    link("pubsub|shardnumsub", -2),
    link("punsubscribe", -1, dedicate::subscribe, special::unsubscribe),
    // COMMAND gives shard channels as keys, because they have a slot; COMMAND GETKEYS and the keyspace know no such
    // key.
    link("spublish", 3),
    link("ssubscribe", -2, dedicate::subscribe, special::subscribe),
    link("subscribe", -2, dedicate::subscribe, special::subscribe),
    link("sunsubscribe", -1, dedicate::subscribe, special::unsubscribe),
    link("unsubscribe", -1, dedicate::subscribe, special::unsubscribe),
};

inline constexpr command_spec transaction_rows[] = {
    link("discard", 1, dedicate::transaction, special::discard),
    link("exec", 1, dedicate::transaction, special::exec),
    link("multi", 1, dedicate::transaction, special::multi),
    link("unwatch", 1, dedicate::transaction, special::unwatch),
    link("watch", -2, dedicate::transaction, special::watch, range{1, -1}, looks),
};

template <class... Differences>
constexpr command_spec script(std::string_view name, Differences... differences) {
  return on(command_class::script, name, -3, dedicate::script, counted(2), differences...);
}

inline constexpr command_spec script_rows[] = {
    script("eval", writes, flag::may_write), script("eval_ro", looks), script("evalsha", writes, flag::may_write),
    script("evalsha_ro", looks), script("fcall", writes, flag::may_write), script("fcall_ro", looks),
    family(command_class::admin, "function", -2), admin("function|delete", 3, flag::write), admin("function|dump", 2),
    admin("function|flush", -2, flag::write), admin("function|help", 2),
    // Answered while a script holds the server: on a lane it would wait behind commands that are not.
    admin("function|kill", 2, dedicate::script), admin("function|list", -2),
    admin("function|load", -3, flag::write, flag::denyoom), admin("function|restore", -3, flag::write, flag::denyoom),
    admin("function|stats", 2, dedicate::script), family(command_class::admin, "script", -2),
    admin("script|debug", 3, dedicate::client),  // turns the connection's own EVALs into debugged ones
    admin("script|exists", -3), admin("script|flush", -2), admin("script|help", 2),
    admin("script|kill", 2, dedicate::script), admin("script|load", 3), admin("script|show", 3),  // Valkey 8.0
};

constexpr command_spec cluster(std::string_view name, std::int16_t arity) {
  return admin(name, arity, dedicate::admin);
}

inline constexpr command_spec cluster_rows[] = {
    family(command_class::admin, "cluster", -2),
    cluster("cluster|addslots", -3),
    cluster("cluster|addslotsrange", -4),
    cluster("cluster|bumpepoch", 2),
    cluster("cluster|count-failure-reports", 3),
    cluster("cluster|countkeysinslot", 3),
    cluster("cluster|delslots", -3),
    cluster("cluster|delslotsrange", -4),
    cluster("cluster|failover", -2),
    cluster("cluster|flushslots", 2),
    cluster("cluster|forget", 3),
    cluster("cluster|getkeysinslot", 4),
    cluster("cluster|help", 2),
    cluster("cluster|info", 2),
    cluster("cluster|keyslot", 3),
    cluster("cluster|links", 2),
    cluster("cluster|meet", -4),
    cluster("cluster|myid", 2),
    cluster("cluster|nodes", 2),
    cluster("cluster|replicas", 3),
    cluster("cluster|replicate", 3),
    cluster("cluster|reset", -2),
    cluster("cluster|saveconfig", 2),
    cluster("cluster|set-config-epoch", 3),
    cluster("cluster|setslot", -4),
    cluster("cluster|shards", 2),
    cluster("cluster|slaves", 3),
    cluster("cluster|slots", 2),
    cluster("cluster|myshardid", 2),    // Redis 7.2
    cluster("cluster|slot-stats", -4),  // Redis 8.2, Valkey 8.0
};

// Servers answer these at once and forget who asked.
inline constexpr command_spec server_rows[] = {
    family(command_class::admin, "acl", -2),
    admin("acl|cat", -2),
    admin("acl|deluser", -3),
    admin("acl|dryrun", -4),
    admin("acl|genpass", -2),
    admin("acl|getuser", 3),
    admin("acl|help", 2),
    admin("acl|list", 2),
    admin("acl|load", 2),
    admin("acl|log", -2),
    admin("acl|save", 2),
    admin("acl|setuser", -3),
    admin("acl|users", 2),
    admin("acl|whoami", 2),  // a lane belongs to one user, so its answer is the session's
    // The bare COMMAND is itself a command.
    family(command_class::admin, "command", -1, dedicate::none),
    admin("command|count", 2),
    admin("command|docs", -2),
    admin("command|getkeys", -4),
    admin("command|getkeysandflags", -4),
    admin("command|help", 2),
    admin("command|info", -2),
    admin("command|list", -2),
    family(command_class::admin, "commandlog", -2),  // Valkey 8.1, its successor of SLOWLOG
    admin("commandlog|get", 4),
    admin("commandlog|help", 2),
    admin("commandlog|len", 3),
    admin("commandlog|reset", 3),
    family(command_class::admin, "config", -2),
    admin("config|get", -3),
    admin("config|help", 2),
    admin("config|resetstat", 2),
    admin("config|rewrite", 2),
    admin("config|set", -4),
    on(command_class::read, "dbsize", 1),
    shrink("flushall", -1, no_keys),
    shrink("flushdb", -1, no_keys),
    admin("info", -1),
    admin("lastsave", 1),
    family(command_class::admin, "latency", -2),
    admin("latency|doctor", 2),
    admin("latency|graph", 3),
    admin("latency|help", 2),
    admin("latency|histogram", -2),
    admin("latency|history", 3),
    admin("latency|latest", 2),
    admin("latency|reset", -2),
    on(command_class::read, "lolwut", -1),
    family(command_class::admin, "memory", -2),
    admin("memory|doctor", 2),
    admin("memory|help", 2),
    admin("memory|malloc-stats", 2),
    admin("memory|purge", 2),
    admin("memory|stats", 2),
    read("memory|usage", -3, range{2}),
    admin("role", 1),
    family(command_class::admin, "slowlog", -2),
    admin("slowlog|get", -2),
    admin("slowlog|help", 2),
    admin("slowlog|len", 2),
    admin("slowlog|reset", 2),
    shrink("swapdb", 3, no_keys, special::swapdb),
    admin("time", 1),
};

// Servers stop, copy themselves or change their role for these, or the connection becomes something else.
inline constexpr command_spec operator_rows[] = {
    admin("bgrewriteaof", 1, dedicate::admin),
    admin("bgsave", -1, dedicate::admin),
    admin("debug", -2, dedicate::admin),
    admin("failover", -1, dedicate::admin),
    family(command_class::admin, "module", -2),
    admin("module|help", 2, dedicate::admin),
    admin("module|list", 2, dedicate::admin),
    admin("module|load", -3, dedicate::admin),
    admin("module|loadex", -3, dedicate::admin),
    admin("module|unload", 3, dedicate::admin),
    admin("monitor", 1, dedicate::monitor, special::monitor),
    admin("psync", -3, dedicate::admin, flag::no_multi),
    admin("replconf", -1, dedicate::admin),
    admin("replicaof", 3, dedicate::admin),
    admin("save", 1, dedicate::admin, flag::no_multi),
    admin("shutdown", -1, dedicate::admin, flag::no_multi),
    admin("slaveof", 3, dedicate::admin),
    admin("sync", 1, dedicate::admin, flag::no_multi),
};

}  // namespace tidegate::resp::rows
