#include "cli/keyspace/server_link.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <charconv>
#include <chrono>
#include <cstdlib>

#include "config/address.hpp"
#include "config/load.hpp"
#include "config/private_file.hpp"

namespace tidegate::cli {
namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds answer_within{10};
constexpr std::size_t password_bytes_max = 4096;
constexpr std::uint32_t db_max = 1'000'000;
constexpr const char* password_variable = "TIDEGATE_SERVER_PASSWORD";
constexpr std::string_view url_remedy = "write redis://host:port or rediss://user@host:port/0?ca=FILE";

std::expected<std::string, std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned value = 0;
    const char* const end = text.data() + std::min(i + 3, text.size());
    const auto read = std::from_chars(text.data() + i + 1, end, value, 16);
    if (read.ec != std::errc{} || read.ptr != text.data() + i + 3) {
      return std::unexpected(std::string("a % in user or password is written %25"));
    }
    out += static_cast<char>(value);
    i += 2;
  }
  return out;
}

std::optional<std::uint32_t> read_db(std::string_view text) {
  std::uint32_t db = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), db);
  if (error != std::errc{} || end != text.data() + text.size() || db > db_max) return std::nullopt;
  return db;
}

std::string name_of(const config::upstream& where, std::uint32_t db) {
  const bool bracketed = where.host.find(':') != std::string::npos;
  return (bracketed ? "[" + where.host + "]" : where.host) + ":" + std::to_string(where.port) + "/" +
         std::to_string(db);
}

std::expected<std::string, std::string> read_password(const std::string& path) {
  const auto file = config::read_whole(path, password_bytes_max);
  if (!file) return std::unexpected("password file " + path + ": " + file.error());
  if ((file->mode & config::open_to_others) != 0) {
    return std::unexpected("password file " + path + ": others can read it; chmod 600 it");
  }
  std::string password = file->text;
  while (password.ends_with('\n') || password.ends_with('\r')) password.pop_back();
  return password;
}

std::string find_password(const server_options& options, server_target& target) {
  std::optional<config::credentials>& login = target.where.control;
  if (login && !login->password.empty()) return {};
  std::string password;
  if (!options.password_file.empty()) {
    auto read = read_password(options.password_file);
    if (!read) return read.error();
    password = std::move(*read);
  } else if (const char* given = std::getenv(password_variable); given != nullptr) {
    password = given;
  }
  if (password.empty()) {
    if (login) {
      return "the URL names a user and no password: give it in " + std::string(password_variable) +
             " or --password-file FILE";
    }
    return {};
  }
  if (!login) login.emplace();
  login->password = std::move(password);
  return {};
}

}  // namespace

void add_server_options(CLI::App& command, server_options& options) {
  command.add_option("-c,--config", options.config_path, "The configuration: its upstream, patterns and ttl: rules")
      ->type_name("FILE");
  command.add_option("--url", options.url, "This server instead of the configuration's upstream")->type_name("URL");
  command.add_option("--through", options.through, "Through the proxy at this URL: booked and limited as any client")
      ->type_name("URL")
      ->excludes("--url");
  command
      .add_option("--password-file", options.password_file,
                  "The password of --url or --through; else it is taken from TIDEGATE_SERVER_PASSWORD")
      ->type_name("FILE");
  command.add_option("--db", options.db, "The database")->type_name("N")->each([&options](const std::string&) {
    options.db_given = true;
  });
  command.add_flag("--keep-priority", options.keep_priority,
                   "Compete for this machine's processors; else everybody else goes first (SCHED_IDLE)");
}

std::expected<server_target, std::string> read_server_url(std::string_view url) {
  const auto wrong = [](std::string_view why) {
    return std::unexpected(std::string(why) + "; " + std::string(url_remedy));
  };
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return wrong("the URL is not understood");
  std::string_view rest = url.substr(scheme + 3);
  server_target target;
  const std::size_t query = rest.rfind("?ca=");
  const std::size_t at = rest.rfind('@', query);
  if (at != std::string_view::npos) {
    const std::string_view login = rest.substr(0, at);
    const std::size_t colon = login.find(':');
    const auto user = percent_decoded(login.substr(0, colon));
    const auto password =
        percent_decoded(colon == std::string_view::npos ? std::string_view() : login.substr(colon + 1));
    if (!user) return wrong(user.error());
    if (!password) return wrong(password.error());
    target.where.control = config::credentials{.username = *user, .password = *password};
    rest.remove_prefix(at + 1);
  }
  std::string plain(url.substr(0, scheme + 3));
  const std::size_t slash = rest.find('/');
  const std::size_t question = rest.find('?');
  if (slash != std::string_view::npos && slash < question) {
    const std::string_view db =
        rest.substr(slash + 1, question == std::string_view::npos ? question : question - slash - 1);
    if (!db.empty()) {
      const auto number = read_db(db);
      if (!number) return wrong("the database behind the / is not a number");
      target.db = *number;
    }
    plain += rest.substr(0, slash);
    if (question != std::string_view::npos) plain += rest.substr(question);
  } else {
    plain += rest;
  }
  const auto parsed = config::parse_url(plain);
  if (!parsed) return wrong(parsed.error());
  target.where.host = parsed->host;
  target.where.port = parsed->port;
  target.where.tls = parsed->tls;
  target.where.ca = parsed->ca;
  return target;
}

std::expected<server_target, std::string> find_target(const server_options& options) {
  server_target target;
  std::shared_ptr<const config::config> loaded;
  if (!options.config_path.empty()) {
    auto read = config::load_file(options.config_path);
    if (!read) {
      std::string all;
      for (const config::mistake& one : read.error()) all += (all.empty() ? "" : "\n") + one.to_string();
      return std::unexpected(std::move(all));
    }
    loaded = *read;
  }
  const std::string& url = options.through.empty() ? options.url : options.through;
  if (!url.empty()) {
    auto read = read_server_url(url);
    if (!read) return std::unexpected((options.through.empty() ? "--url: " : "--through: ") + read.error());
    target = std::move(*read);
    if (std::string why = find_password(options, target); !why.empty()) return std::unexpected(std::move(why));
  } else if (loaded) {
    target.where = loaded->upstream;
    target.db = loaded->upstream.db;
    if (!target.where.control) target.where.control = target.where.auth;
  } else {
    return std::unexpected(std::string("which server? give -c FILE, --url URL or --through URL"));
  }
  if (options.db_given) target.db = options.db;
  target.config = std::move(loaded);
  target.through_proxy = !options.through.empty();
  target.stands_back = !options.keep_priority;
  target.name = name_of(target.where, target.db);
  return target;
}

struct server_link::state {
  explicit state(const server_target& target) : link(context, target.where) {}
  asio::io_context context;
  net::control_link link;
  std::uint64_t sent = 0;
};

server_link::server_link(std::unique_ptr<state> made) : state_(std::move(made)) {}
server_link::~server_link() = default;
server_link::server_link(server_link&& other) noexcept = default;
server_link& server_link::operator=(server_link&& other) noexcept = default;

std::uint64_t server_link::sent() const noexcept {
  return state_->sent;
}

net::answers server_link::ask(const net::question& what) {
  net::answers got = std::unexpected(std::string("no answer"));
  auto asking = [&]() -> asio::awaitable<void> { got = co_await state_->link.ask(what, answer_within); };
  asio::co_spawn(state_->context, asking(), asio::detached);
  state_->context.restart();
  state_->context.run();
  state_->sent += what.names().size();
  return got;
}

std::expected<server_link, std::string> server_link::open(const server_target& target, const std::string& client_name) {
  auto made = std::make_unique<state>(target);
  std::string wrong;
  auto connecting = [&]() -> asio::awaitable<void> {
    const auto addresses = co_await net::resolve(target.where);
    wrong = addresses ? co_await made->link.connect(*addresses) : addresses.error();
  };
  asio::co_spawn(made->context, connecting(), asio::detached);
  made->context.run();
  if (!wrong.empty()) return std::unexpected(target.name + ": " + wrong);

  server_link link(std::move(made));
  net::question hello;
  const std::optional<config::credentials>& login = target.where.control;
  if (login && login->username.empty()) hello.add("auth", {"AUTH", login->password});
  if (login && !login->username.empty()) hello.add("auth", {"AUTH", login->username, login->password});
  hello.add("client|setname", {"CLIENT", "SETNAME", client_name});
  const std::string db = std::to_string(target.db);
  hello.add("select", {"SELECT", db});
  const net::answers got = link.ask(hello);
  if (!got) return std::unexpected(target.name + ": " + got.error());
  if (login && got->front().is_error()) {
    return std::unexpected(target.name + ": the login was refused: " + got->front().text.substr(0, 200));
  }
  // A name is a courtesy that an ACL may refuse; the database is not.
  if (got->back().is_error()) {
    return std::unexpected(target.name + ": database " + db + ": " + got->back().text.substr(0, 200));
  }
  return link;
}

}  // namespace tidegate::cli
