// The whole data path but for the control thread: real engine, real redis-server, plain and TLS on both sides.
#include "proxy/net/server.hpp"

#include <gtest/gtest.h>
#include <openssl/pem.h>

#include <chrono>
#include <memory>
#include <string>

#include "tests/admin/redis_process.hpp"
#include "tests/net/certificates.hpp"
#include "tests/net/peer_socket.hpp"

namespace tidegate::net_test {
namespace {

struct ServerTest : testing::Test {
  void SetUp() override {
    base.registry = std::make_shared<attribution::registry>();
    base.buckets = limiter::make_bucket_store();
    base.commands = resp::command_table::builtin();
    wanted.instance = "test";
    wanted.workers = 2;
    config::listener plain, tls;
    plain.address = tls.address = "127.0.0.1";
    tls.tls = config::tls_listener{leaf.certificate, leaf.key, "", config::client_auth::none};
    tls.port = test::free_port();  // two listeners on port 0 could not be told apart by publish()
    wanted.listen = {plain, tls};
  }
  void TearDown() override {
    if (server) server->stop();
  }

  std::shared_ptr<const policy::snapshot> snapshot() {
    return policy::make_snapshot(std::make_shared<const config::config>(wanted), base, ++generation,
                                 std::chrono::steady_clock::now().time_since_epoch().count());
  }
  void start(std::uint16_t upstream_port) {
    server = std::make_unique<net::server>(
        net::server::options{snapshot(), base.registry, std::make_shared<session::upstream_state>()});
    server->set_upstream_addresses({{boost::asio::ip::address_v4::loopback(), upstream_port}});
    const auto started = server->start();
    ASSERT_TRUE(started.has_value()) << started.error();
    ASSERT_EQ(server->ports().size(), 2U);
  }
  [[nodiscard]] std::uint16_t plain_port() const { return server->ports()[0]; }
  [[nodiscard]] std::uint16_t tls_port() const { return server->ports()[1]; }
  static std::string ask(peer_socket& client, const std::string& command, std::size_t reply_bytes) {
    EXPECT_TRUE(client.send(command + "\r\n"));
    return client.read(reply_bytes);
  }

  folder files;
  authority ca{files, "ca"};
  certificate_files leaf = ca.issue("leaf");
  policy::foundations base;
  config::config wanted;
  std::uint64_t generation = 0;
  std::unique_ptr<net::server> server;
};

TEST_F(ServerTest, AnswersOnPlainAndTlsListeners) {
  test::redis_process redis;
  start(redis.port());
  for (const bool tls : {false, true}) {
    for (int i = 0; i < 8; ++i) {  // both workers get some
      peer_socket client = peer_socket::connect(tls ? tls_port() : plain_port());
      ASSERT_TRUE(!tls || client.start_tls());
      EXPECT_EQ(ask(client, "PING", 7), "+PONG\r\n");
      EXPECT_EQ(ask(client, "SET key value", 5), "+OK\r\n");
      EXPECT_EQ(ask(client, "GET key", 11), "$5\r\nvalue\r\n");
      client.finish_sending();
      EXPECT_EQ(client.read_to_end(), "");
    }
  }
  EXPECT_EQ(server->tls().client_handshakes, 8U);
  EXPECT_TRUE(redis.ask("GET key").starts_with("$5\r\nvalue\r\n"));
}

TEST_F(ServerTest, ReachesAnUpstreamThroughTls) {
  test::redis_process redis({}, true);
  wanted.upstream.host = "localhost";
  wanted.upstream.tls = true;
  wanted.upstream.ca = redis.ca();
  start(redis.port());
  peer_socket client = peer_socket::connect(plain_port());
  EXPECT_EQ(ask(client, "SET key value", 5), "+OK\r\n");
  EXPECT_GE(server->tls().upstream_handshakes, 1U);
  EXPECT_EQ(server->tls().upstream_refused, 0U);
}

TEST_F(ServerTest, AnswersAnErrorWhenTheUpstreamIsOfAnotherAuthority) {
  test::redis_process redis({}, true);
  wanted.upstream.host = "localhost";
  wanted.upstream.tls = true;
  wanted.upstream.ca = ca.file();
  wanted.upstream.queue_timeout = std::chrono::milliseconds(200);
  start(redis.port());
  peer_socket client = peer_socket::connect(plain_port());
  const std::string expected = "-ERR upstream unavailable\r\n";
  EXPECT_EQ(ask(client, "SET key value", expected.size()), expected);
  EXPECT_GE(server->tls().upstream_refused, 1U);
  EXPECT_EQ(server->tls().upstream_handshakes, 0U);
}

TEST_F(ServerTest, CarriesBigValuesAndAHalfClosedPipelineThroughTls) {
  test::redis_process redis;
  start(redis.port());
  peer_socket client = peer_socket::connect(tls_port());
  ASSERT_TRUE(client.start_tls());
  const std::string value(8U << 20, 'v');
  const std::string length = std::to_string(value.size());
  ASSERT_TRUE(client.send("*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$" + length + "\r\n" + value + "\r\n"));
  EXPECT_EQ(client.read(5), "+OK\r\n");
  std::string pipeline;
  for (int i = 0; i < 5000; ++i) pipeline += "*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n";
  ASSERT_TRUE(client.send("*2\r\n$3\r\nGET\r\n$3\r\nbig\r\n" + pipeline));
  client.finish_sending();
  const std::string got = client.read_to_end();
  EXPECT_TRUE(got.starts_with("$" + length + "\r\n" + value + "\r\n:1\r\n"));
  EXPECT_TRUE(got.ends_with(":5000\r\n"));
}

TEST_F(ServerTest, GivesNewConnectionsTheNewCertificateAndKeepsTheOldOnes) {
  test::redis_process redis;
  start(redis.port());
  peer_socket old = peer_socket::connect(tls_port());
  ASSERT_TRUE(old.start_tls());
  EXPECT_EQ(old.peer_common_name(), "leaf");
  const certificate_files renewed = ca.issue("renewed", {.common_name = "renewed"});
  wanted.listen[1].tls->certificate = renewed.certificate;
  wanted.listen[1].tls->key = renewed.key;
  ASSERT_TRUE(server->publish(snapshot()).has_value());
  // A reload is in force when both workers say so; each takes the contexts no later than the snapshot.
  while (server->generation_in_use() < generation) server->wake();
  for (int i = 0; i < 8; ++i) {
    peer_socket fresh = peer_socket::connect(tls_port());
    ASSERT_TRUE(fresh.start_tls());
    EXPECT_EQ(fresh.peer_common_name(), "renewed");
  }
  EXPECT_EQ(ask(old, "PING", 7), "+PONG\r\n");
}

TEST_F(ServerTest, KeepsTheOldCertificateWhenTheNewOneIsBroken) {
  test::redis_process redis;
  start(redis.port());
  wanted.listen[1].tls->key = ca.issue("another").key;
  const auto published = server->publish(snapshot());
  ASSERT_FALSE(published.has_value());
  EXPECT_NE(published.error().find("another.key"), std::string::npos);
  EXPECT_NE(published.error().find("the certificate in use stays"), std::string::npos);
  while (server->generation_in_use() < generation) server->wake();
  peer_socket client = peer_socket::connect(tls_port());
  ASSERT_TRUE(client.start_tls());
  EXPECT_EQ(client.peer_common_name(), "leaf");
}

TEST_F(ServerTest, SaysWhatAReloadCannotDo) {
  test::redis_process redis;
  start(redis.port());
  wanted.workers = 3;
  wanted.listen[0].address = "127.0.0.2";
  wanted.listen[1].tls.reset();
  const auto published = server->publish(snapshot());
  ASSERT_FALSE(published.has_value());
  for (const char* part :
       {"127.0.0.1:0 was removed", "127.0.0.2:0 is new", "lost its TLS", "workers changed from 2 to 3"})
    EXPECT_NE(published.error().find(part), std::string::npos) << part << " is not in: " << published.error();
  peer_socket client = peer_socket::connect(tls_port());
  EXPECT_TRUE(client.start_tls()) << "a listener must not become plain under way";
}

TEST_F(ServerTest, DrainsOnceItsClientsAreServed) {
  test::redis_process redis;
  start(redis.port());
  peer_socket client = peer_socket::connect(plain_port());
  EXPECT_EQ(ask(client, "PING", 7), "+PONG\r\n");
  EXPECT_FALSE(server->drained());
  server->drain();
  EXPECT_EQ(client.read_to_end(), "");
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!server->drained() && std::chrono::steady_clock::now() < until) server->wake();
  EXPECT_TRUE(server->drained());
  EXPECT_LT(peer_socket::connect(plain_port()).fd(), 0);
}

TEST_F(ServerTest, RefusesToStartOnATakenPortOrWithABrokenCertificate) {
  test_listener other;
  wanted.listen[0].port = other.port();
  server = std::make_unique<net::server>(
      net::server::options{snapshot(), base.registry, std::make_shared<session::upstream_state>()});
  const auto taken = server->start();
  ASSERT_FALSE(taken.has_value());
  EXPECT_NE(taken.error().find(std::to_string(other.port())), std::string::npos);
  server.reset();
  wanted.listen[0].port = 0;
  wanted.listen[1].tls->certificate = files.path("absent.crt");
  server = std::make_unique<net::server>(
      net::server::options{snapshot(), base.registry, std::make_shared<session::upstream_state>()});
  const auto broken = server->start();
  ASSERT_FALSE(broken.has_value());
  EXPECT_NE(broken.error().find("absent.crt"), std::string::npos);
}

TEST_F(ServerTest, StopsAtOnceWithClientsAndUpstreamsOpen) {
  test::redis_process redis;
  start(redis.port());
  peer_socket client = peer_socket::connect(tls_port());
  ASSERT_TRUE(client.start_tls());
  EXPECT_EQ(ask(client, "PING", 7), "+PONG\r\n");
  ASSERT_TRUE(client.send("BLPOP nothing 0\r\n"));
  server->stop();
  EXPECT_NE(client.read_to_end(), "TIMEOUT");
  EXPECT_EQ(server->workers(), 2U);  // its counters can still be read
}

}  // namespace
}  // namespace tidegate::net_test
