#include "cli/admin_client.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>

#include "config/address.hpp"
#include "config/load.hpp"

namespace tidegate::cli {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
constexpr std::string_view stand_in = "TIDEGATE_ADMIN=HOST:PORT and TIDEGATE_TOKEN in the environment stand in for -c";

std::string from_environment(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::string bracketed(const std::string& host, std::uint16_t port) {
  return (host.find(':') != std::string::npos ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

// A host name is welcome here, which the configuration's addresses cannot be.
std::expected<admin_client::target, std::string> read_address(std::string_view text) {
  admin_client::target out;
  const std::size_t colon = text.rfind(':');
  const std::string wrong = "TIDEGATE_ADMIN is no HOST:PORT; write it like 127.0.0.1:9121";
  if (colon == std::string_view::npos || colon == 0) return std::unexpected(wrong);
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.empty() || host.find_first_of(" /@") != std::string_view::npos) return std::unexpected(wrong);
  const std::string_view port = text.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
  if (error != std::errc() || end != port.data() + port.size() || out.port == 0) return std::unexpected(wrong);
  out.host = host;
  return out;
}

std::expected<admin_client, std::string> open_by(const config::admin* configured) {
  admin_client::target where;
  if (configured != nullptr && configured->enabled && configured->port != 0) {
    where.host = configured->address;
    where.port = configured->port;
    // A listener on every address is reached by loopback from its own host.
    const auto ip = config::parse_ip(where.host);
    if (ip && ip->wildcard()) where.host = ip->v6 ? "::1" : "127.0.0.1";
  } else if (const std::string address = from_environment("TIDEGATE_ADMIN"); !address.empty()) {
    auto read = read_address(address);
    if (!read) return std::unexpected(read.error());
    where = *std::move(read);
  } else if (configured == nullptr) {
    return std::unexpected("where is tidegate? -c FILE says it, or " + std::string(stand_in));
  } else if (!configured->enabled) {
    return std::unexpected("the configuration says `admin: off`: there is nobody to ask");
  } else {
    return std::unexpected(
        "admin.address has port 0, which the system replaced by another: TIDEGATE_ADMIN=HOST:PORT says which");
  }
  if (configured != nullptr) where.token = configured->token;
  if (where.token.empty()) where.token = from_environment("TIDEGATE_TOKEN");
  where.user = from_environment("USER");
  return admin_client(std::move(where));
}

// What the other side said: {"error":"…"}, or nothing that is ours.
std::string error_in(const std::string& body) {
  const auto document = nlohmann::json::parse(body, nullptr, false);
  if (!document.is_object()) return {};
  const auto text = document.find("error");
  return text != document.end() && text->is_string() ? text->get<std::string>() : std::string();
}

std::string refusal(unsigned status, const std::string& body, bool has_token) {
  if (status == 401) {
    return has_token ? "the token was not taken"
                     : "a token is needed: admin.token in the file of -c, or TIDEGATE_TOKEN in the environment";
  }
  if (status == 403) {
    return "the token is wrong: it must be admin.token of the running tidegate (which has none: then nothing can be "
           "changed)";
  }
  const std::string said = error_in(body);
  return said.empty() ? "it answered with status " + std::to_string(status) : said;
}

struct exchange {
  http::request<http::string_body> request;
  error_code error;
  std::string step;
  unsigned status = 0;
  std::string body;
};

asio::awaitable<void> run(const admin_client::target& where, exchange& out) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  tcp::resolver resolver(executor);
  out.step = "cannot be found";
  auto [resolve_error, found] = co_await resolver.async_resolve(where.host, std::to_string(where.port), as_result);
  out.error = resolve_error;
  if (out.error) co_return;
  beast::tcp_stream stream(executor);
  out.step = "cannot be reached";
  std::tie(out.error, std::ignore) = co_await stream.async_connect(found, as_result);
  if (out.error) co_return;
  out.step = "did not answer";
  std::tie(out.error, std::ignore) = co_await http::async_write(stream, out.request, as_result);
  if (out.error) co_return;
  http::response_parser<http::string_body> parser;
  parser.body_limit(answer_bytes_max);
  beast::flat_buffer buffer;
  std::tie(out.error, std::ignore) = co_await http::async_read(stream, buffer, parser, as_result);
  if (out.error) co_return;
  out.status = parser.get().result_int();
  out.body = std::move(parser.get().body());
}

}  // namespace

std::expected<admin_client, std::string> admin_client::open(const std::string& config_path) {
  if (config_path.empty()) return open_by(nullptr);
  const auto loaded = config::load_file(config_path);
  if (loaded) return open(**loaded);
  std::string text;
  for (const config::mistake& mistake : loaded.error()) text += mistake.to_string() + '\n';
  return std::unexpected(text + std::string(stand_in));
}

std::expected<admin_client, std::string> admin_client::open(const config::config& config) {
  return open_by(&config.admin);
}

std::expected<api_answer, api_error> admin_client::get(std::string_view path) const {
  return ask("GET", path, {});
}
std::expected<api_answer, api_error> admin_client::post(std::string_view path, std::string_view json) const {
  return ask("POST", path, json);
}
std::expected<api_answer, api_error> admin_client::del(std::string_view path) const {
  return ask("DELETE", path, {});
}

std::expected<api_answer, api_error> admin_client::ask(std::string_view method, std::string_view path,
                                                       std::string_view json) const {
  constexpr unsigned http_1_1 = 11;
  const std::string name = bracketed(where_.host, where_.port);
  exchange one;
  one.request.version(http_1_1);
  one.request.method_string({method.data(), method.size()});
  one.request.target({path.data(), path.size()});
  one.request.set(http::field::host, name);
  one.request.set(http::field::connection, "close");
  if (!where_.token.empty()) one.request.set(http::field::authorization, "Bearer " + where_.token);
  if (!where_.user.empty()) one.request.set("X-Tidegate-User", where_.user);
  if (!json.empty()) one.request.set(http::field::content_type, "application/json");
  one.request.body() = json;
  one.request.prepare_payload();

  asio::io_context context(1);
  bool done = false;
  asio::co_spawn(context, run(where_, one), [&done](std::exception_ptr) { done = true; });
  context.run_for(where_.deadline);
  const std::string who = "the admin API at " + name;
  if (!done) {
    return std::unexpected(
        api_error{.text = who + " " + one.step + " within " + std::to_string(where_.deadline.count()) + " ms"});
  }
  if (one.error || one.status == 0) {
    return std::unexpected(api_error{.text = who + " " + one.step + ": " + one.error.message() +
                                             "; is tidegate running there, and is the address its `admin.address`?"});
  }
  if (one.status / 100 != 2) {
    return std::unexpected(
        api_error{.status = one.status, .text = who + ": " + refusal(one.status, one.body, !where_.token.empty())});
  }
  return api_answer{.status = one.status, .body = std::move(one.body)};
}

void add_admin_option(CLI::App& command, std::string& config_path) {
  command
      .add_option("-c,--config", config_path,
                  "The configuration of the tidegate to speak to; without it TIDEGATE_ADMIN=HOST:PORT and "
                  "TIDEGATE_TOKEN say where it is")
      ->type_name("FILE");
}

std::string path_segment(std::string_view name) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~';
    if (plain) {
      out += c;
    } else {
      out += {'%', digits[byte >> 4U], digits[byte & 15U]};
    }
  }
  return out;
}

}  // namespace tidegate::cli
