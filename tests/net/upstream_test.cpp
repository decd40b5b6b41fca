// How a worker connects to an upstream: addresses in order, certificates, and not a byte before they are verified.
#include <gtest/gtest.h>

#include <string>

#include "tests/net/worker_fixture.hpp"

namespace tidegate::net_test {
namespace {

using boost::asio::ip::address_v4;
using endpoint = boost::asio::ip::tcp::endpoint;

struct UpstreamTest : WorkerTest {
  // The engine, as soon as it may, sends what no wrong server must see.
  void connect_to(net::address_list addresses) {
    world.on_connected = [&](session::upstream_connection& up) { world.send(up, "SECRET"); };
    world.on_received = [&](session::stream& from, std::string_view bytes) {
      if (from.which() == session::stream::side::upstream) world.note("heard " + std::string(bytes));
    };
    start();
    one->post_addresses(std::make_shared<const net::address_list>(std::move(addresses)));
    on_worker([&] {
      connection = std::make_unique<session::upstream_connection>(*world.pool);
      world.shell->connect(*connection);
      EXPECT_EQ(connection->io, nullptr);
    });
  }
  void TearDown() override {
    one->stop();
    connection.reset();
    WorkerTest::TearDown();
  }
  static endpoint local(std::uint16_t port) { return {address_v4::loopback(), port}; }
  void trust(const std::string& host, const std::string& authority_file) {
    upstream_tls = true;
    upstream_context = net::tls_context::for_upstream(host, authority_file).value();
  }
  // What the engine hears about a TLS server with this certificate, and that the server heard nothing.
  std::string refusal(const certificate_files& shown) {
    test_listener server;
    connect_to({local(server.port())});
    peer_socket accepted = server.accept();
    accepted.start_tls_as_server(shown.certificate, shown.key);
    EXPECT_EQ(accepted.read_to_end().find("SECRET"), std::string::npos);
    return world.wait_for_loss();
  }
  std::unique_ptr<session::upstream_connection> connection;
};

TEST_F(UpstreamTest, ConnectsAndCarriesBytesBothWays) {
  test_listener server;
  connect_to({local(server.port())});
  peer_socket accepted = server.accept();
  EXPECT_EQ(accepted.read(6), "SECRET");
  ASSERT_TRUE(accepted.send("+OK"));
  EXPECT_TRUE(world.wait_for("heard +OK"));
}

TEST_F(UpstreamTest, TriesTheNextAddressWhenOneIsRefused) {
  test_listener server;
  connect_to({local(closed_port()), local(closed_port()), local(server.port())});
  EXPECT_EQ(server.accept().read(6), "SECRET");
  EXPECT_EQ(world.count("connected"), 1U);
}

TEST_F(UpstreamTest, ReportsTheLastFailureWhenNoAddressAnswers) {
  connect_to({local(closed_port()), local(closed_port())});
  EXPECT_TRUE(world.wait_for("lost: connect to 127.0.0.1: Connection refused"));
  EXPECT_EQ(world.count("connected"), 0U);
}

TEST_F(UpstreamTest, ReportsAnUnresolvedNameInALaterTurn) {
  connect_to({});
  EXPECT_TRUE(world.wait_for("lost: the upstream's name is not resolved"));
}

TEST_F(UpstreamTest, ForgetsAConnectThatTheEngineGaveUp) {
  // 192.0.2.0/24 answers nobody (RFC 5737), or is unreachable at once: both must end without a word to the engine.
  connect_to({endpoint(boost::asio::ip::make_address_v4("192.0.2.1"), 6379)});
  on_worker([&] {
    world.shell->close(*connection, session::close_how::reset);
    world.note("given up");
  });
  ASSERT_TRUE(world.wait_for("given up"));
  on_worker([&] { world.note("later"); });
  ASSERT_TRUE(world.wait_for("later"));
  EXPECT_EQ(world.count("connected"), 0U);
}

TEST_F(UpstreamTest, SpeaksToAVerifiedServer) {
  trust("localhost", ca.file());
  const certificate_files shown = ca.issue("server");
  test_listener server;
  connect_to({local(server.port())});
  peer_socket accepted = server.accept();
  ASSERT_TRUE(accepted.start_tls_as_server(shown.certificate, shown.key));
  EXPECT_EQ(accepted.read(6), "SECRET");
  ASSERT_TRUE(accepted.send("+OK"));
  EXPECT_TRUE(world.wait_for("heard +OK"));
  EXPECT_EQ(one->tls().upstream_handshakes.load(), 1U);
}

TEST_F(UpstreamTest, SaysNothingToAServerOfAnotherAuthority) {
  authority other(files, "other");
  trust("localhost", ca.file());
  EXPECT_EQ(refusal(other.issue("server")), "certificate not accepted: unable to get local issuer certificate");
  EXPECT_EQ(one->tls().upstream_refused.load(), 1U);
}

TEST_F(UpstreamTest, SaysNothingToAServerOfAnotherName) {
  trust("master.example.cache.amazonaws.com", ca.file());
  EXPECT_EQ(refusal(ca.issue("server")), "certificate not accepted: hostname mismatch");
}

TEST_F(UpstreamTest, SaysNothingToAServerWhoseCertificateExpired) {
  trust("localhost", ca.file());
  EXPECT_EQ(refusal(ca.issue("server", {.not_before_days = -9, .not_after_days = -1})),
            "certificate not accepted: certificate has expired");
}

TEST_F(UpstreamTest, SaysNothingToASelfSignedServer) {
  trust("localhost", ca.file());
  EXPECT_EQ(refusal(authority::self_signed(files, "self")), "certificate not accepted: self-signed certificate");
}

TEST_F(UpstreamTest, SaysNothingToAServerThatDoesNotSpeakTls) {
  trust("localhost", ca.file());
  test_listener server;
  connect_to({local(server.port())});
  peer_socket accepted = server.accept();
  ASSERT_TRUE(accepted.send("-ERR unknown command\r\n"));
  EXPECT_EQ(accepted.read_to_end().find("SECRET"), std::string::npos);
  EXPECT_TRUE(world.wait_for("lost: TLS: wrong version number"));
}

TEST_F(UpstreamTest, ConnectsToNobodyWhenTlsIsAskedForAndCannotBeSetUp) {
  upstream_tls = true;  // and no context
  test_listener server;
  connect_to({local(server.port())});
  EXPECT_TRUE(world.wait_for("lost: TLS to the upstream is not set up: see the last reload's error"));
  // Its connect may have been given up before it was through; if it was, nothing came by it.
  if (server.has_pending()) {
    EXPECT_EQ(server.accept().read_to_end(), "");
  }
}

}  // namespace
}  // namespace tidegate::net_test
