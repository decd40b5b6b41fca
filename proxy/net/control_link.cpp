#include "proxy/net/control_link.hpp"

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <optional>

#include "proxy/net/tls_context.hpp"
#include "resp/encoder.hpp"

namespace tidegate::net {
namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

bool numeric(const std::string& host) {
  error_code error;
  static_cast<void>(asio::ip::make_address(host, error));
  return !error;
}

std::string describe(const char* what, error_code error) {
  if (error == beast::error::timeout) return std::string(what) + ": no answer in time";
  return std::string(what) + ": " + error.message();
}

// Verified as strictly as the workers verify: a control connection that trusted more would call an upstream reachable
// that no client can use.
std::string prepare(asio::ssl::context& tls, const config::upstream& upstream) {
  error_code error;
  SSL_CTX_set_min_proto_version(tls.native_handle(), TLS1_2_VERSION);
  SSL_CTX_set_options(tls.native_handle(), SSL_OP_NO_RENEGOTIATION);
  if (upstream.ca.empty()) {
    tls.set_default_verify_paths(error);
  } else {
    tls.load_verify_file(upstream.ca, error);
  }
  if (error) return describe(("upstream CA " + upstream.ca).c_str(), error);
  tls.set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert, error);
  tls.set_verify_callback(asio::ssl::host_name_verification(upstream.host), error);
  return error ? describe("TLS", error) : std::string();
}

}  // namespace

void question::add(std::string_view name, const std::vector<std::string_view>& words) {
  names_.push_back(name);
  resp::append_array_header(bytes_, words.size());
  for (const std::string_view word : words) resp::append_bulk(bytes_, word);
}

struct control_link::transport {
  explicit transport(asio::io_context& context) : tls_context(asio::ssl::context::tls_client), plain(context) {}

  asio::ssl::context tls_context;
  beast::tcp_stream plain;  // moved into `tls` where there is TLS
  std::optional<beast::ssl_stream<beast::tcp_stream>> tls;

  [[nodiscard]] beast::tcp_stream& tcp() { return tls ? beast::get_lowest_layer(*tls) : plain; }
};

control_link::control_link(asio::io_context& context, const config::upstream& upstream)
    : context_(context), upstream_(upstream) {}

control_link::~control_link() = default;

asio::awaitable<std::string> control_link::connect(const endpoints& addresses) {
  transport_ = std::make_unique<transport>(context_);
  transport& via = *transport_;
  if (addresses.empty()) co_return std::string("no address");
  via.tcp().expires_after(upstream_.connect_timeout);
  auto connecting = co_await via.tcp().async_connect(addresses, as_result);
  error_code error = std::get<0>(connecting);
  if (error) co_return describe("connect", error);
  via.tcp().socket().set_option(tcp::no_delay(true), error);
  if (!upstream_.tls) co_return std::string();

  std::string wrong = prepare(via.tls_context, upstream_);
  if (!wrong.empty()) co_return wrong;
  via.tls.emplace(std::move(via.plain), via.tls_context);
  // SSL_set_tlsext_host_name() without its macro's cast.
  if (!numeric(upstream_.host) && SSL_ctrl(via.tls->native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME,
                                           TLSEXT_NAMETYPE_host_name, upstream_.host.data()) != 1) {
    co_return std::string("TLS: the host name cannot be announced");
  }
  auto shaking = co_await via.tls->async_handshake(asio::ssl::stream_base::client, as_result);
  error = std::get<0>(shaking);
  if (error) {
    const long verdict = SSL_get_verify_result(via.tls->native_handle());
    wrong = describe("TLS handshake", error);
    // The host name's verification says no without a reason of its own.
    if (verdict == X509_V_ERR_UNSPECIFIED) {
      wrong += " (the certificate does not name " + upstream_.host + ")";
    } else if (verdict != X509_V_OK) {
      wrong += std::string(" (") + X509_verify_cert_error_string(verdict) + ")";
    }
    close();
  }
  co_return wrong;
}

asio::awaitable<answers> control_link::ask(const question& what, std::chrono::milliseconds deadline) {
  if (!transport_) co_return std::unexpected(std::string("not connected"));
  transport& via = *transport_;
  via.tcp().expires_after(deadline);
  error_code error;
  if (via.tls) {
    auto writing = co_await asio::async_write(*via.tls, asio::buffer(what.bytes()), as_result);
    error = std::get<0>(writing);
  } else {
    auto writing = co_await asio::async_write(via.plain, asio::buffer(what.bytes()), as_result);
    error = std::get<0>(writing);
  }
  std::vector<reply> got;
  std::array<char, 16384> scratch;
  std::string wrong = error ? describe("write", error) : std::string();
  reader_.reset_bounds();
  while (wrong.empty() && got.size() < what.names().size()) {
    auto next = reader_.next();
    if (!next) {
      wrong = next.error();
    } else if (*next) {
      got.push_back(std::move(**next));
    } else {
      std::size_t size = 0;
      if (via.tls) {
        auto reading = co_await via.tls->async_read_some(asio::buffer(scratch), as_result);
        std::tie(error, size) = reading;
      } else {
        auto reading = co_await via.plain.async_read_some(asio::buffer(scratch), as_result);
        std::tie(error, size) = reading;
      }
      if (error) {
        wrong = describe("read", error);
      } else if (!reader_.feed({scratch.data(), size})) {
        wrong = "an answer larger than this proxy takes";
      }
    }
  }
  if (wrong.empty()) {
    const auto surplus = reader_.next();
    if (!surplus || *surplus) wrong = "an answer that nobody asked for";
  }
  if (!wrong.empty()) {
    close();
    co_return std::unexpected(std::move(wrong));
  }
  // Between two questions nothing is waited for, so no deadline may fire.
  via.tcp().expires_never();
  co_return got;
}

std::int64_t control_link::certificate_not_after() const noexcept {
  return transport_ && transport_->tls ? not_after_of_peer(transport_->tls->native_handle()) : 0;
}

void control_link::close() {
  if (!transport_) return;
  transport_->tcp().close();
}

tcp::endpoint control_link::remote() const {
  error_code error;
  return transport_ ? transport_->tcp().socket().remote_endpoint(error) : tcp::endpoint();
}

asio::awaitable<std::expected<endpoints, std::string>> resolve(const config::upstream& upstream) {
  error_code error;
  endpoints found;
  const asio::ip::address address = asio::ip::make_address(upstream.host, error);
  if (!error) {
    found.emplace_back(address, upstream.port);
    co_return found;
  }
  tcp::resolver resolver(co_await asio::this_coro::executor);
  const std::string service = std::to_string(upstream.port);
  auto resolving = co_await resolver.async_resolve(upstream.host, service, as_result);
  error = std::get<0>(resolving);
  if (error) co_return std::unexpected("resolve " + upstream.host + ": " + error.message());
  for (const auto& entry : std::get<1>(resolving)) found.push_back(entry.endpoint());
  if (found.empty()) co_return std::unexpected("resolve " + upstream.host + ": no address");
  co_return found;
}

}  // namespace tidegate::net
