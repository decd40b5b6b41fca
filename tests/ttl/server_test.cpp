// Every form of write on a real server, with what the plan makes of it, beside a bare server that gets the client's
// bytes as they are: the client must not see a difference, and no key of the pattern may outlive its rule.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/ttl/built_request.hpp"
#include "tests/ttl/redis_process.hpp"
#include "ttl/rule_set.hpp"

namespace tidegate::ttl {
namespace {

using std::chrono::milliseconds;

struct form {
  // What k:1 and k:2 hold where they exist: s string, h hash, l list, i set of integers, z sorted set, x stream, p HLL.
  char type;
  // {s+N} and {ms+N}: that far in the future, in seconds and milliseconds of Unix time; {dump}: a payload.
  const char* command;
  int db = 0;  // where it writes
};

const form forms[] = {
    {'s', "SET k:1 v"},
    {'s', "set k:1 v nx"},
    {'s', "SET k:1 v XX"},
    {'s', "SET k:1 v GET"},
    {'s', "SET k:1 v NX GET"},
    {'s', "SET k:1 v EX 50"},
    {'s', "SET k:1 v EX 90"},
    {'s', "SET k:1 v EX 5000"},
    {'s', "SET k:1 v XX EX 5000 GET"},
    {'s', "SET k:1 v EX 5 EX 5000"},
    {'s', "SET k:1 v px 5000000 nx"},
    {'s', "SET k:1 v EXAT {s+5000}"},
    {'s', "SET k:1 v PXAT {ms+5000000}"},
    {'s', "SET k:1 v EXAT 1"},
    {'s', "SET k:1 v EX 0"},
    {'s', "SET k:1 v EX -1"},
    {'s', "SET k:1 v EX 9223372036854775807"},
    {'s', "SET k:1 v EX 9223372036854775"},
    {'s', "SET k:1 v PX 9223372036854775807"},
    {'s', "SET k:1 v EX 1e3"},
    {'s', "SET k:1 v EX 010"},
    {'s', "SET k:1 v EX"},
    {'s', "SET k:1 v EX 10 PX 10"},
    {'s', "SET k:1 v NX XX"},
    {'s', "SET k:1 v NOVEL"},
    {'s', "SET k:1 v KEEPTTL"},
    {'s', "SET k:1 v KEEPTTL XX GET"},
    {'s', "SET k:1 v KEEPTTL EX 7"},
    {'s', "SET k:1"},
    {'s', "SETEX k:1 50 v"},
    {'s', "SETEX k:1 5000 v"},
    {'s', "SETEX k:1 0 v"},
    {'s', "SETEX k:1 ten v"},
    {'s', "PSETEX k:1 5000000 v"},
    {'s', "PSETEX k:1 -1 v"},
    {'s', "SETNX k:1 v"},
    {'s', "GETSET k:1 v"},
    {'s', "GETEX k:1"},
    {'s', "GETEX k:1 EX 5000"},
    {'s', "GETEX k:1 EXAT {s+5000}"},
    {'s', "GETEX k:1 PXAT 1"},
    {'s', "GETEX k:1 PERSIST"},
    {'s', "GETEX k:1 NOVEL"},
    {'s', "MSET k:1 a k:2 b k:1 c other d"},
    {'s', "MSET k:1 a k:2"},
    {'s', "MSETNX k:1 a k:2 b"},
    {'s', "APPEND k:1 x"},
    {'s', "SETRANGE k:1 3 x"},
    {'s', "SETBIT k:1 7 1"},
    {'s', "BITFIELD k:1 SET u8 0 65"},
    {'s', "BITOP NOT k:1 src:s"},
    {'s', "BITOP AND k:1 k:2 missing"},
    {'s', "INCR k:1"},
    {'s', "DECR k:1"},
    {'s', "INCRBY k:1 5"},
    {'s', "DECRBY k:1 5"},
    {'s', "INCRBYFLOAT k:1 0.5"},
    {'h', "HSET k:1 f 2 g 3"},
    {'h', "HSETNX k:1 g v"},
    {'h', "HMSET k:1 f 2"},
    {'h', "HINCRBY k:1 f 2"},
    {'h', "HINCRBYFLOAT k:1 f 0.5"},
    {'l', "LPUSH k:1 x y"},
    {'l', "RPUSH k:1 x"},
    {'l', "LPUSHX k:1 x"},
    {'l', "RPUSHX k:1 x"},
    {'l', "LINSERT k:1 BEFORE a x"},
    {'l', "LSET k:1 0 x"},
    {'l', "LMOVE src:l k:1 LEFT RIGHT"},
    {'l', "RPOPLPUSH src:l k:1"},
    {'l', "BLMOVE src:l k:1 LEFT RIGHT 1"},
    {'l', "LMOVE k:1 k:1 LEFT RIGHT"},
    {'l', "SORT src:l STORE k:1"},
    {'l', "SORT missing STORE k:1"},
    {'i', "SADD k:1 7 8"},
    {'i', "SMOVE src:i k:1 5"},
    {'i', "SUNIONSTORE k:1 src:i k:2"},
    {'i', "SINTERSTORE k:1 src:i src:i"},
    {'i', "SDIFFSTORE k:1 src:i missing"},
    {'i', "SINTERSTORE k:1 src:i missing"},
    {'z', "ZADD k:1 5 m"},
    {'z', "ZADD k:1 XX GT CH 5 a"},
    {'z', "ZINCRBY k:1 5 a"},
    {'z', "ZUNIONSTORE k:1 2 src:z k:2 WEIGHTS 2 3"},
    {'z', "ZINTERSTORE k:1 2 src:z src:z"},
    {'z', "ZDIFFSTORE k:1 2 src:z missing"},
    {'z', "ZRANGESTORE k:1 src:z 0 -1"},
    {'z', "GEOADD k:1 13.36 38.11 Palermo"},
    {'z', "GEOSEARCHSTORE k:1 src:g FROMLONLAT 13 38 BYRADIUS 900 km"},
    {'z', "GEORADIUS src:g 13 38 900 km STORE k:1"},
    {'z', "GEORADIUSBYMEMBER src:g p 900 km STOREDIST k:1"},
    {'x', "XADD k:1 9-9 f v"},
    {'x', "XADD k:1 NOMKSTREAM 9-9 f v"},
    {'x', "XGROUP CREATE k:1 g $ MKSTREAM"},
    {'x', "XSETID k:1 9-9"},
    {'p', "PFADD k:1 x"},
    {'p', "PFMERGE k:1 src:p k:2"},
    {'s', "RENAME src:s k:1"},
    {'s', "RENAME src:long k:1"},
    {'s', "RENAMENX src:long k:1"},
    {'s', "RENAME k:2 k:1"},
    {'s', "COPY src:s k:1"},
    {'s', "COPY src:long k:1 REPLACE"},
    {'s', "COPY src:long k:1 DB 1", 1},
    {'s', "MOVE k:1 1", 1},
    {'s', "RESTORE k:1 0 {dump}"},
    {'s', "RESTORE k:1 0 {dump} REPLACE"},
    {'s', "RESTORE k:1 5000000 {dump} REPLACE"},
    {'s', "RESTORE k:1 {ms+5000000} {dump} REPLACE ABSTTL"},
    {'s', "RESTORE k:1 5000 {dump} REPLACE FREQ 3"},
    {'s', "RESTORE k:1 -1 {dump} REPLACE"},
    {'s', "EXPIRE k:1 5000"},
    {'s', "EXPIRE k:1 50"},
    {'s', "EXPIRE k:1 0"},
    {'s', "EXPIRE k:1 -5"},
    {'s', "EXPIRE k:1 9223372036854775807"},
    {'s', "EXPIRE k:1 5000 NX"},
    {'s', "EXPIRE k:1 5000 XX"},
    {'s', "EXPIRE k:1 5000 GT"},
    {'s', "EXPIRE k:1 50 LT"},
    {'s', "EXPIRE k:1 5000 NX GT"},
    {'s', "PEXPIRE k:1 5000001"},
    {'s', "EXPIREAT k:1 {s+5000}"},
    {'s', "EXPIREAT k:1 1"},
    {'s', "PEXPIREAT k:1 {ms+5000000}"},
    {'s', "PEXPIREAT k:1 {ms+5000000} GT"},
    {'s', "PERSIST k:1"},
};

enum class before : std::uint8_t { absent, no_ttl, short_ttl, long_ttl, other_type };

milliseconds wall_clock() {
  return std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch());
}

std::vector<std::string> value_of(char type, const std::string& key) {
  switch (type) {
    case 'h':
      return {"HSET", key, "f", "1"};
    case 'l':
      return {"RPUSH", key, "a", "b"};
    case 'i':
      return {"SADD", key, "1", "2"};
    case 'z':
      return {"ZADD", key, "1", "a", "2", "b"};
    case 'x':
      return {"XADD", key, "1-1", "f", "v"};
    case 'p':
      return {"PFADD", key, "a"};
    default:
      return {"SET", key, "10"};
  }
}

struct key_state {
  std::string value;    // DUMP
  std::string expires;  // PEXPIRETIME
  bool operator==(const key_state&) const = default;
  [[nodiscard]] bool exists() const { return expires != ":-2"; }
  // Absolute, in milliseconds; one that lives forever ends last.
  [[nodiscard]] std::int64_t end() const {
    return expires == ":-1" ? std::numeric_limits<std::int64_t>::max() : std::stoll(expires.substr(1));
  }
};

class forms_of_write : public testing::Test {
 protected:
  void SetUp() override {
    guarded_ = redis_process::start();
    bare_ = redis_process::start();
    if (!guarded_ || !bare_) GTEST_SKIP() << "no redis-server";
    guarded_->command({"SET", "payload", "5"});
    payload_ = guarded_->bulk({"DUMP", "payload"});
    ASSERT_FALSE(payload_.empty());
  }

  void seed(redis_process& server, char type, before state, milliseconds now) const {
    server.command({"FLUSHALL"});
    for (const char* line : {"SET src:s 5", "SET src:long 7 EX 9000", "RPUSH src:l 3 1 2", "SADD src:i 1 5",
                             "ZADD src:z 1 a 3 c", "GEOADD src:g 13.36 38.11 p", "PFADD src:p q"}) {
      server.command(words(line));
    }
    if (state == before::absent) return;
    const char held = state != before::other_type ? type : type == 'l' ? 's' : 'l';
    for (const char* key : {"k:1", "k:2"}) {
      server.command(value_of(held, key));
      const int seconds = state == before::short_ttl ? 40 : 2000;
      if (state == before::short_ttl || state == before::long_ttl) {
        server.command({"PEXPIREAT", key, std::to_string(now.count() + seconds * 1000)});
      }
    }
  }

  [[nodiscard]] std::vector<std::string> arguments_of(const form& form, milliseconds now) const {
    std::vector<std::string> arguments = words(form.command);
    for (std::string& argument : arguments) {
      if (argument == "{dump}") argument = payload_;
      if (argument.starts_with("{s+")) argument = std::to_string(now.count() / 1000 + std::stoll(argument.substr(3)));
      if (argument.starts_with("{ms+")) argument = std::to_string(now.count() + std::stoll(argument.substr(4)));
    }
    return arguments;
  }

  static key_state look(redis_process& server, int db, const std::string& key) {
    server.command({"SELECT", std::to_string(db)});
    key_state state{server.bulk({"DUMP", key}), server.command({"PEXPIRETIME", key})};
    server.command({"SELECT", "0"});
    return state;
  }

  // The command as the session machine sends it: rewritten, its follow-ups right behind. Returns the client's reply.
  std::string send_guarded(const resp::request& request, const plan& plan, int db, bool expire_options) {
    std::string bytes;
    append_rewritten(bytes, request, plan.rewrite);
    if (db != 0) resp::append_command(bytes, "SELECT", std::to_string(db));
    for (const follow_up& next : plan.follow_ups)
      append_follow_up(bytes, request[next.key_index], next, expire_options);
    if (db != 0) resp::append_command(bytes, "SELECT", "0");
    const std::size_t extra = db != 0 ? 1 : 0;
    const auto replies = guarded_->exchange(bytes, 1 + plan.follow_ups.size() + 2 * extra);
    for (std::size_t i = 0; i < plan.follow_ups.size(); ++i) {
      const std::string& reply = replies[1 + extra + i];
      EXPECT_TRUE(reply == ":0" || reply == ":1") << "follow-up " << i << ": " << reply;
    }
    return replies.front();
  }

  void run(const config::ttl_rule& rule, bool expire_options);

  std::unique_ptr<redis_process> guarded_, bare_;
  std::string payload_;
};

void forms_of_write::run(const config::ttl_rule& rule, bool expire_options) {
  const rule_set rules({rule});
  const auto commands = resp::command_table::builtin();
  std::vector<resp::key_ref> keys;
  plan plan;
  int checked = 0;
  for (const form& form : forms) {
    for (const before state :
         {before::absent, before::no_ttl, before::short_ttl, before::long_ttl, before::other_type}) {
      SCOPED_TRACE(std::string(form.command) + ", state before: " + std::to_string(std::to_underlying(state)));
      const milliseconds now = wall_clock();
      seed(*guarded_, form.type, state, now);
      seed(*bare_, form.type, state, now);
      const std::string own_keys[] = {"k:1", "k:2"};
      const key_state earlier[] = {look(*bare_, form.db, "k:1"), look(*bare_, form.db, "k:2")};

      const built_request request(arguments_of(form, now));
      const resp::command_spec& spec = commands->find(request.view());
      resp::find_keys(spec, request.view(), keys);
      rules.decide(spec, request.view(), keys, wall_clock(), static_cast<std::uint64_t>(++checked), plan);
      ASSERT_FALSE(plan.refused);
      const std::string reply = send_guarded(request.view(), plan, form.db, expire_options);
      // The guarded server goes first: a relative TTL of the bare one ends no earlier.
      EXPECT_EQ(reply, bare_->exchange(request.raw(), 1).front());

      const std::int64_t latest = wall_clock().count() + (rule.max_ttl ? rule.max_ttl->count() : 0);
      for (std::size_t i = 0; i < 2; ++i) {
        SCOPED_TRACE(own_keys[i]);
        const key_state guarded = look(*guarded_, form.db, own_keys[i]);
        const key_state bare = look(*bare_, form.db, own_keys[i]);
        EXPECT_EQ(guarded.exists(), bare.exists());
        EXPECT_EQ(guarded.value, bare.value);
        if (!guarded.exists() || !bare.exists()) continue;
        EXPECT_LE(guarded.end(), bare.end()) << "a TTL was lengthened";
        const bool followed = std::ranges::any_of(
            plan.follow_ups, [&](const follow_up& next) { return request.view()[next.key_index] == own_keys[i]; });
        // What a command without effect leaves is not its doing.
        if (bare == earlier[i] && !followed) continue;
        // EXPIRE … NX|XX|GT|LT is not there to give a TTL where the rule has only a default.
        if (rule.max_ttl) {
          EXPECT_LE(guarded.end(), latest);
        } else {
          EXPECT_NE(guarded.expires, ":-1");
        }
      }
      if (HasFailure()) return;  // one form says enough
    }
  }
  EXPECT_EQ(checked, 5 * static_cast<int>(std::size(forms)));
}

config::ttl_rule rule_of(std::optional<milliseconds> default_ttl, std::optional<milliseconds> max_ttl, double jitter) {
  config::ttl_rule rule;
  rule.pattern = "k:*";
  rule.default_ttl = default_ttl;
  rule.max_ttl = max_ttl;
  rule.jitter = jitter;
  return rule;
}

TEST_F(forms_of_write, keep_within_a_default_and_a_maximum) {
  run(rule_of(milliseconds{60'000}, milliseconds{100'000}, 0.1), true);
}

TEST_F(forms_of_write, keep_within_a_maximum_alone) {
  run(rule_of({}, milliseconds{100'000}, 0), true);
}

TEST_F(forms_of_write, get_a_default_alone) {
  run(rule_of(milliseconds{60'500}, {}, 0), true);
}

TEST_F(forms_of_write, keep_within_equal_default_and_maximum) {
  run(rule_of(milliseconds{60'000}, milliseconds{60'000}, 0), true);
}

TEST_F(forms_of_write, keep_within_a_maximum_of_few_seconds_that_no_whole_second_meets) {
  run(rule_of({}, milliseconds{7'500}, 0), true);
}

TEST_F(forms_of_write, keep_within_their_rule_where_expire_has_no_options) {
  run(rule_of(milliseconds{60'000}, milliseconds{100'000}, 0.1), false);
}

TEST_F(forms_of_write, keep_within_a_maximum_alone_where_expire_has_no_options) {
  run(rule_of({}, milliseconds{100'000}, 0), false);
}

TEST_F(forms_of_write, a_follow_up_acts_only_on_what_it_is_for) {
  for (const bool expire_options : {true, false}) {
    const auto answer = [&](follow_up::what kind, const char* key) {
      std::string bytes;
      append_follow_up(bytes, key, {.key_index = 1, .rule = 0, .kind = kind, .ttl_ms = 60'000}, expire_options);
      return guarded_->exchange(bytes, 1).front();
    };
    using enum follow_up::what;
    guarded_->command({"FLUSHALL"});
    EXPECT_EQ(answer(default_nx, "none"), ":0");
    EXPECT_EQ(answer(max_lt, "none"), ":0");
    guarded_->command(words("SET long v EX 5000"));
    EXPECT_EQ(answer(default_nx, "long"), ":0");
    EXPECT_EQ(answer(max_lt, "long"), ":1");
    EXPECT_EQ(answer(max_lt, "long"), ":0");
    guarded_->command(words("SET short v EX 5"));
    EXPECT_EQ(answer(default_nx, "short"), ":0");
    EXPECT_EQ(answer(max_lt, "short"), ":0");
    guarded_->command(words("SET forever v"));
    EXPECT_EQ(answer(default_nx, "forever"), ":1");
    EXPECT_EQ(answer(default_nx, "forever"), ":0");
    guarded_->command(words("SET forever v"));
    EXPECT_EQ(answer(max_lt, "forever"), ":1");
  }
}

}  // namespace
}  // namespace tidegate::ttl
