// Rows: strings, bitmaps, HyperLogLog, geo, and commands on keys of any type.
//
// Facts from the command documents of Redis 7.0 (src/commands/*.json); what later versions and Valkey added stands at
// the end of its group and is never trusted with more than it needs.
// Thread safety: constant.
#pragma once

#include "resp/command_rows.hpp"

namespace tidegate::resp::rows {

inline constexpr command_spec string_rows[] = {
    grow("append", 3, keeps),
    grow("decr", 2, keeps),
    grow("decrby", 3, keeps),
    read("get", 2),
    shrink("getdel", 2),
    shrink("getex", -2, writes, ttl_effect::getex),
    read("getrange", 4),
    grow("getset", 3, clears),
    grow("incr", 2, keeps),
    grow("incrby", 3, keeps),
    grow("incrbyfloat", 3, keeps),
    read("lcs", -3, range{1, 2}),
    read("mget", -2, range{1, -1}),
    grow("mset", -3, clears, range{1, -1, 2}, its_keys),
    grow("msetnx", -3, clears, range{1, -1, 2}, its_keys),
    grow("psetex", 4, ttl_effect::psetex),
    grow("set", -3, ttl_effect::set),
    grow("setex", 4, ttl_effect::setex),
    grow("setnx", 3, clears),
    grow("setrange", 4, keeps),
    read("strlen", 2),
    read("substr", 4),
    // Redis 8.4, Valkey 9.0
    shrink("delex", -2),
    shrink("delifeq", 3),
    read("digest", 2),
    // Without an expiry option it clears; with one, a follow-up `EXPIRE … NX` finds a TTL and does nothing.
    grow("msetex", -4, clears, counted(1, 2), its_keys),
};

inline constexpr command_spec bit_rows[] = {
    read("bitcount", -2),
    grow("bitfield", -2, keeps),
    read("bitfield_ro", -2),
    grow("bitop", -4, clears, range{2, -1}, stores),
    read("bitpos", -3),
    read("getbit", 3),
    grow("setbit", 4, keeps),
    grow("pfadd", -2, keeps, members(2)),
    read("pfcount", -2, range{1, -1}),
    // The destination takes part in the merge and keeps its TTL (pfmergeCommand in hyperloglog.c).
    grow("pfmerge", -2, keeps, range{1, -1}, stores),
    grow("pfdebug", 3, keeps, range{2}, command_class::admin, dedicate::admin),
    on(command_class::admin, "pfselftest", 1, dedicate::admin),
};

inline constexpr command_spec geo_rows[] = {
    grow("geoadd", -5, keeps, elements{element_count::geoadd, 2}),
    read("geodist", -4),
    read("geohash", -2),
    read("geopos", -2),
    // `first` of the layout is where the options begin.
    grow("georadius", -6, clears, layout{key_layout::georadius, 6}, copies_to),
    read("georadius_ro", -6),
    grow("georadiusbymember", -5, clears, layout{key_layout::georadius, 5}, copies_to),
    read("georadiusbymember_ro", -5),
    read("geosearch", -7),
    grow("geosearchstore", -8, clears, range{1, 2}, stores),
};

inline constexpr command_spec key_rows[] = {
    grow("copy", -3, moves, range{1, 2}, copies_to, special::copy),
    shrink("del", -2, range{1, -1}, its_keys),
    read("dump", 2),
    read("exists", -2, range{1, -1}),
    shrink("expire", -3, writes, ttl_effect::expire),
    shrink("expireat", -3, writes, ttl_effect::expireat),
    read("expiretime", 2),
    read("keys", 2, no_keys),
    shrink("migrate", -6, layout{key_layout::migrate, 3}, command_class::admin, dedicate::admin),
    // The key itself is the destination, in another database: it is written there, and its follow-up goes there.
    shrink("move", 3, writes, moves, dedicate::other_db, special::move),
    family(command_class::read, "object", -2),
    read("object|encoding", 3, range{2}),
    read("object|freq", 3, range{2}),
    read("object|help", 2, no_keys),
    read("object|idletime", 3, range{2}),
    read("object|refcount", 3, range{2}),
    shrink("persist", 2, writes, ttl_effect::persist),
    shrink("pexpire", -3, writes, ttl_effect::pexpire),
    shrink("pexpireat", -3, writes, ttl_effect::pexpireat),
    read("pexpiretime", 2),
    read("pttl", 2),
    read("randomkey", 1, no_keys),
    shrink("rename", 3, range{1, 2}, takes_to, moves),
    shrink("renamenx", 3, range{1, 2}, takes_to, moves),
    grow("restore", -4, ttl_effect::restore),
    // A cluster's importing node only: it is ASKING and RESTORE in one.
    grow("restore-asking", -4, ttl_effect::restore, dedicate::admin),
    read("scan", -2, no_keys),
    grow("sort", -2, clears, layout{key_layout::sort, 1}, copies_to),
    read("sort_ro", -2),
    read("touch", -2, range{1, -1}),
    read("ttl", 2),
    read("type", 2),
    shrink("unlink", -2, range{1, -1}, its_keys),
};

}  // namespace tidegate::resp::rows
