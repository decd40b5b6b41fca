#include "proxy/net/takeover.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <system_error>

namespace tidegate::net {
namespace asio = boost::asio;
using std::chrono::milliseconds;

namespace {

constexpr std::string_view greeting = "tidegate-takeover 1";
constexpr std::size_t message_bytes_max = 256;
constexpr int answer_milliseconds = 5'000;  // for a predecessor that answered to go on talking
constexpr milliseconds name_interval{200};  // between two looks at a name that a predecessor still holds
constexpr std::size_t sockets_max = 4096;   // listeners x workers

struct abstract_address {
  sockaddr_un raw{};
  socklen_t size = 0;
};

abstract_address address_of(std::string_view name) {
  abstract_address out;
  out.raw.sun_family = AF_UNIX;
  // unix(7): a first byte of zero, then the name; the length tells where it ends.
  std::memcpy(out.raw.sun_path + 1, name.data(), std::min(name.size(), sizeof(out.raw.sun_path) - 1));
  out.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  return out;
}

std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

// The process at the other end, if it is our user's.
std::optional<pid_t> trusted_peer(int fd) {
  ucred who{};
  socklen_t size = sizeof(who);
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0 || who.uid != ::geteuid()) return std::nullopt;
  return who.pid;
}

bool say(int fd, std::string_view text, int passed = -1) {
  iovec part{.iov_base = const_cast<char*>(text.data()), .iov_len = text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> room{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (passed >= 0) {
    message.msg_control = room.data();
    message.msg_controllen = room.size();
    cmsghdr* const head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(head), &passed, sizeof(int));
  }
  return ::sendmsg(fd, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
}

struct heard {
  std::string text;
  unique_fd passed;
};

// Nothing: the other side is gone, or (errno EAGAIN) has not spoken.
std::optional<heard> listen_to(int fd) {
  std::array<char, message_bytes_max> text{};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> room{};
  iovec part{.iov_base = text.data(), .iov_len = text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = room.data();
  message.msg_controllen = room.size();
  const ssize_t got = ::recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
  if (got <= 0) {
    if (got == 0) errno = ECONNRESET;
    return std::nullopt;
  }
  heard out{.text = std::string(text.data(), static_cast<std::size_t>(got)), .passed = {}};
  const cmsghdr* const head = CMSG_FIRSTHDR(&message);
  if (head != nullptr && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS) {
    int passed = -1;
    std::memcpy(&passed, CMSG_DATA(head), sizeof(int));
    out.passed.reset(passed);
  }
  return out;
}

std::optional<heard> listen_to(int fd, milliseconds patience) {
  pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
  if (::poll(&waiting, 1, static_cast<int>(patience.count())) != 1) return std::nullopt;
  return listen_to(fd);
}

// "socket ADDRESS PORT"
std::optional<inherited_socket> read_socket(heard&& message) {
  constexpr std::string_view word = "socket ";
  const std::string_view text = message.text;
  const std::size_t space = text.rfind(' ');
  if (!text.starts_with(word) || space < word.size() || message.passed.get() < 0) return std::nullopt;
  inherited_socket out;
  out.address = text.substr(word.size(), space - word.size());
  const auto [end, error] = std::from_chars(text.data() + space + 1, text.data() + text.size(), out.port);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  out.socket = std::move(message.passed);
  return out;
}

}  // namespace

std::string takeover_name(const std::vector<config::listener>& listeners, uid_t user) {
  std::vector<std::string> places;
  for (const config::listener& one : listeners) {
    if (one.port == 0) return {};
    places.push_back(one.address + ":" + std::to_string(one.port));
  }
  std::sort(places.begin(), places.end());
  std::string all;
  for (const std::string& place : places) all += (all.empty() ? "" : ",") + place;
  const std::string prefix = "tidegate/" + std::to_string(user) + "/";
  if (prefix.size() + all.size() >= sizeof(sockaddr_un::sun_path)) all = "#" + std::to_string(fnv1a(all));
  return prefix + all;
}

// --- the successor's side

std::expected<std::optional<predecessor>, std::string> predecessor::find(
    const std::vector<config::listener>& listeners) {
  const std::string name = takeover_name(listeners, ::geteuid());
  if (name.empty()) return std::nullopt;
  predecessor out;
  out.link_.reset(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  const abstract_address where = address_of(name);
  if (out.link_.get() < 0 ||
      ::connect(out.link_.get(), reinterpret_cast<const sockaddr*>(&where.raw), where.size) != 0) {
    return std::nullopt;
  }
  const auto pid = trusted_peer(out.link_.get());
  if (!pid) return std::unexpected("who offers to hand over our listening sockets is another user's process");
  out.pid_ = *pid;
  const std::string who = "process " + std::to_string(*pid) + ", which serves our addresses, ";
  const milliseconds patience{answer_milliseconds};
  auto message = listen_to(out.link_.get(), patience);
  if (!message || message->text != greeting) {
    return std::unexpected(who + "does not hand them over: stop it first (its version may be another one)");
  }
  while ((message = listen_to(out.link_.get(), patience)) && message->text != "end") {
    auto socket = read_socket(std::move(*message));
    if (!socket || out.sockets_.size() == sockets_max) return std::unexpected(who + "passed on what is no socket");
    out.sockets_.push_back(std::move(*socket));
  }
  if (!message) return std::unexpected(who + "stopped in the middle of handing them over: start again");
  return out;
}

void predecessor::taken() {
  // Who cannot be told is gone, and serves no longer.
  (void)say(link_.get(), "taken");
}

bool predecessor::await_freed(milliseconds patience) {
  const auto message = listen_to(link_.get(), patience);
  return message && message->text == "freed";
}

// --- the predecessor's side

struct handover::state : std::enable_shared_from_this<handover::state> {
  state(asio::io_context& context, std::string under, events events_to)
      : name(std::move(under)), to(std::move(events_to)), door(context), link(context), again(context) {}

  void open();
  void await_successor();
  void greet();
  void await_taken();
  void hear();

  std::string name;
  events to;
  asio::posix::stream_descriptor door, link;
  asio::steady_timer again;
  bool stopped = false;
};

void handover::state::open() {
  unique_fd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const abstract_address where = address_of(name);
  if (fd.get() >= 0 && ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&where.raw), where.size) == 0 &&
      ::listen(fd.get(), 1) == 0) {
    door.assign(fd.release());
    await_successor();
    return;
  }
  again.expires_after(name_interval);
  again.async_wait([self = shared_from_this()](boost::system::error_code error) {
    if (!error && !self->stopped) self->open();
  });
}

void handover::state::await_successor() {
  door.async_wait(asio::posix::stream_descriptor::wait_read,
                  [self = shared_from_this()](boost::system::error_code error) {
                    if (error || self->stopped) return;
                    self->greet();
                  });
}

void handover::state::greet() {
  unique_fd fd(::accept4(door.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  // One successor at a time: a second one waits at the door until the first has taken over or gone away.
  bool told = fd.get() >= 0 && trusted_peer(fd.get()).has_value() && say(fd.get(), greeting);
  if (told) {
    for (const offered_socket& one : to.sockets()) {
      told = told && say(fd.get(), "socket " + one.address + " " + std::to_string(one.port), one.fd);
    }
    told = told && say(fd.get(), "end");
  }
  if (!told) return await_successor();
  link.assign(fd.release());
  await_taken();
}

void handover::state::await_taken() {
  link.async_wait(asio::posix::stream_descriptor::wait_read,
                  [self = shared_from_this()](boost::system::error_code error) {
                    if (error || self->stopped) return;
                    self->hear();
                  });
}

void handover::state::hear() {
  const auto message = listen_to(link.native_handle());
  if (!message || message->text != "taken") {
    link.close();
    return await_successor();
  }
  const pid_t successor = trusted_peer(link.native_handle()).value_or(0);
  stopped = true;
  door.close();
  to.let_go();
  (void)say(link.native_handle(), "freed");
  to.taken(successor);
}

handover::handover(asio::io_context& context, const std::vector<config::listener>& listeners, events to) {
  std::string name = takeover_name(listeners, ::geteuid());
  if (!name.empty()) state_ = std::make_shared<state>(context, std::move(name), std::move(to));
}

handover::~handover() {
  stop();
}

void handover::start() {
  if (state_) state_->open();
}

void handover::stop() {
  if (!state_) return;
  state_->stopped = true;
  state_->again.cancel();
  boost::system::error_code ignored;
  state_->door.close(ignored);
  state_->link.close(ignored);
}

}  // namespace tidegate::net
