// One worker over real sockets on loopback, with a scripted engine: what it tells the engine, and when.
#include "proxy/net/worker.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "tests/net/worker_fixture.hpp"

namespace tidegate::net_test {
namespace {

using session::close_how;

// --- clients

TEST_F(WorkerTest, CarriesBytesBothWays) {
  start();
  peer_socket client = peer_socket::connect(port);
  ASSERT_TRUE(client.send("hello"));
  EXPECT_EQ(client.read(5), "hello");
  client.finish_sending();
  EXPECT_EQ(client.read_to_end(), "");
  EXPECT_EQ(world.count("end"), 1U);
}

TEST_F(WorkerTest, CarriesMegabytesThroughTlsToAClientThatReadsLate) {
  start(true);
  peer_socket client = peer_socket::connect(port, 4096);
  ASSERT_TRUE(client.start_tls());
  std::string much;
  while (much.size() < (4U << 20)) much += std::to_string(much.size());
  world.later([&] {
    for (fake_stream* one_client : world.clients) world.send(*one_client, much);
  });
  one->wake();
  EXPECT_EQ(client.read(much.size()), much);
  EXPECT_EQ(one->tls().client_handshakes.load(), 1U);
}

TEST_F(WorkerTest, TellsTheEngineWhoTheClientIs) {
  std::string subject;
  attribution::address source;
  world.on_accepted = [&](fake_stream& client) {
    subject = client.who.tls_subject;
    source = client.who.source;
    EXPECT_TRUE(client.who.tls);
    world.note("looked");
  };
  start(true, config::client_auth::required);
  const certificate_files shown = ca.issue("client", {.names = "DNS:isales"});
  peer_socket client = peer_socket::connect(port);
  ASSERT_TRUE(client.start_tls(shown.certificate, shown.key));
  ASSERT_TRUE(world.wait_for("looked"));
  EXPECT_EQ(subject, "isales");
  EXPECT_FALSE(source.v6);
  EXPECT_EQ(source.bytes[0], 127);
  EXPECT_EQ(source.bytes[3], 1);
}

TEST_F(WorkerTest, NeverShowsTheEngineAClientWhoseCertificateIsRefused) {
  start(true, config::client_auth::required);
  peer_socket client = peer_socket::connect(port);
  client.start_tls();  // TLS 1.3: its own side may think that it is done
  client.send("PING\r\n");
  EXPECT_NE(client.read_to_end().find("RESET"), std::string::npos);  // an alert, to OpenSSL no clean end
  finish_turn();
  EXPECT_EQ(one->tls().client_refused.load(), 1U);
  EXPECT_EQ(world.count("accepted"), 0U);
}

TEST_F(WorkerTest, ClosesPlainBytesOnATlsPortCleanly) {
  start(true);
  peer_socket client = peer_socket::connect(port);
  ASSERT_TRUE(client.send("*1\r\n$4\r\nPING\r\n" + std::string(100'000, 'x')));
  const std::string got = client.read_to_end();
  EXPECT_EQ(got.find("RESET"), std::string::npos);
  EXPECT_EQ(got.find("TIMEOUT"), std::string::npos);
  EXPECT_EQ(world.count("accepted"), 0U);
  EXPECT_EQ(one->tls().client_refused.load(), 1U);
}

TEST_F(WorkerTest, EndsAHandshakeThatDoesNotComeToItsEnd) {
  start(true);
  peer_socket client = peer_socket::connect(port);
  ASSERT_TRUE(client.send(std::string_view("\x16\x03\x01", 3)));
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(client.read_to_end(), "RESET");  // after handshake_deadline, before the client's own patience is over
  const auto took = std::chrono::steady_clock::now() - began;
  EXPECT_GE(took, std::chrono::nanoseconds(net::bounds::handshake_deadline - 500'000'000));
  EXPECT_EQ(one->tls().client_refused.load(), 1U);
}

TEST_F(WorkerTest, HandsOverWhatAClientSentBeforeItsFinThoughItIsPaused) {
  world.on_received = [&](session::stream& from, std::string_view) {
    static_cast<fake_stream&>(from).want_read(false);
    world.note("received");
  };
  start();
  peer_socket client = peer_socket::connect(port);
  ASSERT_TRUE(client.send("a"));
  ASSERT_TRUE(world.wait_for("received"));
  const std::string rest(30'000, 'b');  // no more than the receive window: the FIN must get through
  ASSERT_TRUE(client.send(rest));
  client.finish_sending();
  ASSERT_TRUE(world.wait_for("end"));
  client.read_to_end();
  one->stop();
  EXPECT_EQ(world.received_bytes, 1 + rest.size());
}

TEST_F(WorkerTest, DoesNotReadAPausedClientThatMaySendMore) {
  world.on_received = [&](session::stream& from, std::string_view) {
    static_cast<fake_stream&>(from).want_read(false);
    world.note("received");
  };
  start();
  peer_socket client = peer_socket::connect(port);
  ASSERT_TRUE(client.send("a"));
  ASSERT_TRUE(world.wait_for("received"));
  ASSERT_TRUE(client.send("b"));
  finish_turn();
  finish_turn();
  EXPECT_EQ(world.count("received"), 1U);
  on_worker([&] {
    world.clients.front()->want_read(true);
    world.shell->resume_reading(*world.clients.front());
  });
  EXPECT_TRUE(world.wait_for("received", 2));
}

TEST_F(WorkerTest, ReadsAgainAfterAPauseWhatOpensslHadAlreadyTaken) {
  // All records are in OpenSSL's own buffer when the pause ends: epoll will never speak of them.
  std::string got;
  world.on_received = [&](session::stream& from, std::string_view bytes) {
    got += bytes;
    static_cast<fake_stream&>(from).want_read(false);
    world.note("received");
  };
  start(true);
  peer_socket client = peer_socket::connect(port);
  ASSERT_TRUE(client.start_tls());
  const std::string much(net::bounds::scratch_bytes * 3 + 5, 'x');
  ASSERT_TRUE(client.send(much));
  for (std::size_t i = 1; i < 64; ++i) {
    ASSERT_TRUE(world.wait_for("received", i));
    bool complete = false;
    on_worker([&, i] {
      complete = got.size() == much.size();
      if (!complete) {
        world.clients.front()->want_read(true);
        world.shell->resume_reading(*world.clients.front());
      }
      world.note("asked " + std::to_string(i));  // the last word: `complete` is gone soon after it
    });
    ASSERT_TRUE(world.wait_for("asked " + std::to_string(i)));
    if (complete) break;
  }
  one->stop();
  EXPECT_EQ(got, much);
}

TEST_F(WorkerTest, NoticesThatAPausedClientIsGone) {
  world.on_received = [&](session::stream& from, std::string_view) {
    static_cast<fake_stream&>(from).want_read(false);
    world.note("received");
  };
  start();
  peer_socket client = peer_socket::connect(port);
  ASSERT_TRUE(client.send("a"));
  ASSERT_TRUE(world.wait_for("received"));
  client.reset();
  EXPECT_TRUE(world.wait_for("lost: client gone"));
}

TEST_F(WorkerTest, NoticesThatAClientThatFinishedSendingIsGoneAltogether) {
  world.on_end = [](session::stream&) {};  // it waits for replies
  start();
  peer_socket client = peer_socket::connect(port);
  ASSERT_TRUE(client.send("a"));
  EXPECT_EQ(client.read(1), "a");
  client.finish_sending();
  ASSERT_TRUE(world.wait_for("end"));
  client.reset();
  EXPECT_TRUE(world.wait_for("lost: client gone"));
  EXPECT_EQ(world.count("end"), 1U);
}

TEST_F(WorkerTest, ReportsAReset) {
  start();
  peer_socket client = peer_socket::connect(port);
  ASSERT_TRUE(client.send("a"));
  EXPECT_EQ(client.read(1), "a");
  client.reset();
  EXPECT_TRUE(world.wait_for("lost: Connection reset by peer"));
}

// Without lingering the unread bytes would turn the close into a reset, which takes the last words with it.
struct LastWords : WorkerTest, testing::WithParamInterface<bool> {};

TEST_P(LastWords, ReachAClientThatIsStillWriting) {
  world.on_received = [&](session::stream& from, std::string_view) {
    ASSERT_EQ(world.shell->send(from, "-ERR Protocol error\r\n"), 21);
    world.close(from, close_how::graceful);
    world.note("closed");
  };
  start(GetParam());
  peer_socket client = peer_socket::connect(port);
  if (GetParam()) {
    ASSERT_TRUE(client.start_tls());
  }
  ASSERT_TRUE(client.send("x"));
  ASSERT_TRUE(world.wait_for("closed"));
  // Far more than socket buffers hold, less than lingering_bytes.
  EXPECT_TRUE(client.send(std::string(3U << 20, 'x')));
  EXPECT_EQ(client.read_to_end(), "-ERR Protocol error\r\n");
}

INSTANTIATE_TEST_SUITE_P(PlainAndTls, LastWords, testing::Bool());

TEST_F(WorkerTest, GivesUpAClientThatNeverStopsWritingAfterTheLastWord) {
  world.on_received = [&](session::stream& from, std::string_view) {
    if (from.io != nullptr) world.close(from, close_how::graceful);
  };
  start();
  peer_socket client = peer_socket::connect(port);
  const std::string chunk(1U << 20, 'x');
  int sent = 0;
  while (sent < 64 && client.send(chunk)) ++sent;
  EXPECT_LT(sent, 64);  // reset after lingering_bytes; socket buffers take some more
}

TEST_F(WorkerTest, LetsOneConnectionsBytesCloseEveryOther) {
  // Redis CVE-2026-81934: one connection freed while a list of those with TLS bytes pending still named it.
  world.on_received = [&](session::stream& from, std::string_view) {
    const std::vector<fake_stream*> all = world.clients;
    for (fake_stream* other : all) {
      if (other != &from) world.close(*other, close_how::reset);
    }
    world.close(from, close_how::reset);
    world.note("all closed");
  };
  start(true);
  for (std::size_t round = 1; round <= 20; ++round) {
    const std::size_t before = world.count("accepted");
    std::vector<peer_socket> clients;
    for (int i = 0; i < 8; ++i) {
      clients.push_back(peer_socket::connect(port));
      ASSERT_TRUE(clients.back().start_tls());
    }
    ASSERT_TRUE(world.wait_for("accepted", before + 8));
    for (peer_socket& client : clients) client.send(std::string(200'000, 'x'));
    ASSERT_TRUE(world.wait_for("all closed", round));
    for (peer_socket& client : clients) client.read_to_end();
  }
}

TEST_F(WorkerTest, MayLoseAClientWithinItsOwnAcceptance) {
  world.on_accepted = [&](fake_stream& client) {
    ASSERT_EQ(world.shell->send(client, "-ERR shutting down\r\n"), 20);
    world.close(client, close_how::graceful);
  };
  start();
  EXPECT_EQ(peer_socket::connect(port).read_to_end(), "-ERR shutting down\r\n");
}

TEST_F(WorkerTest, TellsTheClientBeyondTheBoundWhatRedisTells) {
  shared.clients_max = 2;
  start();
  peer_socket first = peer_socket::connect(port), second = peer_socket::connect(port);
  ASSERT_TRUE(world.wait_for("accepted", 2));
  EXPECT_EQ(peer_socket::connect(port).read_to_end(), "-ERR max number of clients reached\r\n");
  EXPECT_EQ(one->accept_errors(), 1U);
  first.finish_sending();
  EXPECT_EQ(first.read_to_end(), "");
  peer_socket third = peer_socket::connect(port);
  EXPECT_TRUE(world.wait_for("accepted", 3));
}

TEST_F(WorkerTest, OutlivesRunningOutOfDescriptors) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "UBSan looks at a vptr through a pipe, for which there is no descriptor here either";
#endif
  start();
  peer_socket before = peer_socket::connect(port);
  ASSERT_TRUE(world.wait_for("accepted"));
  rlimit old{};
  ::getrlimit(RLIMIT_NOFILE, &old);
  // Clients' own ends exist already; no further descriptor can be had by anybody in this process.
  const int a = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), b = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  rlimit tight = old;
  tight.rlim_cur = 3;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = __builtin_bswap16(port);
  where.sin_addr.s_addr = __builtin_bswap32(INADDR_LOOPBACK);
  const std::uint64_t turns = world.turns;
  const auto began = std::chrono::steady_clock::now();
  ASSERT_EQ(::connect(a, reinterpret_cast<const sockaddr*>(&where), sizeof(where)), 0);
  ASSERT_EQ(::connect(b, reinterpret_cast<const sockaddr*>(&where), sizeof(where)), 0);
  while (one->accept_errors() < 4 && std::chrono::steady_clock::now() - began < std::chrono::seconds(10)) {
    ASSERT_TRUE(before.send("x"));  // who was connected is served all the while
    ASSERT_EQ(before.read(1), "x");
  }
  const auto took = std::chrono::steady_clock::now() - began;
  ::setrlimit(RLIMIT_NOFILE, &old);
  EXPECT_GE(one->accept_errors(), 4U);
  EXPECT_GE(took, 3 * std::chrono::nanoseconds(net::bounds::accept_rest)) << "it did not rest";
  EXPECT_GT(world.turns, turns);
  ::close(a);
  ::close(b);
  peer_socket after = peer_socket::connect(port);
  ASSERT_TRUE(after.send("y"));
  EXPECT_EQ(after.read(1), "y");
}

TEST_F(WorkerTest, RestsInsteadOfSpinningWhileNothingHappens) {
  start();
  peer_socket client = peer_socket::connect(port);
  ASSERT_TRUE(client.send("x"));
  ASSERT_EQ(client.read(1), "x");
  const std::uint64_t turns = world.turns;
  peer_socket silent = peer_socket::connect(port);
  timeval patience{1, 500'000};
  ::setsockopt(silent.fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  EXPECT_EQ(silent.read_to_end(), "TIMEOUT");
  EXPECT_LE(world.turns - turns, 8U);
}

TEST_F(WorkerTest, StopsListeningWhenItDrainsAndServesWhoIsThere) {
  start();
  peer_socket client = peer_socket::connect(port);
  ASSERT_TRUE(world.wait_for("accepted"));
  one->post_drain();
  finish_turn();
  EXPECT_LT(peer_socket::connect(port).fd(), 0);
  ASSERT_TRUE(client.send("x"));
  EXPECT_EQ(client.read(1), "x");
}

}  // namespace
}  // namespace tidegate::net_test
