// Binding: who may share a port, and who may not.
#include "proxy/net/listener.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <string>

#include "tests/net/peer_socket.hpp"

namespace tidegate::net_test {
namespace {

std::expected<net::bound_listener, std::string> bind(const config::listener& where, std::uint32_t workers) {
  net::inherited_sockets none;
  return net::bind_listener(where, workers, none);
}

config::listener at(const std::string& address, std::uint16_t port) {
  config::listener where;
  where.address = address;
  where.port = port;
  return where;
}

int option(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof(value);
  ::getsockopt(fd, level, name, &value, &size);
  return value;
}

TEST(Listener, GivesEveryWorkerASocketOfTheSamePortThatTheSystemChose) {
  const auto bound = bind(at("127.0.0.1", 0), 3);
  ASSERT_TRUE(bound.has_value()) << bound.error();
  ASSERT_EQ(bound->sockets.size(), 3U);
  ASSERT_NE(bound->port, 0);
  for (const auto& fd : bound->sockets) {
    sockaddr_in where{};
    socklen_t size = sizeof(where);
    ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&where), &size);
    EXPECT_EQ(ntohs(where.sin_port), bound->port);
  }
}

TEST(Listener, RefusesAPortThatAnotherProxyOfTheSameUserServes) {
  const auto first = bind(at("127.0.0.1", 0), 1);
  ASSERT_TRUE(first.has_value());
  const auto second = bind(at("127.0.0.1", first->port), 1);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error(),
            "cannot listen on 127.0.0.1:" + std::to_string(first->port) +
                ": Address already in use (another process serves this port: stop it or choose another one)");
}

TEST(Listener, SaysWhenTheMachineHasNoSuchAddress) {
  const auto bound = bind(at("192.0.2.7", 1234), 1);
  ASSERT_FALSE(bound.has_value());
  EXPECT_NE(bound.error().find("192.0.2.7:1234"), std::string::npos);
  EXPECT_NE(bound.error().find("no such address"), std::string::npos);
  EXPECT_FALSE(bind(at("localhost", 1234), 1).has_value());
}

TEST(Listener, TakesIpv6AloneOnAnIpv6Address) {
  const auto bound = bind(at("::", 0), 1);
  if (!bound.has_value()) GTEST_SKIP() << "no IPv6 here: " << bound.error();
  EXPECT_EQ(option(bound->sockets[0].get(), IPPROTO_IPV6, IPV6_V6ONLY), 1);
  EXPECT_LT(peer_socket::connect(bound->port).fd(), 0);
}

TEST(Listener, AcceptsTunedSocketsWithTheirSource) {
  net::poller poller;
  auto bound = bind(at("127.0.0.1", 0), 1);
  net::acceptor acceptor(0);
  ASSERT_TRUE(acceptor.open(poller, bound->sockets[0].release(), true, false));
  net::accepted_socket got;
  EXPECT_EQ(acceptor.accept(got), net::accept_status::empty);
  const peer_socket client = peer_socket::connect(bound->port);
  ASSERT_EQ(acceptor.accept(got), net::accept_status::accepted);
  EXPECT_EQ(got.source.to_string(), "127.0.0.1");
  EXPECT_EQ(option(got.fd, IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(option(got.fd, SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(option(got.fd, IPPROTO_TCP, TCP_KEEPIDLE), 60);
  EXPECT_EQ(option(got.fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 30'000);
  const net::unique_fd owned(got.fd);
}

}  // namespace
}  // namespace tidegate::net_test
