#include "evidence/replay/replayer.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <thread>
#include <unordered_set>
#include <vector>

#include "evidence/replay/key_order.hpp"
#include "evidence/replay/server_stream.hpp"
#include "resp/encoder.hpp"
#include "resp/keyword.hpp"
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
    ++sent_;
    if (resp::is_keyword(one.request[0], "multi")) in_transaction_ = true;
    if (resp::is_keyword(one.request[0], "exec")) in_transaction_ = false;
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
    // What a transaction holds is queued when it is answered, and executed with its EXEC.
    if (!in_transaction_) executed_ = sent_;
    return {};
  }

  [[nodiscard]] std::uint64_t next_number() const noexcept { return sent_ + 1; }
  [[nodiscard]] bool has_executed(std::uint64_t number) const noexcept { return number <= executed_; }
  [[nodiscard]] bool in_transaction() const noexcept { return in_transaction_; }

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
  std::uint64_t sent_ = 0, executed_ = 0;  // commands, without SELECTs
  bool in_transaction_ = false;
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

// One replay under way.
class player {
 public:
  player(capture::capture_set& from, const target& server, const pace& how) : from_(from), server_(server), how_(how) {}

  std::expected<summary, std::string> run() {
    for (std::uint64_t taken = 1; !stopped(); ++taken) {
      const auto more = from_.next();
      if (!more) return std::unexpected(more.error());
      if (!*more) break;
      const capture::record& one = from_.now();
      if (taken == 1) first_ms_ = one.wall_ms;
      last_ms_ = std::max(last_ms_, one.wall_ms);
      if (auto due = await(one.wall_ms); !due) return std::unexpected(due.error());
      if (stopped()) break;
      if (auto sent = send(one); !sent) return std::unexpected(sent.error());
      if (taken % progress_every == 0) report();
    }
    if (auto done = settle(); !done) return std::unexpected(done.error());
    told_.sessions = sessions_.size();
    report();
    return told_;
  }

 private:
  [[nodiscard]] bool stopped() const { return how_.stop && how_.stop(); }

  void report() {
    told_.seconds = std::chrono::duration<double>(clock::now() - began_).count();
    told_.captured_seconds = static_cast<double>(last_ms_ - first_ms_) / 1000;
    if (how_.progress) how_.progress(told_);
  }

  std::expected<void, std::string> settle() {
    for (const auto& one : links_) {
      if (!one) continue;
      if (auto done = one->drain(told_); !done) return done;
    }
    return {};
  }

  // Until it is this command's turn.
  std::expected<void, std::string> await(std::int64_t wall_ms) {
    if (how_.speed <= 0) return {};
    const auto due = began_ + std::chrono::duration_cast<clock::duration>(std::chrono::duration<double>(
                                  static_cast<double>(wall_ms - first_ms_) / 1000 / how_.speed));
    if (due <= clock::now()) return {};
    // What is due before is answered before anybody sleeps.
    if (auto done = settle(); !done) return done;
    report();
    while (due > clock::now() && !stopped()) {
      std::this_thread::sleep_for(std::min<clock::duration>(due - clock::now(), nap_max));
      report();
    }
    return {};
  }

  std::expected<void, std::string> send(const capture::record& one) {
    std::string session(one.instance);
    session.append("\n").append(one.session.empty() ? one.client : one.session);
    const std::size_t number = std::hash<std::string>()(session);
    sessions_.insert(number);
    const auto index = static_cast<std::uint32_t>(number % links_.size());
    auto& through = links_[index];
    if (!through) {
      auto stream = logged_in(server_);
      if (!stream) return std::unexpected(stream.error());
      through = std::make_unique<link>(std::move(*stream));
    }
    const key_order::wait& wait = order_.take(one.request, index, through->next_number());
    if (wait.everybody) {
      alone_ = true;
      if (auto done = settle(); !done) return done;
    }
    for (const auto& [other, before] : wait.before) {
      if (links_[other]->has_executed(before)) continue;
      if (auto done = links_[other]->drain(told_); !done) return done;
    }
    told_.bytes += one.request.raw.size();
    if (one.digested) ++told_.digested;
    if (auto sent = through->send(one, told_); !sent) return sent;
    if (!alone_ || through->in_transaction()) return {};
    alone_ = false;
    return through->drain(told_);
  }

  capture::capture_set& from_;
  const target& server_;
  const pace& how_;
  const clock::time_point began_ = clock::now();
  std::int64_t first_ms_ = 0, last_ms_ = 0;
  summary told_;
  std::array<std::unique_ptr<link>, connections_max> links_;
  std::unordered_set<std::size_t> sessions_;
  key_order order_;
  bool alone_ = false;  // nobody knows which keys the command under way uses: the next one waits for it
};

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
  return player(from, server, how).run();
}

}  // namespace tidegate::replay
