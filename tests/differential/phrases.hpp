// What sessions say: commands as text, with places that the author fills in.
//
// A word that begins with `$` is a place: $s $n $b string, number and bit keys, $l list, $i set of whole numbers, $t
// set of words, $h hash, $z sorted set, $x stream, $p HyperLogLog, $o places on earth; $v any value, $w a word, $m one
// of few words, $j a small member number, $k a small whole number, $K a large one, $f a floating point number, $q a
// stream id that grows, $far a time to come, $d a db. A phrase that begins with `!` shows a TTL, and is left out where
// rules change TTLs. Left out altogether: what two servers answer differently by right (TIME, SPOP, the order of a hash
// table, TTL).
//
// Thread safety: constant. Ownership: none. Invariants: words are separated by one blank. Cost: none.
#pragma once

#include <string_view>

namespace tidegate::differential {

inline constexpr std::string_view data_phrases[] = {
    // strings
    "SET $s $v", "SET $s $v", "SET $s $v", "SET $s $v NX", "SET $s $v XX", "SET $s $v GET", "SET $s $v EXAT $far",
    "SET $s $v PXAT 4000000000000", "SET $s $v EX 100000", "SET $s $v PX 100000000 GET", "SET $s $v EX 0",
    "SET $s $v EX abc", "SET $s $v EX 1 PX 1", "SET $s $v NX XX", "SET $s", "SET $s $v BAD", "!SET $s $v KEEPTTL",
    "SETNX $s $v", "SETEX $s 100000 $v", "PSETEX $s 100000000 $v", "SETEX $s 0 $v", "SETEX $s abc $v", "GET $s",
    "GET $s", "GET $s", "GET $n", "GET $l", "GETSET $s $v", "GETDEL $s", "GETEX $s", "GETEX $s EXAT $far",
    "!GETEX $s PERSIST", "GETEX $s EX abc", "MSET $s $v $s $v $n $k", "MSETNX $s $v $s $v", "MSET $s", "MSET $s $v $s",
    "MGET $s $s $n $l", "MGET $s", "APPEND $s $w", "STRLEN $s", "GETRANGE $s $k $k", "SUBSTR $s $k $k",
    "SETRANGE $s $j $w", "SETRANGE $s -1 $w", "LCS $n $n", "LCS $n $n LEN", "SET $n $k", "INCR $n", "DECR $n",
    "INCRBY $n $k", "INCRBY $n $K", "DECRBY $n $K", "INCRBYFLOAT $n $f", "INCR $s", "INCR $l",
    // bits
    "SETBIT $b $j 1", "SETBIT $b $j 0", "SETBIT $b 4294967296 1", "GETBIT $b $j", "BITCOUNT $b", "BITCOUNT $b 0 -1 BIT",
    "BITPOS $b 1", "BITOP AND $b $b $b", "BITOP NOT $b $b", "BITOP NOT $b $b $b", "BITFIELD $b SET u8 $j $j GET i5 3",
    "BITFIELD $b OVERFLOW FAIL INCRBY u2 0 1", "BITFIELD_RO $b GET u8 0",
    // keys of any kind
    "DEL $s", "DEL $l $i", "DEL $h", "DEL $z $x", "UNLINK $s $n $t", "UNLINK $p $o", "EXISTS $s $s $l $h", "TYPE $s",
    "TYPE $z", "TOUCH $s $l", "RENAME $s $s", "RENAME $l $l", "RENAME $h $h", "RENAMENX $s $s", "RENAMENX $z $z",
    "COPY $s $s", "COPY $h $h REPLACE", "COPY $l $l DB $d REPLACE", "COPY $s $s DB $d", "MOVE $s $d", "MOVE $l $d",
    "!PERSIST $s", "!PERSIST $l", "!EXPIRE $s 100000 NX", "!EXPIREAT $s $far GT", "!EXPIREAT $h $far XX",
    "!EXPIREAT $l $far LT", "EXPIRE $s 100000", "PEXPIRE $l 100000000", "EXPIREAT $z $far", "PEXPIREAT $h $far",
    "EXPIRE $s -1", "EXPIRE $h abc", "EXPIRE $s 100000 GT LT", "TTL none", "PTTL none", "OBJECT ENCODING $s",
    "OBJECT ENCODING $l", "OBJECT ENCODING $h", "OBJECT REFCOUNT none", "DUMP $s", "DUMP $h", "DUMP $z", "DUMP none",
    "RESTORE $s 0 bad", "RESTORE $s -1 bad", "SORT $l ALPHA", "SORT $l ALPHA LIMIT 0 5 DESC", "SORT $i",
    "SORT $i STORE $l", "SORT_RO $i DESC", "SORT $l BY w_* GET # GET w_*",
    // lists
    "LPUSH $l $w $m", "RPUSH $l $m $w $m", "LPUSHX $l $w", "RPUSHX $l $w", "LPOP $l", "LPOP $l 3", "LPOP $l -1",
    "RPOP $l", "RPOP $l 0", "LLEN $l", "LRANGE $l $k $k", "LRANGE $l 0 -1", "LRANGE $l a b", "LINDEX $l $k",
    "LSET $l $k $w", "LINSERT $l BEFORE $m $w", "LINSERT $l AFTER $m $m", "LREM $l $k $m", "LTRIM $l 0 40",
    "LPOS $l $m", "LPOS $l $m RANK -1 COUNT 0", "LMOVE $l $l LEFT RIGHT", "RPOPLPUSH $l $l",
    "LMPOP 2 $l $l LEFT COUNT 2", "LMPOP x $l LEFT", "BLPOP $l $l 0.002", "BRPOP $l 0.002",
    "BLMOVE $l $l LEFT LEFT 0.002", "BRPOPLPUSH $l $l 0.002", "BLMPOP 0.002 1 $l LEFT", "BLPOP $l x", "BLPOP $l -1",
    "LPUSH $s $w", "LRANGE $h 0 -1",
    // sets
    "SADD $i $j $j $j", "SADD $i $j", "SREM $i $j $j", "SISMEMBER $i $j", "SMISMEMBER $i $j $j $j", "SMEMBERS $i",
    "SCARD $i", "SINTER $i $i", "SUNION $i $i $i", "SDIFF $i $i", "SINTERSTORE $i $i $i", "SUNIONSTORE $i $i $i",
    "SDIFFSTORE $i $i $i", "SMOVE $i $i $j", "SINTERCARD 2 $i $i", "SINTERCARD 2 $i $i LIMIT 3", "SINTERCARD 0 $i",
    "SADD $t $w $m", "SREM $t $m", "SISMEMBER $t $m", "SCARD $t", "SMISMEMBER $t $m $w", "SADD $s $j", "SINTER $i $l",
    // hashes
    "HSET $h $m $w", "HSET $h $m $w $m $w", "HSET $h $m", "HSETNX $h $m $w", "HMSET $h $m $w $m $w", "HGET $h $m",
    "HGET $h $m", "HMGET $h $m $m $m", "HGETALL $h", "HKEYS $h", "HVALS $h", "HLEN $h", "HDEL $h $m $m",
    "HEXISTS $h $m", "HINCRBY $h $m $k", "HINCRBYFLOAT $h $m $f", "HSTRLEN $h $m", "HSCAN $h 0", "HRANDFIELD none",
    "HSET $l $m $w",
    // sorted sets
    "ZADD $z $f $m", "ZADD $z $f $m $f $m", "ZADD $z NX $f $m", "ZADD $z XX CH $f $m", "ZADD $z GT CH $f $m",
    "ZADD $z INCR $f $m", "ZADD $z NX GT $f $m", "ZADD $z abc $m", "ZREM $z $m", "ZSCORE $z $m", "ZMSCORE $z $m $m",
    "ZINCRBY $z $f $m", "ZCARD $z", "ZCOUNT $z $f $f", "ZCOUNT $z -inf +inf", "ZRANGE $z 0 -1 WITHSCORES",
    "ZRANGE $z $k $k REV", "ZRANGE $z -inf +inf BYSCORE LIMIT 0 3", "ZRANGE $z - + BYLEX", "ZRANGEBYSCORE $z -inf $f",
    "ZREVRANGE $z 0 3 WITHSCORES", "ZRANK $z $m", "ZREVRANK $z $m", "ZPOPMIN $z", "ZPOPMAX $z 2",
    "ZUNIONSTORE $z 2 $z $z WEIGHTS 1 2 AGGREGATE MAX", "ZUNIONSTORE $z 2 $z $t", "ZINTERSTORE $z 2 $z $z",
    "ZINTER 2 $z $z WITHSCORES", "ZUNION 2 $z $z", "ZDIFF 2 $z $z WITHSCORES", "ZINTERCARD 2 $z $z",
    "ZDIFFSTORE $z 2 $z $z", "ZRANGESTORE $z $z 0 5", "ZLEXCOUNT $z - +", "ZREMRANGEBYRANK $z 0 0",
    "ZREMRANGEBYSCORE $z 5 6", "ZMPOP 1 $z MIN", "BZPOPMIN $z 0.002", "BZPOPMAX $z $z 0.002", "BZMPOP 0.002 1 $z MAX",
    "ZADD $h $f $m",
    // streams
    "XADD $x $q $m $w", "XADD $x $q $m $w $m $w", "XADD $x $k-1 $m $w", "XADD $x NOMKSTREAM $q $m $w", "XADD $x $q $m",
    "XADD $x MAXLEN 20 $q $m $w", "XLEN $x", "XRANGE $x - +", "XRANGE $x - + COUNT 2", "XREVRANGE $x + - COUNT 3",
    "XDEL $x $k-1", "XTRIM $x MAXLEN 10", "XREAD COUNT 2 STREAMS $x $x 0 0", "XREAD STREAMS $x $x 0",
    "XREAD BLOCK 2 STREAMS $x $", "XREAD COUNT 1 BLOCK 2 STREAMS $x 0", "XGROUP CREATE $x crew 0 MKSTREAM",
    "XGROUP CREATE $x crew $ ", "XGROUP DESTROY $x crew", "XGROUP CREATECONSUMER $x crew $m",
    "XREADGROUP GROUP crew $m COUNT 2 STREAMS $x >", "XREADGROUP GROUP crew $m BLOCK 2 STREAMS $x >",
    "XACK $x crew $k-1", "XPENDING $x crew", "XINFO GROUPS $x", "XSETID $x 1-1", "XAUTOCLAIM $x crew $m 0 0 JUSTID",
    // HyperLogLog and places
    "PFADD $p $w $m", "PFADD $p", "PFCOUNT $p $p", "PFCOUNT $p", "PFMERGE $p $p", "PFADD $s $w",
    "GEOADD $o 13.36 38.11 $m", "GEOADD $o 15.08 37.5 $m 2.35 48.85 $m", "GEOADD $o 200 0 $m", "GEOPOS $o $m $m",
    "GEODIST $o $m $m km", "GEOHASH $o $m", "GEOSEARCH $o FROMLONLAT 15 37 BYRADIUS 200 km ASC WITHDIST",
    "GEORADIUS $o 15 37 200 km ASC", "GEOSEARCHSTORE $o $o FROMLONLAT 15 37 BYRADIUS 900 km ASC",
    "GEORADIUSBYMEMBER $o $m 100 km ASC",
    // scripts: in one word each, as no word of theirs may hold a blank
    "EVAL return{KEYS[1],ARGV[1],redis.call('GET',KEYS[1])} 1 $s $w", "EVAL return(ARGV[1]) 0 $v",
    "EVAL return(redis.call('SET',KEYS[1],ARGV[1])) 1 $s $w", "EVAL return(redis.error_reply('MY'..ARGV[1])) 0 $m",
    "EVAL return(redis.call('NOSUCH')) 0", "EVAL return{1,{2,{3,false}},'x'} 0", "EVAL syntax= 0", "EVAL return 0 -1",
    "EVAL_RO return(redis.call('GET',KEYS[1])) 1 $s", "EVAL_RO return(redis.call('SET',KEYS[1],'x')) 1 $s",
    "EVALSHA ffffffffffffffffffffffffffffffffffffffff 0 $w", "EVALSHA $sha 1 $s $w", "EVALSHA_RO $sha 1 $s $w",
    "FCALL nosuch 0", "SCRIPT EXISTS $sha", "EVAL return(redis.status_reply('fine')) 0",
    "EVAL redis.setresp(3);return(redis.call('HGETALL',KEYS[1])) 1 $h"};

// What concerns the connection or the server.
inline constexpr std::string_view connection_phrases[] = {"PING",
                                                          "PING $v",
                                                          "PING a b",
                                                          "ECHO $v",
                                                          "ECHO $v",
                                                          "ECHO",
                                                          "SELECT $d",
                                                          "SELECT $d",
                                                          "SELECT $d",
                                                          "SELECT 99",
                                                          "SELECT abc",
                                                          "SELECT -1",
                                                          "HELLO",
                                                          "HELLO 9",
                                                          "HELLO x",
                                                          "HELLO 3 BAD",
                                                          "HELLO 2 AUTH a",
                                                          "HELLO 3 SETNAME",
                                                          "HELLO 3 AUTH nobody wrong",
                                                          "AUTH nobody wrong",
                                                          "AUTH",
                                                          "AUTH a b c",
                                                          "CLIENT SETNAME $m",
                                                          "CLIENT GETNAME",
                                                          "CLIENT GETNAME x",
                                                          "CLIENT NOSUCH",
                                                          "CLIENT REPLY MAYBE",
                                                          "CLIENT NO-EVICT ON",
                                                          "CLIENT NO-EVICT MAYBE",
                                                          "CLIENT GETREDIR",
                                                          "CLIENT SETINFO LIB-NAME $m",
                                                          "COMMAND COUNT",
                                                          "COMMAND INFO get nosuch",
                                                          "COMMAND GETKEYS MSET a 1 b 2",
                                                          "CONFIG GET maxmemory-policy",
                                                          "CONFIG SET nosuch 1",
                                                          "ACL WHOAMI",
                                                          "ACL CAT nosuch",
                                                          "OBJECT HELP",
                                                          "CLUSTER INFO",
                                                          "READONLY",
                                                          "ASKING",
                                                          "NOSUCH",
                                                          "nosuch $w $v",
                                                          "EXEC",
                                                          "DISCARD",
                                                          "UNWATCH",
                                                          "!WATCH $s $l",
                                                          "WATCH",
                                                          "WAIT 0 0",
                                                          "WAIT x y",
                                                          "RESET now",
                                                          "REPLICAOF",
                                                          "DEBUG NOSUCH",
                                                          "DEBUG STRINGMATCH-LEN 9 a",
                                                          "PUBSUB NOSUCH",
                                                          "MONITOR x",
                                                          "SHUTDOWN NOSUCH",
                                                          "FAILOVER ABORT",
                                                          "FAILOVER x y z",
                                                          "SYNC x y",
                                                          "PSYNC",
                                                          "DEBUG PROTOCOL null",
                                                          "DEBUG PROTOCOL push",
                                                          "DEBUG PROTOCOL attrib",
                                                          "DEBUG PROTOCOL bignum",
                                                          "DEBUG PROTOCOL verbatim",
                                                          "DEBUG PROTOCOL map",
                                                          "DEBUG PROTOCOL set",
                                                          "DEBUG PROTOCOL double",
                                                          "DEBUG PROTOCOL array"};

// Commands of the server that are tried with words of any kind, by the thousand, except these: they answer by chance,
// wait, change the server for all, or are spoken by the phrases above with care.
inline constexpr std::string_view not_at_random[] = {
    "time", "randomkey", "spop", "srandmember", "hrandfield", "zrandmember", "scan", "sscan", "zscan", "keys", "dbsize",
    "smembers", "sinter", "sunion", "sdiff", "sort", "sort_ro", "dump", "lastsave", "info", "lolwut", "monitor", "sync",
    "psync", "replconf", "replicaof", "slaveof", "failover", "shutdown", "bgsave", "bgrewriteaof", "save", "flushall",
    "flushdb", "swapdb", "role", "wait", "select", "hello", "auth", "reset", "quit", "multi", "exec", "discard",
    "watch", "unwatch", "asking", "readonly", "readwrite", "subscribe", "psubscribe", "ssubscribe", "unsubscribe",
    "punsubscribe", "sunsubscribe", "publish", "spublish", "set", "setex", "psetex", "getex", "restore",
    "restore-asking", "expire", "pexpire", "expireat", "pexpireat", "expiretime", "pexpiretime", "ttl", "pttl",
    "persist", "blpop", "brpop", "blmove", "brpoplpush", "blmpop", "bzpopmin", "bzpopmax", "bzmpop", "xclaim",
    "xpending", "xautoclaim", "xadd", "xread", "xreadgroup", "pfselftest", "pfdebug", "migrate", "move",
    // families, whose subcommands are the phrases' business
    "client", "debug", "config", "memory", "latency", "slowlog", "acl", "module", "function", "script", "pubsub",
    "command", "object", "xinfo", "host:", "post"};

inline constexpr std::string_view random_words[] = {
    "0",     "1",     "-1", "2",   "3",  "7",          "100",    "abc",  "1.5",   "",    "NX",
    "XX",    "GT",    "LT", "GET", "x*", "inf",        "-inf",   "LEFT", "RIGHT", "MIN", "MAX",
    "COUNT", "LIMIT", "*",  "[a",  "(1", "WITHSCORES", "BEFORE", "AND",  "1-1",   "0-0", "km"};

}  // namespace tidegate::differential
