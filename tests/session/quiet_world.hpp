// A world that answers at once and allocates nothing, for those who count what the machines cost.
//
// Thread safety: none. Ownership: borrows what the engine hands it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "config/config.hpp"
#include "proxy/session/engine.hpp"
#include "proxy/session/upstream_connection.hpp"

namespace tidegate::session::testing_support {

// Answers every command with one fixed line, and counts bytes; allocates nothing once its buffers have grown.
class quiet_world final : public shell {
 public:
  quiet_world() { due_.reserve(64); }

  void connect(upstream_connection& connection) override { connecting_ = &connection; }
  std::ptrdiff_t send(stream& to, std::string_view bytes) override {
    if (to.which() == stream::side::client) {
      to_clients += bytes.size();
    } else {
      upstream_ = static_cast<upstream_connection*>(&to);
      for (std::size_t at = bytes.find('*'); at != std::string_view::npos; at = bytes.find("\r\n*", at + 1))
        ++commands_;
    }
    return static_cast<std::ptrdiff_t>(bytes.size());
  }
  void resume_reading(stream& /*from*/) override {}
  void close(stream& which, close_how /*how*/) override { which.io = nullptr; }

  void finish_connecting(engine& e) {
    if (connecting_ == nullptr) return;
    upstream_connection* const connection = std::exchange(connecting_, nullptr);
    connection->io = this;
    e.connected(*connection);
  }
  void answer(engine& e) {
    const std::size_t count = std::exchange(commands_, 0);
    if (count == 0) return;
    due_.clear();
    for (std::size_t i = 0; i < count; ++i) due_ += ":1\r\n";
    e.received(*upstream_, due_);
  }
  [[nodiscard]] bool busy() const { return commands_ != 0 || connecting_ != nullptr; }

  std::uint64_t to_clients = 0;

 private:
  upstream_connection* connecting_ = nullptr;
  upstream_connection* upstream_ = nullptr;
  std::size_t commands_ = 0;
  std::string due_;
};

// 30 patterns, three TTL rules, five limit rules that admit.
inline std::shared_ptr<const config::config> steady_config() {
  auto c = std::make_shared<config::config>();
  c->instance = "hot";
  for (int i = 0; i < 30; ++i) c->attribution.patterns.push_back("pattern" + std::to_string(i) + ":*");
  for (int i = 0; i < 3; ++i) {
    config::ttl_rule rule;
    rule.pattern = "pattern" + std::to_string(i) + ":*";
    rule.default_ttl = std::chrono::milliseconds(60'000);
    rule.max_ttl = std::chrono::milliseconds(90'000);
    rule.jitter = 0.1;
    c->ttl.push_back(rule);
  }
  for (int i = 0; i < 5; ++i) {
    config::limit_rule rule;
    rule.name = "rule" + std::to_string(i);
    rule.rate = 1e9;
    rule.burst = 1e9;
    if (i == 1) rule.match_key = "pattern*";
    if (i == 2) rule.per = config::limit_per::connection;
    if (i == 3) rule.cost = config::limit_cost::byte;
    if (i == 4) rule.per = config::limit_per::rule;
    c->limits.push_back(rule);
  }
  return c;
}

}  // namespace tidegate::session::testing_support
