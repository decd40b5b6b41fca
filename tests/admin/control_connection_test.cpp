#include "proxy/net/control_connection.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>

#include "tests/admin/redis_process.hpp"

namespace tidegate::net {
namespace {

using test::redis_process;

// A control connection with its events written down; the io_context runs until what a test waits for came true.
class watcher {
 public:
  explicit watcher(const config::upstream& upstream)
      : control(context, "box 1", upstream, shared,
                {.addresses =
                     [this](const endpoints& found) {
                       addresses = found;
                       ++address_changes;
                     },
                 .wake = [this] { ++wakes; },
                 .learned =
                     [this](const std::vector<resp::upstream_command>& told, bool known) {
                       commands = told;
                       expire_options = known;
                       ++lessons;
                     },
                 .info =
                     [this](const upstream_info& seen) {
                       info = seen;
                       ++infos;
                     },
                 .memory = [this](double fraction) { fractions.push_back(fraction); }}) {
    control.start();
  }

  template <class Condition>
  [[nodiscard]] bool run_until(const Condition& condition, int seconds = 30) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    while (!condition() && std::chrono::steady_clock::now() < end) context.run_one_for(std::chrono::milliseconds(200));
    return condition();
  }
  [[nodiscard]] bool reachable() const { return shared->reachable.load(); }

  boost::asio::io_context context;
  std::shared_ptr<session::upstream_state> shared = std::make_shared<session::upstream_state>();
  endpoints addresses;
  std::vector<resp::upstream_command> commands;
  std::vector<double> fractions;
  upstream_info info;
  bool expire_options = false;
  int address_changes = 0, wakes = 0, lessons = 0, infos = 0;
  control_connection control;
};

config::upstream plain(std::uint16_t port) {
  config::upstream upstream;
  upstream.host = "127.0.0.1";
  upstream.port = port;
  return upstream;
}

std::map<std::string, std::uint64_t> counted(const watcher& seen) {
  std::map<std::string, std::uint64_t> counts;
  seen.control.own_commands().read([&](std::uint64_t id, std::uint64_t count) {
    counts[std::string(resp::command_table::builtin()->by_id(static_cast<std::uint16_t>(id)).name)] = count;
  });
  return counts;
}

// calls of INFO commandstats.
std::map<std::string, std::uint64_t> executed(const redis_process& redis) {
  std::map<std::string, std::uint64_t> counts;
  const std::string text = redis.ask("INFO commandstats");
  constexpr std::string_view beginning = "cmdstat_";
  for (std::size_t at = 0; (at = text.find(beginning, at)) != std::string::npos;) {
    at += beginning.size();
    const std::size_t colon = text.find(":calls=", at);
    const std::uint64_t calls = std::stoull(text.substr(colon + 7));
    if (calls != 0) counts[text.substr(at, colon - at)] = calls;
  }
  return counts;
}

TEST(ControlConnection, LearnsAllOfAServer) {
  redis_process redis({"--maxmemory", "100mb", "--maxmemory-policy", "volatile-lru"});
  static_cast<void>(redis.ask("SET a 1"));
  static_cast<void>(redis.ask("SET b 1 EX 1000"));
  watcher seen(plain(redis.port()));
  ASSERT_TRUE(seen.run_until([&] { return seen.reachable(); })) << seen.control.trouble();
  EXPECT_EQ(seen.control.trouble(), "");
  EXPECT_EQ(seen.lessons, 1);
  EXPECT_TRUE(seen.expire_options);
  const auto has = [&](const char* name) {
    return std::ranges::any_of(seen.commands, [&](const auto& command) { return command.name == name; });
  };
  EXPECT_TRUE(has("get"));
  EXPECT_TRUE(has("xgroup|create"));
  EXPECT_GT(seen.commands.size(), 300U);
  EXPECT_EQ(seen.shared->keys.load(), 2U);
  EXPECT_EQ(seen.shared->keys_with_ttl.load(), 1U);
  EXPECT_EQ(seen.shared->memory_max.load(), 100U << 20);
  EXPECT_GT(seen.shared->memory_used.load(), 0U);
  EXPECT_EQ(seen.info.eviction_policy, "volatile-lru");
  ASSERT_FALSE(seen.fractions.empty());
  EXPECT_GT(seen.fractions.back(), 0);
  EXPECT_LT(seen.fractions.back(), 1);
  EXPECT_NE(redis.ask("CLIENT LIST").find("name=tidegate:box_1:control"), std::string::npos);
  EXPECT_EQ(redis.ask("KEYS tidegate*").substr(0, 2), "*0") << "the probe leaves no key behind";
}

TEST(ControlConnection, CountsExactlyWhatTheUpstreamCounted) {
  redis_process redis;
  watcher seen(plain(redis.port()));
  ASSERT_TRUE(seen.run_until([&] { return seen.infos >= 3; }));
  std::map<std::string, std::uint64_t> theirs = executed(redis);
  EXPECT_EQ(counted(seen), theirs);
  EXPECT_EQ(theirs["expire"], 1U);
  EXPECT_EQ(theirs["info"], 3U);
}

TEST(ControlConnection, CountsNothingThatWasRefused) {
  redis_process redis({"--requirepass", "secret"});
  watcher seen(plain(redis.port()));
  ASSERT_TRUE(seen.run_until([&] { return seen.reachable(); }));
  EXPECT_TRUE(counted(seen).empty()) << counted(seen).begin()->first;
  EXPECT_EQ(seen.infos, 0);
  EXPECT_EQ(seen.shared->info_at.load(), 0);
}

TEST(ControlConnection, LogsInWithTheControlCredentials) {
  redis_process redis({"--user", "default", "off", "--user", "ops", "on", ">pw", "+@all", "~*"});
  config::upstream upstream = plain(redis.port());
  upstream.auth = config::credentials{"nobody", "wrong"};
  upstream.control = config::credentials{"ops", "pw"};
  watcher seen(upstream);
  ASSERT_TRUE(seen.run_until([&] { return seen.infos > 0; })) << seen.control.trouble();
  EXPECT_EQ(counted(seen)["auth"], 1U);
}

TEST(ControlConnection, IsUnreachableWhereTheProxysOwnLoginIsRefused) {
  redis_process redis({"--requirepass", "secret"});
  config::upstream upstream = plain(redis.port());
  upstream.auth = config::credentials{"", "wrong"};
  watcher seen(upstream);
  ASSERT_TRUE(seen.run_until([&] { return seen.control.trouble().starts_with("login refused: WRONGPASS"); }))
      << seen.control.trouble();
  EXPECT_FALSE(seen.reachable());
}

TEST(ControlConnection, StaysReachableWhereOnlyItsOwnLoginIsRefused) {
  redis_process redis;
  config::upstream upstream = plain(redis.port());
  upstream.control = config::credentials{"ops", "wrong"};
  watcher seen(upstream);
  EXPECT_TRUE(seen.run_until([&] { return seen.reachable(); })) << seen.control.trouble();
}

TEST(ControlConnection, ComesBackWhenTheServerDoes) {
  auto redis = std::make_unique<redis_process>();
  watcher seen(plain(redis->port()));
  ASSERT_TRUE(seen.run_until([&] { return seen.reachable(); }));
  redis->end();
  ASSERT_TRUE(seen.run_until([&] { return !seen.reachable(); }));
  EXPECT_NE(seen.control.trouble(), "");
  // Another server takes its place: where to is a reload's matter.
  redis = std::make_unique<redis_process>();
  const std::uint64_t before = seen.shared->address_generation.load();
  seen.control.reconfigure(plain(redis->port()));
  ASSERT_TRUE(seen.run_until([&] { return seen.reachable(); })) << seen.control.trouble();
  EXPECT_GT(seen.shared->address_generation.load(), before);
  EXPECT_EQ(seen.addresses.at(0).port(), redis->port());
}

TEST(ControlConnection, TellsTheWorkersThatThePrimaryBecameAReplica) {
  redis_process redis;
  redis_process other;
  watcher seen(plain(redis.port()));
  ASSERT_TRUE(seen.run_until([&] { return seen.reachable(); }));
  const std::uint64_t before = seen.shared->address_generation.load();
  const int woken = seen.wakes;
  static_cast<void>(redis.ask("REPLICAOF 127.0.0.1 " + std::to_string(other.port())));
  ASSERT_TRUE(seen.run_until([&] { return seen.shared->address_generation.load() > before; }));
  EXPECT_GT(seen.wakes, woken);
}

TEST(ControlConnection, DoesNotMoveAnybodyForAHintThatProvesFalse) {
  redis_process redis;
  watcher seen(plain(redis.port()));
  ASSERT_TRUE(seen.run_until([&] { return seen.reachable(); }));
  const std::uint64_t before = seen.shared->address_generation.load();
  seen.shared->failover_hints.fetch_add(1);
  seen.shared->silence_hints.fetch_add(1);
  ASSERT_TRUE(seen.run_until([&] { return counted(seen)["ping"] == 1; }));
  EXPECT_EQ(seen.shared->address_generation.load(), before);
  EXPECT_EQ(seen.shared->probe_failed.load(), 0U);
  // A second hint at once waits its turn: at most one probe a second.
  const auto first = std::chrono::steady_clock::now();
  seen.shared->failover_hints.fetch_add(1);
  ASSERT_TRUE(seen.run_until([&] { return counted(seen)["ping"] == 2; }));
  EXPECT_GE(std::chrono::steady_clock::now() - first, std::chrono::milliseconds(900));
}

TEST(ControlConnection, SaysThatTheProbeAfterASilenceFailed) {
  redis_process redis;
  config::upstream upstream = plain(redis.port());
  upstream.connect_timeout = config::milliseconds(200);
  watcher seen(upstream);
  ASSERT_TRUE(seen.run_until([&] { return seen.reachable(); }));
  redis.pause();
  seen.shared->silence_hints.store(7);
  EXPECT_TRUE(seen.run_until([&] { return seen.shared->probe_failed.load() == 7; }));
  // The connection that is up hears nothing either.
  EXPECT_TRUE(seen.run_until([&] { return !seen.reachable(); }));
  // And with no INFO the memory is unknown, which is said once.
  EXPECT_TRUE(seen.run_until([&] { return seen.fractions.back() < 0; }));
  redis.resume();
  EXPECT_TRUE(seen.run_until([&] { return seen.reachable(); }));
}

TEST(ControlConnection, SaysOnceThatTheMemoryIsUnknown) {
  redis_process redis;  // no maxmemory
  watcher seen(plain(redis.port()));
  ASSERT_TRUE(seen.run_until([&] { return seen.infos >= 3; }));
  EXPECT_EQ(seen.fractions, std::vector<double>{-1});
  EXPECT_EQ(seen.shared->memory_max.load(), 0U);
}

TEST(ControlConnection, SeesClusterMode) {
  redis_process redis({"--cluster-enabled", "yes"});
  watcher seen(plain(redis.port()));
  ASSERT_TRUE(seen.run_until([&] { return seen.reachable(); }));
  EXPECT_TRUE(seen.shared->cluster_mode.load());
}

TEST(ControlConnection, SpeaksTlsAndVerifiesTheHostName) {
  redis_process redis({}, true);
  config::upstream upstream = plain(redis.port());
  upstream.tls = true;
  upstream.ca = redis.ca();
  upstream.host = "localhost";
  {
    watcher seen(upstream);
    ASSERT_TRUE(seen.run_until([&] { return seen.reachable(); })) << seen.control.trouble();
  }
  upstream.host = "127.0.0.1";  // the certificate names localhost alone
  watcher wrong(upstream);
  ASSERT_TRUE(wrong.run_until([&] { return wrong.control.trouble().starts_with("TLS handshake"); }))
      << wrong.control.trouble();
  EXPECT_NE(wrong.control.trouble().find("does not name 127.0.0.1"), std::string::npos) << wrong.control.trouble();
  EXPECT_FALSE(wrong.reachable());
  upstream.host = "localhost";
  upstream.ca = "";  // a CA that the system does not know
  watcher unknown(upstream);
  ASSERT_TRUE(unknown.run_until([&] { return unknown.control.trouble().starts_with("TLS handshake"); }))
      << unknown.control.trouble();
}

TEST(ControlConnection, SurvivesAnUpstreamThatSpeaksNoRedis) {
  // A TLS port spoken to in plain text answers with an alert, or nothing.
  redis_process redis({}, true);
  config::upstream upstream = plain(redis.port());
  watcher seen(upstream);
  EXPECT_TRUE(seen.run_until([&] { return seen.control.trouble() != "not connected yet"; }));
  EXPECT_FALSE(seen.reachable());
}

TEST(ControlConnection, SaysThatANameDoesNotResolve) {
  config::upstream upstream = plain(6379);
  upstream.host = "no-such-host.invalid";
  watcher seen(upstream);
  EXPECT_TRUE(seen.run_until([&] { return seen.control.trouble().starts_with("resolve no-such-host.invalid: "); }))
      << seen.control.trouble();
  EXPECT_EQ(seen.address_changes, 0);
}

TEST(LookAtUpstream, TellsWhatItIsOrWhyNot) {
  redis_process redis({"--maxmemory-policy", "volatile-ttl"});
  const auto seen = look_at_upstream(plain(redis.port()));
  ASSERT_TRUE(seen) << seen.error();
  EXPECT_EQ(seen->eviction_policy, "volatile-ttl");
  EXPECT_FALSE(seen->cluster);
  redis.end();
  const auto gone = look_at_upstream(plain(redis.port()));
  ASSERT_FALSE(gone);
  EXPECT_TRUE(gone.error().starts_with("connect: ")) << gone.error();
}

}  // namespace
}  // namespace tidegate::net
