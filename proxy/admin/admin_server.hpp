// The admin HTTP server: metrics, health, and the read side of the API, on a thread of its own.
//
// Thread safety: start() and stop() from one thread. Ownership: owns its thread, io_context and sockets.
// Invariants: (1) at most `connections_max` connections, each request within its deadline and size, so that whoever
// holds it open costs little and delays neither control nor workers; (2) GETs under /api need the token unless the
// listener is on loopback; (3) no answer holds a credential. Cost: one thread that sleeps.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>

#include "proxy/admin/sources.hpp"

namespace tidegate::admin {

struct admin_limits {
  std::size_t connections_max = 32;
  std::size_t header_bytes_max = 16U << 10;
  std::size_t body_bytes_max = 64U << 10;
  // For a whole request to arrive, and for a whole answer to leave.
  std::chrono::milliseconds deadline{10000};
};

class admin_server {
 public:
  struct options {
    std::string address;  // numeric
    std::uint16_t port = 0;
    sources from;
    admin_limits limits;
  };
  explicit admin_server(options opts);
  ~admin_server();
  admin_server(const admin_server&) = delete;
  admin_server& operator=(const admin_server&) = delete;

  // Binds and starts the thread. The error names the address and the remedy.
  [[nodiscard]] std::expected<void, std::string> start();
  void stop();
  [[nodiscard]] boost::asio::ip::tcp::endpoint endpoint() const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace tidegate::admin
