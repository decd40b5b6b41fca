// One connection of the control thread's own to the upstream, plain or TLS: asks in batches, each with a deadline.
//
// Thread safety: none; used on the control thread's io_context. One operation at a time.
// Ownership: owns its socket; connects once: who reconnects makes a new link. close() ends an operation under way.
// Invariants: an error leaves the link closed: an answer can never be taken for that of a later question. Cost: control
// path only.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "proxy/net/control_reply.hpp"

namespace tidegate::net {

using endpoints = std::vector<boost::asio::ip::tcp::endpoint>;

// What is sent in one write, and the names that commandstats will count it under.
class question {
 public:
  // name: as in commandstats. words: the command itself.
  void add(std::string_view name, const std::vector<std::string_view>& words);
  [[nodiscard]] const std::string& bytes() const noexcept { return bytes_; }
  [[nodiscard]] const std::vector<std::string_view>& names() const noexcept { return names_; }

 private:
  std::string bytes_;
  std::vector<std::string_view> names_;  // of literals
};

using answers = std::expected<std::vector<reply>, std::string>;

class control_link {
 public:
  control_link(boost::asio::io_context& context, const config::upstream& upstream);
  ~control_link();
  control_link(const control_link&) = delete;
  control_link& operator=(const control_link&) = delete;

  // Tries the addresses in order; TLS is verified against the upstream's host name. Empty text = connected, else why
  // not.
  [[nodiscard]] boost::asio::awaitable<std::string> connect(const endpoints& addresses);
  [[nodiscard]] boost::asio::awaitable<answers> ask(const question& what, std::chrono::milliseconds deadline);
  // Unix time at which the first certificate that the upstream showed ends; 0 without TLS.
  [[nodiscard]] std::int64_t certificate_not_after() const noexcept;
  void close();
  // Where it is connected to.
  [[nodiscard]] boost::asio::ip::tcp::endpoint remote() const;

 private:
  struct transport;
  boost::asio::io_context& context_;
  config::upstream upstream_;
  std::unique_ptr<transport> transport_;
  reply_reader reader_;
};

// Numeric hosts need no resolver. The error says what the resolver said.
[[nodiscard]] boost::asio::awaitable<std::expected<endpoints, std::string>> resolve(const config::upstream& upstream);

}  // namespace tidegate::net
