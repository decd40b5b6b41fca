#include "proxy/admin/admin_server.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <thread>

#include "proxy/admin/json_view.hpp"
#include "proxy/admin/metrics.hpp"
#include "proxy/admin/page.hpp"
#include "proxy/admin/recent.hpp"
#include "proxy/admin/routes.hpp"

namespace tidegate::admin {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
// After a failed accept (no descriptors left) the listener rests instead of spinning.
constexpr std::chrono::milliseconds accept_rest{100};

using response = http::response<http::string_body>;

response make_response(const admin_answer& answer, unsigned version, bool keep_alive) {
  response made(static_cast<http::status>(answer.status), version);
  made.set(http::field::content_type, answer.content_type);
  made.set(http::field::cache_control, "no-store");
  made.set("X-Content-Type-Options", "nosniff");
  if (answer.is_page) {
    made.set("Content-Security-Policy", page_security_policy);
    made.set("X-Frame-Options", "DENY");
    made.set("Referrer-Policy", "no-referrer");
  }
  if (!answer.allow.empty()) made.set(http::field::allow, answer.allow);
  if (answer.ask_for_token) made.set(http::field::www_authenticate, "Bearer");
  made.keep_alive(keep_alive);
  made.body() = answer.body;
  made.prepare_payload();
  return made;
}

// What to say to a request that cannot be read; 0 = nothing, the peer is gone or too slow.
unsigned status_for(error_code error) {
  if (error == http::error::header_limit) return 431;
  if (error == http::error::body_limit || error == http::error::buffer_overflow) return 413;
  if (error == http::error::end_of_stream || error == http::error::partial_message) return 0;
  return error.category() == error_code(http::error::bad_method).category() ? 400 : 0;
}

}  // namespace

struct admin_server::state {
  explicit state(options opts) : given(std::move(opts)), acceptor(context) { given.from.recent = &seen; }

  // Looks at the counters every second, for trends and rates.
  asio::awaitable<void> watch();

  asio::awaitable<void> accept();
  asio::awaitable<void> serve(tcp::socket socket);
  // One request and its answer; true if the connection goes on.
  asio::awaitable<bool> exchange(beast::tcp_stream& stream, beast::flat_buffer& buffer);
  asio::awaitable<bool> send(beast::tcp_stream& stream, response& answer, bool head);

  options given;
  asio::io_context context{1};
  tcp::acceptor acceptor;
  recent seen;
  tcp::endpoint bound;
  std::size_t connections = 0;
  std::thread thread;
};

asio::awaitable<void> admin_server::state::accept() {
  for (;;) {
    auto accepting = co_await acceptor.async_accept(as_result);
    const error_code error = std::get<0>(accepting);
    if (error == asio::error::operation_aborted) co_return;
    if (error) {
      asio::steady_timer rest(context, accept_rest);
      co_await rest.async_wait(as_result);
      continue;
    }
    tcp::socket socket = std::move(std::get<1>(accepting));
    if (connections >= given.limits.connections_max) continue;  // closed as it goes out of scope
    ++connections;
    asio::co_spawn(context, serve(std::move(socket)), [this](std::exception_ptr) { --connections; });
  }
}

asio::awaitable<void> admin_server::state::watch() {
  asio::steady_timer timer(context);
  for (;;) {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    seen.add(given.from, std::chrono::duration_cast<std::chrono::milliseconds>(now), info_stale_after);
    timer.expires_after(sample_interval);
    const auto waited = co_await timer.async_wait(as_result);
    if (std::get<0>(waited)) co_return;
  }
}

asio::awaitable<void> admin_server::state::serve(tcp::socket socket) {
  beast::tcp_stream stream(std::move(socket));
  beast::flat_buffer buffer(given.limits.header_bytes_max + given.limits.body_bytes_max);
  bool goes_on = true;
  while (goes_on) goes_on = co_await exchange(stream, buffer);
  error_code ignored;
  stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
  // What the peer still sends is read for a moment, else the reset would overtake the answer it has not read yet.
  std::array<char, 4096> scratch;
  stream.expires_after(std::min(given.limits.deadline, std::chrono::milliseconds(1000)));
  for (std::size_t total = 0; total < given.limits.body_bytes_max * 4;) {
    auto reading = co_await stream.async_read_some(asio::buffer(scratch), as_result);
    if (std::get<0>(reading)) break;
    total += std::get<1>(reading);
  }
}

asio::awaitable<bool> admin_server::state::exchange(beast::tcp_stream& stream, beast::flat_buffer& buffer) {
  http::request_parser<http::string_body> parser;
  parser.header_limit(static_cast<std::uint32_t>(given.limits.header_bytes_max));
  parser.body_limit(given.limits.body_bytes_max);
  // One deadline for the whole request: a client that sends a byte now and then gains no time by it.
  stream.expires_after(given.limits.deadline);
  auto reading = co_await http::async_read(stream, buffer, parser, as_result);
  const error_code error = std::get<0>(reading);
  if (error) {
    const unsigned status = status_for(error);
    if (status == 0) co_return false;
    admin_answer refused;
    refused.status = status;
    refused.body = message_json("error", "the request cannot be read");
    response answer = make_response(refused, 11, false);
    co_await send(stream, answer, false);
    co_return false;
  }
  const http::request<http::string_body>& got = parser.get();
  const auto text = [](beast::string_view from) { return std::string_view(from.data(), from.size()); };
  const std::shared_ptr<const policy::snapshot> snapshot = given.from.snapshot();
  admin_request asked;
  asked.method = text(got.method_string());
  asked.target = text(got.target());
  asked.authorization = text(got[http::field::authorization]);
  asked.body = got.body();
  asked.user = text(got["X-Tidegate-User"]);
  error_code unknown;
  const std::string remote = stream.socket().remote_endpoint(unknown).address().to_string();
  if (!unknown) asked.remote = remote;
  const admin_answer made =
      answer_admin(asked, given.from, snapshot->config->admin.token, bound.address().is_loopback());
  response answer = make_response(made, got.version(), got.keep_alive());
  const bool sent = co_await send(stream, answer, asked.method == "HEAD");
  co_return sent&& got.keep_alive();
}

asio::awaitable<bool> admin_server::state::send(beast::tcp_stream& stream, response& answer, bool head) {
  stream.expires_after(given.limits.deadline);
  error_code error;
  if (head) {
    http::response<http::empty_body> only_header(std::move(answer.base()));
    auto writing = co_await http::async_write(stream, only_header, as_result);
    error = std::get<0>(writing);
  } else {
    auto writing = co_await http::async_write(stream, answer, as_result);
    error = std::get<0>(writing);
  }
  co_return !error;
}

admin_server::admin_server(options opts) : state_(std::make_unique<state>(std::move(opts))) {}

admin_server::~admin_server() {
  stop();
}

std::expected<void, std::string> admin_server::start() {
  state& s = *state_;
  const std::string where = s.given.address + ":" + std::to_string(s.given.port);
  error_code error;
  const asio::ip::address address = asio::ip::make_address(s.given.address, error);
  const tcp::endpoint wanted(address, s.given.port);
  const auto attempt = [&error](auto&& step) {
    if (!error) step();
  };
  attempt([&] { s.acceptor.open(wanted.protocol(), error); });
  attempt([&] { s.acceptor.set_option(tcp::acceptor::reuse_address(true), error); });
  attempt([&] { s.acceptor.bind(wanted, error); });
  attempt([&] { s.acceptor.listen(asio::socket_base::max_listen_connections, error); });
  attempt([&] { s.bound = s.acceptor.local_endpoint(error); });
  if (error) {
    error_code ignored;
    s.acceptor.close(ignored);  // so that it can be tried again
    return std::unexpected("admin.address " + where + ": " + error.message() + "; choose a free address");
  }
  asio::co_spawn(s.context, s.accept(), asio::detached);
  asio::co_spawn(s.context, s.watch(), asio::detached);
  s.thread = std::thread([&s] { s.context.run(); });
  return {};
}

void admin_server::stop() {
  state_->context.stop();
  if (state_->thread.joinable()) state_->thread.join();
  error_code ignored;
  state_->acceptor.close(ignored);  // the address is free for a successor from here on
}

tcp::endpoint admin_server::endpoint() const {
  return state_->bound;
}

}  // namespace tidegate::admin
