// Rows: lists, sets, sorted sets, hashes, streams.
//
// Facts from the command documents of Redis 7.0 (src/commands/*.json); what later versions and Valkey added stands at
// the end of its group.
// Thread safety: constant.
#pragma once

#include "resp/command_rows.hpp"

namespace tidegate::resp::rows {

inline constexpr command_spec list_rows[] = {
    grow("blmove", 6, keeps, range{1, 2}, takes_to, blocks),
    shrink("blmpop", -5, counted(2), blocks),
    shrink("blpop", -3, range{1, -2}, blocks),
    shrink("brpop", -3, range{1, -2}, blocks),
    grow("brpoplpush", 4, keeps, range{1, 2}, takes_to, blocks),
    read("lindex", 3),
    grow("linsert", 5, keeps),
    read("llen", 2),
    grow("lmove", 5, keeps, range{1, 2}, takes_to),
    shrink("lmpop", -4, counted(1)),
    shrink("lpop", -2),
    read("lpos", -3),
    grow("lpush", -3, keeps, members(2)),
    grow("lpushx", -3, keeps, members(2)),
    read("lrange", 4),
    shrink("lrem", 4),
    grow("lset", 4, keeps),
    shrink("ltrim", 4),
    shrink("rpop", -2),
    grow("rpoplpush", 3, keeps, range{1, 2}, takes_to),
    grow("rpush", -3, keeps, members(2)),
    grow("rpushx", -3, keeps, members(2)),
};

inline constexpr command_spec set_rows[] = {
    grow("sadd", -3, keeps, members(2)),
    read("scard", 2),
    read("sdiff", -2, range{1, -1}),
    grow("sdiffstore", -3, clears, range{1, -1}, stores),
    read("sinter", -2, range{1, -1}),
    read("sintercard", -3, counted(1)),
    grow("sinterstore", -3, clears, range{1, -1}, stores),
    read("sismember", 3),
    read("smembers", 2),
    read("smismember", -3),
    shrink("smove", 4, range{1, 2}, takes_to, keeps),
    shrink("spop", -2),
    read("srandmember", -2),
    shrink("srem", -3),
    read("sscan", -3),
    read("sunion", -2, range{1, -1}),
    grow("sunionstore", -3, clears, range{1, -1}, stores),
};

inline constexpr command_spec sorted_set_rows[] = {
    shrink("bzmpop", -5, counted(2), blocks),
    shrink("bzpopmax", -3, range{1, -2}, blocks),
    shrink("bzpopmin", -3, range{1, -2}, blocks),
    grow("zadd", -4, keeps, elements{element_count::zadd, 2}),
    read("zcard", 2),
    read("zcount", 4),
    read("zdiff", -3, counted(1)),
    grow("zdiffstore", -4, clears, layout{key_layout::numkeys_store, 2}, stores),
    grow("zincrby", 4, keeps),
    read("zinter", -3, counted(1)),
    read("zintercard", -3, counted(1)),
    grow("zinterstore", -4, clears, layout{key_layout::numkeys_store, 2}, stores),
    read("zlexcount", 4),
    shrink("zmpop", -4, counted(1)),
    read("zmscore", -3),
    shrink("zpopmax", -2),
    shrink("zpopmin", -2),
    read("zrandmember", -2),
    read("zrange", -4),
    read("zrangebylex", -4),
    read("zrangebyscore", -4),
    grow("zrangestore", -5, clears, range{1, 2}, stores),
    read("zrank", 3),
    shrink("zrem", -3),
    shrink("zremrangebylex", 4),
    shrink("zremrangebyrank", 4),
    shrink("zremrangebyscore", 4),
    read("zrevrange", -4),
    read("zrevrangebylex", -4),
    read("zrevrangebyscore", -4),
    read("zrevrank", 3),
    read("zscan", -3),
    read("zscore", 3),
    read("zunion", -3, counted(1)),
    grow("zunionstore", -4, clears, layout{key_layout::numkeys_store, 2}, stores),
};

inline constexpr command_spec hash_rows[] = {
    shrink("hdel", -3),
    read("hexists", 3),
    read("hget", 3),
    read("hgetall", 2),
    grow("hincrby", 4, keeps),
    grow("hincrbyfloat", 4, keeps),
    read("hkeys", 2),
    read("hlen", 2),
    read("hmget", -3),
    grow("hmset", -4, keeps, pairs(2)),
    read("hrandfield", -2),
    read("hscan", -3),
    grow("hset", -4, keeps, pairs(2)),
    grow("hsetnx", 4, keeps),
    read("hstrlen", 3),
    read("hvals", 2),
    // Redis 7.4, Valkey 9.0: they set the TTL of a field, the key's stays.
    grow("hexpire", -6, keeps),
    grow("hexpireat", -6, keeps),
    grow("hpexpire", -6, keeps),
    grow("hpexpireat", -6, keeps),
    shrink("hpersist", -5, writes, keeps),
    read("hexpiretime", -5),
    read("hpexpiretime", -5),
    read("httl", -5),
    read("hpttl", -5),
    // Redis 8.0, Valkey 9.0
    shrink("hgetdel", -5),
    shrink("hgetex", -5, writes, keeps),
    grow("hsetex", -6, keeps),
};

inline constexpr command_spec stream_rows[] = {
    shrink("xack", -4),
    grow("xadd", -5, keeps),
    // They move entries between consumers: no key comes or goes, the pending list may grow.
    shrink("xautoclaim", -6, writes, keeps),
    shrink("xclaim", -6, writes, keeps),
    shrink("xdel", -3),
    family(command_class::free, "xgroup", -2),
    grow("xgroup|create", -5, keeps, range{2}),
    grow("xgroup|createconsumer", 5, keeps, range{2}),
    shrink("xgroup|delconsumer", 5, range{2}),
    shrink("xgroup|destroy", 4, range{2}),
    on(command_class::read, "xgroup|help", 2),
    shrink("xgroup|setid", -5, range{2}, writes, keeps),
    family(command_class::read, "xinfo", -2),
    read("xinfo|consumers", 4, range{2}),
    read("xinfo|groups", 3, range{2}),
    read("xinfo|help", 2, no_keys),
    read("xinfo|stream", -3, range{2}),
    read("xlen", 2),
    read("xpending", -3),
    read("xrange", -4),
    read("xread", -4, layout{key_layout::streams, 1}, flag::block_option),
    // Redis flags it `write`, so it is booked; of the keys it only takes entries that stay in the stream.
    shrink("xreadgroup", -7, layout{key_layout::streams, 1}, looks, flag::block_option),
    read("xrevrange", -4),
    grow("xsetid", -3, keeps),
    shrink("xtrim", -4),
    // Redis 8.2
    shrink("xackdel", -6),
    shrink("xdelex", -5),
};

}  // namespace tidegate::resp::rows
