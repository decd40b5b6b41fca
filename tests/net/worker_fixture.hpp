// A worker with a scripted engine behind one listener on loopback.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "proxy/net/worker.hpp"
#include "tests/net/certificates.hpp"
#include "tests/net/fake_engine.hpp"
#include "tests/net/peer_socket.hpp"

namespace tidegate::net_test {

struct WorkerTest : testing::Test {
  void TearDown() override {
    if (one) one->stop();
    one.reset();
    EXPECT_EQ(shared.clients.load(), 0) << "a client's place was not given back";
  }

  // `tls` = the listener speaks TLS with a certificate of `ca`.
  void start(bool tls = false, config::client_auth auth = config::client_auth::none) {
    net::tls_contexts contexts;
    contexts.listeners.push_back(nullptr);
    if (tls) {
      const certificate_files shown = ca.issue("listener");
      contexts.listeners[0] = net::tls_context::for_clients({shown.certificate, shown.key, ca.file(), auth}).value();
    }
    contexts.upstream = upstream_context;
    contexts.upstream_tls = upstream_tls;
    make();
    config::listener where;
    where.address = "127.0.0.1";
    net::inherited_sockets none;
    auto bound = net::bind_listener(where, 1, none).value();
    port = bound.port;
    ASSERT_TRUE(one->add_listener(std::move(bound.sockets[0]), 0).has_value());
    one->post_tls(std::move(contexts));
    one->start();
  }
  void make() {
    if (!one) one = std::make_unique<net::worker>(session::engine_options{}, shared);
  }
  void on_worker(std::function<void()> what) {
    world.later(std::move(what));
    one->wake();
  }

  // Returns when the turn that was under way is over.
  void finish_turn() {
    const std::string name = "turn " + std::to_string(++fences);
    on_worker([this, name] { world.note(name); });
    ASSERT_TRUE(world.wait_for(name));
  }

  int fences = 0;
  folder files;
  authority ca{files, "ca"};
  fake_world world;
  net::admission shared{.clients = 0, .clients_peak = 0, .clients_max = 1000};
  std::shared_ptr<const net::tls_context> upstream_context;
  bool upstream_tls = false;
  std::uint16_t port = 0;
  std::unique_ptr<net::worker> one;
};

}  // namespace tidegate::net_test
