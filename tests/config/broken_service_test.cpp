// Broken texts outside the rules: YAML itself, listeners, upstream, users, admin, bounds, evidence, log.
#include "scratch.hpp"

namespace tidegate::config {
namespace {

std::string listener(std::string_view address) {
  return with_listen("listen:\n  - { address: " + std::string(address) + " }\n");
}
std::string upstream(std::string_view rest) {
  return with_upstream("upstream:\n  url: redis://h:1\n  " + std::string(rest) + "\n");
}
std::string url(std::string_view text) {
  return with_upstream("upstream:\n  url: \"" + std::string(text) + "\"\n");
}

const std::vector<broken> yaml_rows{
    {"", 1, "", "says nothing"},
    {"# only a comment\n", 1, "", "says nothing"},
    {"~\n", 1, "", "says nothing"},
    {"- a\n- b\n", 1, "", "must be a mapping"},
    {"just words\n", 1, "", "must be a mapping"},
    {with("log: { level: info\n"), 3, "", "not valid YAML"},
    {with("log:\n\tlevel: info\n"), 4, "", "not with a tab"},
    {with("log: { level: *info }\n"), 3, "", "must be quoted"},
    {with("instance: *\n"), 3, "", "alias"},
    {with("users: [ { name: a, password: ${X} } ]\n"), 3, "", "in quotes"},
    {with("instance: \"abc\n"), 3, "", "never closed"},
    {with("instance: 'abc"), 3, "", "never closed"},
    {with("instance: \"abc\nworkers: 2\n"), 3, "", "never closed"},
    {with("instance: !env HOME\n"), 3, "", "tag"},
    {with("---\ninstance: a\n"), 3, "", "second document"},
    {with("? [a, b]\n: c\n"), 3, "", "plain name"},
    {with("{a: b}: c\n"), 3, "", "plain name"},
    {with("instance: &a [ *a ]\n"), 3, "", "inside its own anchor"},
    {with("instance: \"a\x01\"\n"), 3, "", "control character"},
    {with("instance: a\x04\nworkers: 2\n"), 3, "", "control character"},
    {with("instance: \"\xff\"\n"), 3, "", "UTF-8"},
    {with("instance: \"\xc0\xaf\"\n"), 3, "", "UTF-8"},
    {with("x: " + std::string(40, '[') + std::string(40, ']') + "\n"), 3, "", "deeper than 32"},
    {with("limit: []\n"), 3, "limit", "did you mean limits"},
    {with("zzzzzz: 1\n"), 3, "zzzzzz", "known here: instance"},
    {with("log: { level: info }\nlog: { level: warn }\n"), 4, "log", "first on line 3"},
    {with("log: &d { level: info }\ncapture:\n  <<: *d\n  directory: c\n"), 5, "capture.<<", "merge keys"},
    {std::string(upstream_line), 1, "listen", "is missing"},
    {std::string(listen_line), 1, "upstream", "is missing"},
};

const std::vector<broken> listen_rows{
    {with_listen("listen: \"127.0.0.1:1\"\n"), 2, "listen", "must be a list"},
    {with_listen("listen: { address: \"127.0.0.1:1\" }\n"), 2, "listen", "must be a list"},
    {with_listen("listen: []\n"), 2, "listen", "is empty"},
    {with_listen("listen:\n"), 2, "listen", "is empty"},
    {with_listen("listen:\n  - 127.0.0.1:1\n"), 3, "listen[0]", "must be a mapping"},
    {with_listen("listen:\n  - {}\n"), 3, "listen[0].address", "is missing"},
    {listener("\":6379\""), 3, "listen[0].address", "host is missing"},
    {listener("6379"), 3, "listen[0].address", "port is missing"},
    {listener("\"127.0.0.1\""), 3, "listen[0].address", "port is missing"},
    {listener("\"127.0.0.1:\""), 3, "listen[0].address", "0 to 65535"},
    {listener("\"127.0.0.1:65536\""), 3, "listen[0].address", "0 to 65535"},
    {listener("\"127.0.0.1:-1\""), 3, "listen[0].address", "0 to 65535"},
    {listener("\"127.0.0.1:6379x\""), 3, "listen[0].address", "0 to 65535"},
    {listener("\"localhost:6379\""), 3, "listen[0].address", "numeric"},
    {listener("\"*:6379\""), 3, "listen[0].address", "0.0.0.0:6379"},
    {listener("\"::1:6379\""), 3, "listen[0].address", "brackets"},
    {listener("\"[127.0.0.1]:6379\""), 3, "listen[0].address", "only an IPv6"},
    {listener("\"[::1:6379\""), 3, "listen[0].address", "not an address"},
    {listener("\"127.0.0.01:6379\""), 3, "listen[0].address", "numeric"},
    {listener("\"256.0.0.1:6379\""), 3, "listen[0].address", "numeric"},
    {with_listen("listen:\n  - { address: \"127.0.0.1:1\" }\n  - { address: \"127.0.0.1:1\" }\n"), 4,
     "listen[1].address", "line 3"},
    {with_listen("listen:\n  - { address: \"[::1]:1\" }\n  - { address: \"[0:0:0:0:0:0:0:1]:1\" }\n"), 4,
     "listen[1].address", "line 3"},
    {with_listen("listen:\n  - { address: \"127.0.0.1:9121\" }\n"), 3, "listen", "admin"},
    {with_listen("listen:\n  - { adress: \"127.0.0.1:1\", address: \"127.0.0.1:2\" }\n"), 3, "listen[0].adress",
     "did you mean address"},
    {with_listen("listen:\n  - { address: \"127.0.0.1:1\", tls: true }\n"), 3, "listen[0].tls", "certificate:"},
    {with_listen("listen:\n  - { address: \"127.0.0.1:1\", tls: { key: /dev/null/x, certificate: /etc/hostname } }\n"),
     3, "listen[0].tls.key", "cannot be read"},
};

const std::vector<broken> upstream_rows{
    {with_upstream("upstream: redis://h:1\n"), 2, "upstream", "must be a mapping"},
    {with_upstream("upstream: {}\n"), 2, "upstream.url", "is missing"},
    {with_upstream("upstream:\n"), 2, "upstream", "must be a mapping"},
    {url(""), 3, "upstream.url", "rediss://"},
    {url("host:6379"), 3, "upstream.url", "rediss://"},
    {url("http://host:6379"), 3, "upstream.url", "rediss://"},
    {url("REDIS://host:6379"), 3, "upstream.url", "redis://"},
    {url("redis://"), 3, "upstream.url", "host is missing"},
    {url("redis://:6379"), 3, "upstream.url", "host is missing"},
    {url("redis://host:0"), 3, "upstream.url", "not a port"},
    {url("redis://host:65536"), 3, "upstream.url", "not a port"},
    {url("redis://host:"), 3, "upstream.url", "not a port"},
    {url("redis://host name:1"), 3, "upstream.url", "not a host name"},
    {url("redis://::1:6379"), 3, "upstream.url", "brackets"},
    {url("redis://[host]:1"), 3, "upstream.url", "brackets"},
    {url("redis://host:1/3"), 3, "upstream.url", "database"},
    {url("redis://host:1?ca=x"), 3, "upstream.url", "write rediss://"},
    {url("rediss://host:1?ca="), 3, "upstream.url", "?ca=FILE"},
    {url("rediss://host:1?ca=%zz"), 3, "upstream.url", "?ca=FILE"},
    {url("rediss://host:1?ca=/nowhere/ca.crt"), 3, "upstream.url", "cannot be read"},
    {url("rediss://host:1?verify=no"), 3, "upstream.url", "?ca=FILE"},
    {url("redis://user:hunter2@host:1"), 3, "upstream.url", "upstream.auth"},
    {url("redis://:hun/ter2@host:1"), 3, "upstream.url", "upstream.auth"},
    {url("redis://u:hunter?2@host:1"), 3, "upstream.url", "upstream.auth"},
    {upstream("auth: pass-through"), 4, "upstream.auth", "passthrough"},
    {upstream("auth: [a]"), 4, "upstream.auth", "passthrough"},
    {upstream("auth: { username: a }"), 4, "upstream.auth.password", "is missing"},
    {upstream("auth: { password: \"\" }"), 4, "upstream.auth.password", "is empty"},
    {upstream("auth: { user: a, password: b }"), 4, "upstream.auth.user", "did you mean username"},
    {upstream("control: ops"), 4, "upstream.control", "username"},
    {upstream("control: { password: { a: b } }"), 4, "upstream.control.password", "file:PATH"},
    {upstream("pooling: shared"), 4, "upstream.pooling", "multiplex, session"},
    {upstream("lanes: 0"), 4, "upstream.lanes", "from 1 to 64"},
    {upstream("lanes: two"), 4, "upstream.lanes", "whole number"},
    {upstream("idle_dedicated: -1"), 4, "upstream.idle_dedicated", "negative"},
    {upstream("connect_timeout: 2"), 4, "upstream.connect_timeout", "unit"},
    {upstream("connect_timeout: 0ms"), 4, "upstream.connect_timeout", "out of range"},
    {upstream("queue_timeout: 1 s s"), 4, "upstream.queue_timeout", "unknown unit"},
    {upstream("silence: 1ms"), 4, "upstream.silence", "100ms"},
    {upstream("maxmemory: 2.32"), 4, "upstream.maxmemory", "unit"},
    {upstream("maxmemory: 2gb"), 4, "upstream.maxmemory", "1GiB"},
    {upstream("maxmemory: 99999TiB"), 4, "upstream.maxmemory", "larger than"},
    {upstream("conect_timeout: 2s"), 4, "upstream.conect_timeout", "did you mean connect_timeout"},
};

const std::vector<broken> other_rows{
    {with("instance: a b\n"), 3, "instance", "letters"},
    {with("instance: " + std::string(65, 'a') + "\n"), 3, "instance", "64 bytes"},
    {with("workers: 0\n"), 3, "workers", "from 1 to 64"},
    {with("workers: 65\n"), 3, "workers", "from 1 to 64"},
    {with("workers: 4294967297\n"), 3, "workers", "from 1 to 64"},
    {with("workers: auto\n"), 3, "workers", "whole number"},
    {with("workers: 2 # two\ndrain: forever\n"), 4, "drain", "30m"},
    {with("users: { a: b }\n"), 3, "users", "must be a list"},
    {with("users: [ { name: a } ]\n"), 3, "users[0].password", "is missing"},
    {with("users: [ { password: a } ]\n"), 3, "users[0].name", "is missing"},
    {with("users:\n  - { name: a, password: b }\n  - { name: a, password: c }\n"), 5, "users[1].name",
     "first on line 4"},
    {with("users: [ { name: a, password: \"${TIDEGATE_TEST_UNSET}\" } ]\n"), 3, "users[0].password", "is not set"},
    {with("users: [ { name: a, password: \"${}\" } ]\n"), 3, "users[0].password", "${NAME}"},
    {with("users: [ { name: a, password: \"${HOME\" } ]\n"), 3, "users[0].password", "${NAME}"},
    {with("users: [ { name: a, password: \"${HOME:-x}\" } ]\n"), 3, "users[0].password", "${NAME}"},
    {with("users: [ { name: a, password: \"file:\" } ]\n"), 3, "users[0].password", "is empty"},
    {with("users: [ { name: a, password: \"file:/nowhere/at/all\" } ]\n"), 3, "users[0].password", "cannot be read"},
    {with("users: [ { name: a, passwort: b, password: c } ]\n"), 3, "users[0].passwort", "did you mean password"},
    {with("memory: 64MiB\n"), 3, "memory", "session: 64MiB"},
    {with("memory: { session: 2GiB }\n"), 3, "memory.session", "above total"},
    {with("memory: { session: 0B }\n"), 3, "memory.session", "from 4KiB"},
    {with("memory: { total: 64 }\n"), 3, "memory.total", "unit"},
    {with("admin: { address: \"0.0.0.0:9121\" }\n"), 3, "admin.address", "token"},
    {with("admin: { address: \"[::]:9121\" }\n"), 3, "admin.address", "token"},
    {with("admin: { address: 9121 }\n"), 3, "admin.address", "port is missing"},
    {with("admin: { token: }\n"), 3, "admin.token", "single value"},
    {with("admin: on\n"), 3, "admin", "or off"},
    {with("admin: { tokne: a }\n"), 3, "admin.tokne", "did you mean token"},
    {with("ledger: on\n"), 3, "ledger", "or off"},
    {with("ledger: { bucket: 0s }\n"), 3, "ledger.bucket", "from 1s"},
    {with("ledger: { bucket: 1500ms }\n"), 3, "ledger.bucket", "whole seconds"},
    {with("ledger: { keep: 5s }\n"), 3, "ledger.keep", "one bucket"},
    {with("ledger: { path: \"\" }\n"), 3, "ledger.path", "path"},
    {with("ledger: { max_size: 1B }\n"), 3, "ledger.max_size", "from 64KiB"},
    {with("capture: {}\n"), 3, "capture.directory", "is missing"},
    {with("capture: captures\n"), 3, "capture", "directory: captures"},
    {with("capture: { directory: c, sample: 1.5 }\n"), 3, "capture.sample", "0 to 1"},
    {with("capture: { directory: c, sample: -0.5 }\n"), 3, "capture.sample", "negative"},
    {with("capture: { directory: c, values: 1 }\n"), 3, "capture.values", "true or false"},
    {with("capture: { directory: c, rotate: 2GiB }\n"), 3, "capture.rotate", "max_size"},
    {with("capture: { directory: c, match: { command: [] } }\n"), 3, "capture.match.command", "is empty"},
    {with("capture: { dir: d, directory: c }\n"), 3, "capture.dir", "did you mean directory"},
    {with("log: info\n"), 3, "log", "level: info"},
    {with("log: { level: warning }\n"), 3, "log.level", "did you mean warn"},
    {with("log: { format: jsn }\n"), 3, "log.format", "did you mean json"},
};

void expect_all(const std::vector<broken>& rows) {
  for (const broken& row : rows) expect_broken(row);
}

TEST(BrokenYaml, EachTextBringsItsOneMistake) {
  expect_all(yaml_rows);
}
TEST(BrokenListen, EachTextBringsItsOneMistake) {
  expect_all(listen_rows);
}
TEST(BrokenUpstream, EachTextBringsItsOneMistake) {
  expect_all(upstream_rows);
}
TEST(BrokenOthers, EachTextBringsItsOneMistake) {
  expect_all(other_rows);
}

}  // namespace
}  // namespace tidegate::config
