#include "config/load.hpp"

#include <chrono>

#include "scratch.hpp"

namespace tidegate::config {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view every_key = R"(
instance: proxy-a              # default: host name
workers: 2                     # default: cores
drain: 30s
listen:
  - { address: "0.0.0.0:6379", tls: { certificate: tls/server.crt, key: tls/server.key, client_ca: tls/ca.crt, client_auth: optional } }   # none | optional | required
  - { address: "127.0.0.1:6380" }
upstream:
  url: rediss://master.example.use1.cache.amazonaws.com:6379     # redis:// = plain; ?ca=FILE for a private CA
  auth: passthrough            # the client's own AUTH is verified by the upstream; or:
  # auth: { username: proxy, password: "${UPSTREAM_PASSWORD}" }  # for all clients, who then log in against `users:`
  control: { username: ops, password: "${CONTROL_PASSWORD}" }
  pooling: multiplex           # | session
  lanes: 1                     # a worker, for each user, db and protocol
  idle_dedicated: 32
  connect_timeout: 2s
  queue_timeout: 1s
  silence: 30s
  maxmemory: 2.32GiB           # only where INFO does not tell
users:                         # passwords: text, ${ENV}, or file:PATH
  - { name: isales-campaign, password: "${ISALES_CAMPAIGN_TOKEN}" }
memory: { session: 64MiB, total: 1GiB }     # bytes held for one client, for all
admin: { address: "127.0.0.1:9121", token: "${ADMIN_TOKEN}" }
attribution:
  identify_by: [client_name, username, tls_subject, source]
  names: [ { match: "isales-campaign-*", as: isales-campaign } ]
  sources: [ { cidr: 10.0.3.0/24, as: batch-subnet } ]
  patterns: ["contact:userGroupLabel:set:*", "MARKETING:COUPON:UNREAD:*", "contact:last:activity:*", "exchange:coupon:high:commodity:price:*"]
limits:
  - name: batch-writers
    match: { client: "isales-*", command: [SET, SETEX, SADD], key: "contact:*" }   # absent = any grow command
    per: client              # a bucket for each: client | connection | pattern | rule
    rate: 2000/s             # with cost: byte a size, 150KiB/s
    burst: 5000
    cost: element            # command | element (SADD k a b c = 3, MSET = its keys) | byte
    action: delay            # observe | delay | reject
    max_delay: 2s            # a delay beyond this becomes a reject
    memory: { from: 60%, to: 85%, floor: 10% }   # the rate shrinks linearly as the upstream fills
    owner: "#isales-dev"     # optional, shown in reports
    until: 2026-12-31
ttl:
  - { pattern: "MARKETING:COUPON:UNREAD:*", default: 60d, jitter: 10%, mode: enforce }   # mode: off | observe | enforce
  - { pattern: "contact:last:activity:*", max: 90d }        # 364 d today
  - { pattern: "tmp:*", require: true }                     # a write that would leave no TTL is refused
ledger: { path: tidegate.db, bucket: 10s, keep: 14d, max_size: 1GiB }   # `ledger: off` for none
capture: { directory: captures, match: { client: "*", key: "*", command: write }, sample: 1.0, values: false, rotate: 64MiB, max_size: 1GiB, keep: 7d }
log: { level: info, format: text }          # | json
)";

std::shared_ptr<const config> loaded(std::string_view text, std::vector<mistake>* warnings = nullptr) {
  auto result = load_text(text, "proxy.yaml", warnings);
  if (!result) {
    ADD_FAILURE() << text << "---\n" << all_of(result.error());
    return nullptr;
  }
  return *result;
}

struct Load : ::testing::Test {
  scratch_folder folder;
  std::string file(std::string_view text, mode_t mode = 0600) const { return folder.write("proxy.yaml", text, mode); }
};

TEST_F(Load, ReadsEveryKeyOfTheContract) {
  const environment control("CONTROL_PASSWORD", "c0ntr0l"), token("ISALES_CAMPAIGN_TOKEN", "t0ken"),
      admin("ADMIN_TOKEN", "adm1n");
  folder.write("tls/server.crt", "c", 0644);
  folder.write("tls/server.key", "k");
  folder.write("tls/ca.crt", "a", 0644);
  const std::string path = file(every_key, 0644);
  const auto result = load_file(path);
  ASSERT_TRUE(result.has_value()) << all_of(result.error());
  const config& c = **result;
  EXPECT_EQ(c.path, path);
  EXPECT_EQ(c.instance, "proxy-a");
  EXPECT_EQ(c.workers, 2U);
  EXPECT_EQ(c.drain, 30s);
  ASSERT_EQ(c.listen.size(), 2U);
  EXPECT_EQ(c.listen[0].address, "0.0.0.0");
  EXPECT_EQ(c.listen[0].port, 6379);
  EXPECT_EQ(c.listen[0].line, 6U);
  ASSERT_TRUE(c.listen[0].tls.has_value());
  EXPECT_EQ(c.listen[0].tls->certificate, folder.path() + "/tls/server.crt");
  EXPECT_EQ(c.listen[0].tls->key, folder.path() + "/tls/server.key");
  EXPECT_EQ(c.listen[0].tls->client_ca, folder.path() + "/tls/ca.crt");
  EXPECT_EQ(c.listen[0].tls->client_auth, client_auth::optional);
  EXPECT_EQ(c.listen[1].port, 6380);
  EXPECT_FALSE(c.listen[1].tls.has_value());
  EXPECT_EQ(c.upstream.host, "master.example.use1.cache.amazonaws.com");
  EXPECT_EQ(c.upstream.port, 6379);
  EXPECT_TRUE(c.upstream.tls);
  EXPECT_EQ(c.upstream.ca, "");
  EXPECT_FALSE(c.upstream.auth.has_value());
  ASSERT_TRUE(c.upstream.control.has_value());
  EXPECT_EQ(c.upstream.control->username, "ops");
  EXPECT_EQ(c.upstream.control->password, "c0ntr0l");
  EXPECT_EQ(c.upstream.pooling, pooling::multiplex);
  EXPECT_EQ(c.upstream.lanes, 1U);
  EXPECT_EQ(c.upstream.idle_dedicated, 32U);
  EXPECT_EQ(c.upstream.connect_timeout, 2s);
  EXPECT_EQ(c.upstream.queue_timeout, 1s);
  EXPECT_EQ(c.upstream.silence, 30s);
  EXPECT_EQ(c.upstream.maxmemory, 2'491'081'031U);
  ASSERT_EQ(c.users.size(), 1U);
  EXPECT_EQ(c.users[0].name, "isales-campaign");
  EXPECT_EQ(c.users[0].password, "t0ken");
  EXPECT_EQ(c.memory.session, 64U << 20);
  EXPECT_EQ(c.memory.total, 1U << 30);
  EXPECT_EQ(c.admin.address, "127.0.0.1");
  EXPECT_EQ(c.admin.port, 9121);
  EXPECT_EQ(c.admin.token, "adm1n");
  EXPECT_TRUE(c.admin.enabled);
}

TEST_F(Load, ReadsEveryRuleOfTheContract) {
  const environment control("CONTROL_PASSWORD", "c"), token("ISALES_CAMPAIGN_TOKEN", "t"), admin("ADMIN_TOKEN", "a");
  folder.write("tls/server.crt", "c");
  folder.write("tls/server.key", "k");
  folder.write("tls/ca.crt", "a");
  const auto result = load_file(file(every_key));
  ASSERT_TRUE(result.has_value()) << all_of(result.error());
  const config& c = **result;
  EXPECT_EQ(c.attribution.identify_by.size(), 4U);
  ASSERT_EQ(c.attribution.names.size(), 1U);
  EXPECT_EQ(c.attribution.names[0].match, "isales-campaign-*");
  EXPECT_EQ(c.attribution.names[0].as, "isales-campaign");
  ASSERT_EQ(c.attribution.sources.size(), 1U);
  EXPECT_EQ(c.attribution.sources[0].prefix, 24);
  EXPECT_EQ(c.attribution.sources[0].bytes[2], 3);
  EXPECT_EQ(c.attribution.sources[0].as, "batch-subnet");
  EXPECT_EQ(c.attribution.patterns.size(), 4U);
  ASSERT_EQ(c.limits.size(), 1U);
  const limit_rule& rule = c.limits[0];
  EXPECT_EQ(rule.name, "batch-writers");
  EXPECT_EQ(rule.line, 30U);
  EXPECT_EQ(rule.match_client, "isales-*");
  EXPECT_EQ(rule.match_commands, (std::vector<std::string>{"set", "setex", "sadd"}));
  EXPECT_EQ(rule.match_key, "contact:*");
  EXPECT_EQ(rule.rate, 2000);
  EXPECT_EQ(rule.burst, 5000);
  EXPECT_EQ(rule.cost, limit_cost::element);
  ASSERT_TRUE(rule.memory.has_value());
  EXPECT_DOUBLE_EQ(rule.memory->from, 0.6);
  EXPECT_DOUBLE_EQ(rule.memory->to, 0.85);
  EXPECT_DOUBLE_EQ(rule.memory->floor, 0.1);
  EXPECT_EQ(rule.owner, "#isales-dev");
  EXPECT_EQ(rule.until, std::chrono::sys_days(2026y / 12 / 31));
  ASSERT_EQ(c.ttl.size(), 3U);
  EXPECT_EQ(c.ttl[0].default_ttl, 24h * 60);
  EXPECT_DOUBLE_EQ(c.ttl[0].jitter, 0.1);
  EXPECT_EQ(c.ttl[1].max_ttl, 24h * 90);
  EXPECT_FALSE(c.ttl[1].default_ttl.has_value());
  EXPECT_TRUE(c.ttl[2].require);
  EXPECT_EQ(c.ledger.path, folder.path() + "/tidegate.db");
  EXPECT_EQ(c.ledger.keep, 24h * 14);
  ASSERT_TRUE(c.capture.has_value());
  EXPECT_EQ(c.capture->directory, folder.path() + "/captures");
  EXPECT_TRUE(c.capture->match_commands.empty());
  EXPECT_EQ(c.capture->keep, 24h * 7);
  EXPECT_EQ(c.log.level, log_level::info);
}

TEST(LoadText, FillsInEveryDefault) {
  const auto c = loaded(with("limits: [ { name: a, rate: 500/s } ]\n"));
  ASSERT_TRUE(c);
  EXPECT_FALSE(c->instance.empty());
  EXPECT_GE(c->workers, 1U);
  EXPECT_LE(c->workers, 64U);
  EXPECT_EQ(c->drain, 30s);
  EXPECT_EQ(c->ledger.path, "tidegate.db");
  EXPECT_TRUE(c->ledger.enabled);
  EXPECT_FALSE(c->capture.has_value());
  EXPECT_TRUE(c->ttl.empty());
  EXPECT_EQ(c->upstream.port, 6379);
  EXPECT_FALSE(c->upstream.tls);
  const limit_rule& rule = c->limits.at(0);
  EXPECT_EQ(rule.burst, 500);
  EXPECT_EQ(rule.per, limit_per::client);
  EXPECT_EQ(rule.cost, limit_cost::command);
  EXPECT_EQ(rule.action, limit_action::delay);
  EXPECT_EQ(rule.max_delay, 2s);
  EXPECT_FALSE(rule.memory.has_value());
  EXPECT_FALSE(rule.until.has_value());
  EXPECT_TRUE(rule.match_commands.empty());
}

TEST(LoadText, KnowsOffInEverySpelling) {
  for (const char* off : {"off", "Off", "OFF", "false", "no", "\"off\""}) {
    const auto c = loaded(with("ledger: " + std::string(off) + "\nadmin: " + off + "\ncapture: " + off + "\n"));
    ASSERT_TRUE(c);
    EXPECT_FALSE(c->ledger.enabled) << off;
    EXPECT_FALSE(c->admin.enabled) << off;
    EXPECT_FALSE(c->capture.has_value()) << off;
  }
}

TEST(LoadText, TakesHeadingsWhoseEntriesAreCommentedOut) {
  const auto c = loaded(with("limits:\n#  - name: a\nttl:\nusers:\nattribution:\n  patterns:\n"));
  ASSERT_TRUE(c);
  EXPECT_TRUE(c->limits.empty());
  EXPECT_EQ(c->attribution.identify_by.size(), 4U);
}

TEST(LoadText, ExpandsTheEnvironmentOnceAndOnlyInValues) {
  const environment inner("TIDEGATE_TEST_A", "${TIDEGATE_TEST_B}"), glob("TIDEGATE_TEST_G", "*: [x"),
      rate("TIDEGATE_TEST_R", "7");
  const auto c = loaded(with(
      "limits:\n  - name: \"${TIDEGATE_TEST_A}-$${X}-$5-$\"\n    rate: \"${TIDEGATE_TEST_R}${TIDEGATE_TEST_R}/s\"\n"
      "    match: { key: \"${TIDEGATE_TEST_G}\" }  # ${NOT_SET_IN_A_COMMENT}\n"));
  ASSERT_TRUE(c);
  EXPECT_EQ(c->limits.at(0).name, "${TIDEGATE_TEST_B}-${X}-$5-$");
  EXPECT_EQ(c->limits.at(0).rate, 77);
  EXPECT_EQ(c->limits.at(0).match_key, "*: [x");
}

TEST(LoadText, BooksByteRatesInBytes) {
  const auto c = loaded(with(
      "limits:\n  - { name: a, rate: 150KiB/s, cost: byte }\n  - { name: b, rate: 3MB/m, cost: byte, burst: 1MiB }\n"));
  ASSERT_TRUE(c);
  EXPECT_EQ(c->limits.at(0).rate, 150 * 1024);
  EXPECT_EQ(c->limits.at(0).burst, 150 * 1024);
  EXPECT_EQ(c->limits.at(1).rate, 50'000);
  EXPECT_EQ(c->limits.at(1).burst, 1 << 20);
}

TEST(LoadText, GivesSlowRatesABucketThatHoldsOne) {
  const auto c = loaded(with("limits: [ { name: a, rate: 6/m } ]\n"));
  ASSERT_TRUE(c);
  EXPECT_DOUBLE_EQ(c->limits.at(0).rate, 0.1);
  EXPECT_EQ(c->limits.at(0).burst, 1);
}

TEST(LoadText, TakesOneCommandOrMany) {
  const auto c =
      loaded(with("limits:\n  - { name: a, rate: 1/s, match: { command: XGROUP|CREATE } }\n"
                  "  - { name: b, rate: 1/s, match: { command: [write, json.set] } }\n"));
  ASSERT_TRUE(c);
  EXPECT_EQ(c->limits.at(0).match_commands, (std::vector<std::string>{"xgroup|create"}));
  EXPECT_EQ(c->limits.at(1).match_commands, (std::vector<std::string>{"write", "json.set"}));
}

TEST(LoadText, TakesAliasesAndTheirSecondUse) {
  const auto c =
      loaded(with("limits:\n  - { name: a, rate: 1/s, memory: &m { from: 50%, to: 70% } }\n  - { name: b, rate: 1/s, "
                  "memory: *m }\n"));
  ASSERT_TRUE(c);
  EXPECT_DOUBLE_EQ(c->limits.at(1).memory->from, 0.5);
}

TEST(LoadText, TakesIpv6Everywhere) {
  const auto c = loaded(
      "listen: [ { address: \"[::1]:6379\" } ]\nupstream: { url: \"redis://[2001:db8::7]:7000/\" }\n"
      "attribution: { sources: [ { cidr: \"2001:db8::/32\", as: a } ] }\n");
  ASSERT_TRUE(c);
  EXPECT_EQ(c->listen.at(0).address, "::1");
  EXPECT_EQ(c->upstream.host, "2001:db8::7");
  EXPECT_EQ(c->upstream.port, 7000);
  EXPECT_TRUE(c->attribution.sources.at(0).v6);
  EXPECT_EQ(c->attribution.sources.at(0).bytes[1], 0x01);
}

TEST(LoadText, TakesAFileFromWindows) {
  const auto c = loaded("\xef\xbb\xbflisten: [ { address: \"127.0.0.1:1\" } ]\r\nupstream:\r\n  url: redis://h\r\n");
  ASSERT_TRUE(c);
  EXPECT_EQ(c->upstream.host, "h");
}

TEST(LoadText, SaysEveryMistakeAtOnceInTheOrderOfLines) {
  const auto result = load_text(
      "workers: 0\nlisten: []\nupstream:\n  url: x\n  lanes: 0\nlimits:\n  - name: a\n  - { }\nlgo: {}\n", "p.yaml");
  ASSERT_FALSE(result.has_value());
  std::vector<std::string> keys;
  std::uint32_t line = 0;
  for (const mistake& one : result.error()) {
    EXPECT_GE(one.line, line);
    line = one.line;
    keys.push_back(one.key);
  }
  EXPECT_EQ(keys, (std::vector<std::string>{"workers", "listen", "upstream.url", "upstream.lanes", "limits[0].rate",
                                            "limits[1]", "lgo"}));
  EXPECT_TRUE(result.error()[0].to_string().starts_with("p.yaml:1: workers: `0`: out of range"))
      << result.error()[0].to_string();
}

TEST(LoadText, WarnsOfWhatIsServedAllTheSame) {
  const std::vector<std::pair<std::string, std::string>> rows{
      {with("limits: [ { name: a, rate: 1/s, until: 2020-01-01 } ]\n"), "limits[0].until"},
      {with("ttl: [ { pattern: abc, max: 1d } ]\n"), "ttl[0].pattern"},
      {with("users: [ { name: a, password: b } ]\n"), "users"},
      {with_upstream("upstream: { url: redis://h, auth: { password: x } }\n"), "upstream.auth"},
      {with_upstream("upstream: { url: rediss://h }\n"), "upstream.control"},
      {with_listen("listen: [ { address: \"0.0.0.0:1\" } ]\n"), "listen[0].address"},
      {with_listen("listen: [ { address: \"127.0.0.1:0\" } ]\n"), "listen[0].address"},
      {with("attribution: { sources: [ { cidr: 10.0.3.7/24, as: a } ] }\n"), "attribution.sources[0].cidr"}};
  for (const auto& [text, key] : rows) {
    std::vector<mistake> warnings;
    ASSERT_TRUE(loaded(text, &warnings)) << text;
    ASSERT_EQ(warnings.size(), 1U) << text << all_of(warnings);
    EXPECT_EQ(warnings[0].key, key);
  }
}

TEST(LoadText, HasNothingToWarnOfInASoundFile) {
  std::vector<mistake> warnings;
  ASSERT_TRUE(
      loaded(with("limits: [ { name: a, rate: 1/s, until: 2199-01-01 } ]\nttl: [ { pattern: \"a:*\", max: 1d } ]\n"),
             &warnings));
  EXPECT_TRUE(warnings.empty()) << all_of(warnings);
}

TEST(LoadFile, SaysWhatIsWrongWithTheFileItself) {
  const scratch_folder folder;
  for (const std::string& path :
       {folder.path() + "/none.yaml", folder.path(), std::string("/dev/null"), std::string()}) {
    const auto result = load_file(path);
    ASSERT_FALSE(result.has_value()) << path;
    ASSERT_EQ(result.error().size(), 1U);
    EXPECT_EQ(result.error()[0].line, 0U);
    EXPECT_NE(result.error()[0].text.find("cannot be read"), std::string::npos);
  }
}

TEST(LoadFile, DoesNotHangOnAFifo) {
  const scratch_folder folder;
  const std::string path = folder.path() + "/fifo";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const auto result = load_file(path);
  ASSERT_FALSE(result.has_value());
  EXPECT_NE(result.error()[0].text.find("regular file"), std::string::npos);
}

}  // namespace
}  // namespace tidegate::config
