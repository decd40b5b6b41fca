#include "evidence/replay/replayer.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <thread>
#include <unordered_set>
#include <vector>

#include "evidence/replay/server_stream.hpp"
#include "resp/encoder.hpp"
#include "resp/reply_framer.hpp"

namespace tidegate::replay {
namespace {

using clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds nap_max{100};  // so that a stop is heard
constexpr std::uint64_t progress_every = 1024;     // commands

std::expected<server_stream, std::string> logged_in(const target& server);

// One connection and what is due on it.
class link {
 public:
  explicit link(server_stream stream) : stream_(std::move(stream)) {}

  std::expected<void, std::string> send(const capture::record& one, summary& told) {
    if (one.db != db_) {
      resp::append_command(out_, "SELECT", std::to_string(one.db));
      due_.push_back(false);
      db_ = one.db;
    }
    out_ += one.request.raw;
    due_.push_back(true);
    if (out_.size() >= out_bytes_max || due_.size() >= in_flight_max) {
      if (auto sent = flush(); !sent) return sent;
    }
    return due_.size() >= in_flight_max ? drain(told) : std::expected<void, std::string>{};
  }

  std::expected<void, std::string> flush() {
    auto sent = stream_.write(out_);
    out_.clear();
    return sent;
  }

  // Until nothing is due.
  std::expected<void, std::string> drain(summary& told) {
    if (auto sent = flush(); !sent) return sent;
    std::size_t answered = 0;
    while (answered < due_.size()) {
      const auto got = stream_.read(in_);
      if (!got) return std::unexpected(got.error());
      std::string_view bytes(in_.data(), *got);
      while (!bytes.empty()) {
        const resp::reply_framer::result read = framer_.consume(bytes);
        if (read.state == resp::reply_framer::status::malformed) {
          return std::unexpected(std::string("the server does not answer as Redis does"));
        }
        bytes.remove_prefix(read.bytes);
        if (read.state == resp::reply_framer::status::incomplete) break;
        if (answered == due_.size()) return std::unexpected(std::string("the server answers more than it was asked"));
        take_reply(due_[answered++], told);
      }
    }
    due_.clear();
    return {};
  }

 private:
  void take_reply(bool counts, summary& told) {
    if (counts) ++told.commands;
    if (!framer_.is_error()) return;
    const std::string_view text = framer_.error_text();
    std::string kind(text.substr(0, text.find(' ')));
    if (!told.errors.contains(kind) && told.errors.size() >= error_kinds_max) kind = "other";
    ++told.errors[kind];
  }

  server_stream stream_;
  resp::reply_framer framer_;
  std::string out_;
  std::vector<bool> due_;  // a reply each; whether it counts
  std::array<char, 64UL << 10> in_{};
  std::uint32_t db_ = 0;
};

// One question on a connection that carries nothing else; the bulk's text, or the line.
std::expected<std::string, std::string> ask(server_stream& on, std::string_view question) {
  if (const auto sent = on.write(question); !sent) return std::unexpected(sent.error());
  resp::reply_framer framer;
  std::string answer;
  std::array<char, 16UL << 10> in{};
  for (;;) {
    const auto got = on.read(in);
    if (!got) return std::unexpected(got.error());
    const resp::reply_framer::result read = framer.consume({in.data(), *got});
    answer.append(in.data(), *got);
    if (read.state == resp::reply_framer::status::malformed) {
      return std::unexpected(std::string("the server does not answer as Redis does"));
    }
    if (read.state == resp::reply_framer::status::incomplete) continue;
    if (framer.is_error()) return std::unexpected(std::string(framer.error_text()));
    return answer;
  }
}

std::expected<server_stream, std::string> logged_in(const target& server) {
  auto stream = server_stream::connect(server.where);
  if (!stream) return stream;
  std::string question;
  if (const auto& login = server.where.control; login && !login->password.empty()) {
    if (login->username.empty()) {
      resp::append_command(question, "AUTH", login->password);
    } else {
      resp::append_command(question, "AUTH", login->username, login->password);
    }
    if (const auto answer = ask(*stream, question); !answer) {
      return std::unexpected("the server refuses the login: " + answer.error());
    }
  }
  return stream;
}

}  // namespace

std::expected<std::uint64_t, std::string> count_keys(const target& server) {
  auto stream = logged_in(server);
  if (!stream) return std::unexpected(stream.error());
  std::string question;
  resp::append_command(question, "INFO", "keyspace");
  const auto answer = ask(*stream, question);
  if (!answer) return std::unexpected("INFO keyspace: " + answer.error());
  // db0:keys=12,expires=3,avg_ttl=0
  std::uint64_t sum = 0;
  constexpr std::string_view mark = ":keys=";
  for (std::size_t at = answer->find(mark); at != std::string::npos; at = answer->find(mark, at + 1)) {
    std::uint64_t keys = 0;
    const char* const text = answer->data() + at + mark.size();
    if (std::from_chars(text, answer->data() + answer->size(), keys).ec == std::errc()) sum += keys;
  }
  return sum;
}

std::expected<summary, std::string> replay(capture::capture_set& from, const target& server, const pace& how) {
  summary told;
  std::vector<std::unique_ptr<link>> links(connections_max);
  std::unordered_set<std::size_t> sessions;
  const clock::time_point began = clock::now();
  std::int64_t first_ms = 0, last_ms = 0;
  std::uint64_t taken = 0;
  const auto elapsed = [&] { return std::chrono::duration<double>(clock::now() - began).count(); };
  const auto report = [&] {
    told.seconds = elapsed();
    told.captured_seconds = static_cast<double>(last_ms - first_ms) / 1000;
    if (how.progress) how.progress(told);
  };
  const auto stopped = [&] { return how.stop && how.stop(); };
  const auto settle = [&]() -> std::expected<void, std::string> {
    for (const auto& one : links) {
      if (!one) continue;
      if (auto done = one->drain(told); !done) return done;
    }
    return {};
  };

  while (!stopped()) {
    const auto more = from.next();
    if (!more) return std::unexpected(more.error());
    if (!*more) break;
    const capture::record& one = from.now();
    if (taken++ == 0) first_ms = one.wall_ms;
    last_ms = std::max(last_ms, one.wall_ms);
    if (how.speed > 0) {
      const auto due = began + std::chrono::duration_cast<clock::duration>(std::chrono::duration<double>(
                                   static_cast<double>(one.wall_ms - first_ms) / 1000 / how.speed));
      // What is due before is answered before anybody sleeps.
      if (due > clock::now()) {
        if (auto done = settle(); !done) return std::unexpected(done.error());
        report();
      }
      while (due > clock::now() && !stopped()) {
        std::this_thread::sleep_for(std::min<clock::duration>(due - clock::now(), nap_max));
        report();
      }
      if (stopped()) break;
    }
    std::string key(one.instance);
    key.append("\n").append(one.session.empty() ? one.client : one.session);
    const std::size_t number = std::hash<std::string>()(key);
    sessions.insert(number);
    auto& through = links[number % links.size()];
    if (!through) {
      auto stream = logged_in(server);
      if (!stream) return std::unexpected(stream.error());
      through = std::make_unique<link>(std::move(*stream));
    }
    told.bytes += one.request.raw.size();
    if (one.digested) ++told.digested;
    if (auto sent = through->send(one, told); !sent) return std::unexpected(sent.error());
    if (taken % progress_every == 0) report();
  }
  if (auto done = settle(); !done) return std::unexpected(done.error());
  told.sessions = sessions.size();
  report();
  return told;
}

}  // namespace tidegate::replay
