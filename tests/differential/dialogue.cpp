#include "tests/differential/dialogue.hpp"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

namespace tidegate::differential {

namespace {

using clock = std::chrono::steady_clock;
constexpr std::chrono::seconds answer_time_max{60};
constexpr std::size_t excerpt_bytes = 240;

// A connection's number is the server's, and no two servers count alike.
std::string without_numbers(std::string_view bytes) {
  constexpr std::string_view before = "$2\r\nid\r\n:";
  std::string kept;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t found = bytes.find(before, at);
    if (found == bytes.npos) return kept.append(bytes.substr(at));
    const std::size_t digits = found + before.size();
    kept.append(bytes.substr(at, digits - at));
    at = std::min(bytes.size(), bytes.find_first_not_of("0123456789", digits));
  }
  return kept;
}

std::string excerpt(std::string_view bytes, std::size_t at) {
  const std::size_t from = at > excerpt_bytes / 2 ? at - excerpt_bytes / 2 : 0;
  std::string text;
  for (const char c : bytes.substr(std::min(from, bytes.size()), excerpt_bytes)) {
    constexpr std::string_view digits = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    if (c >= ' ' && c <= '~') {
      text += c;
    } else if (c == '\r') {
      text += "\\r";
    } else if (c == '\n') {
      text += "\\n";
    } else {
      text += "\\x";
      text += digits[byte >> 4];
      text += digits[byte & 15];
    }
  }
  return text;
}

}  // namespace

dialogue::dialogue(traffic::place bare, traffic::place proxied, std::uint64_t seed, const std::string& record)
    : places_{std::move(bare), std::move(proxied)}, dice_(seed), scratch_(1 << 18) {
  if (!record.empty()) record_.open(record, std::ios::binary);
}

bool dialogue::end_point::is_done() const {
  if (saying == nullptr || over) return true;
  if (sent < saying->bytes.size()) return false;
  if (saying->ends) return false;  // until it is over
  return saying->mark.empty() || received.ends_with(saying->mark);
}

std::optional<difference> dialogue::perform(const scene& written) {
  for (const std::vector<batch>& turn : written.turns) {
    if (auto found = converse(turn)) return found;
  }
  return std::nullopt;
}

void dialogue::begin(end_point& one, const traffic::place& to, const batch& said) {
  if (!one.connection) one.connection.emplace(to);
  one.over = false;
  one.saying = &said;
  one.sent = one.chunk = 0;
}

std::optional<difference> dialogue::converse(const std::vector<batch>& turn) {
  for (const batch& said : turn) {
    conversation& who = sessions_[said.session];
    for (const side which : {bare_side, proxied_side}) begin(who.sides[which], places_[which], said);
    if (record_.is_open()) {
      record_ << said.session << ' ' << said.bytes.size() << ' '
              << (said.ends           ? "ends"
                  : said.mark.empty() ? "waits"
                                      : "answered")
              << '\n'
              << said.bytes;
    }
  }
  const clock::time_point until = clock::now() + answer_time_max;
  for (bool done = false; !done;) {
    done = true;
    for (const batch& said : turn) {
      for (const side which : {bare_side, proxied_side}) {
        end_point& one = sessions_[said.session].sides[which];
        if (one.is_done()) continue;
        write_some(one, which);
        read_some(one);
        done = done && one.is_done();
      }
    }
    if (!done && clock::now() > until) break;
    if (!done) wait(turn);
  }
  for (const batch& said : turn) {
    if (said.mark.empty() && !said.ends) continue;
    if (auto found = compare(said.session, said.ends)) return found;
  }
  for (const batch& said : turn) {
    for (end_point& one : sessions_[said.session].sides) one.saying = nullptr;
  }
  return std::nullopt;
}

// Through the proxy the bytes go in pieces of every size, so that each read of it ends somewhere else.
void dialogue::write_some(end_point& one, std::size_t which) {
  const std::string_view left = std::string_view(one.saying->bytes).substr(one.sent);
  if (left.empty() || one.over) return;
  if (one.chunk == 0) {
    one.chunk = left.size();
    if (which == proxied_side) {
      if (one.saying->pieces) {
        one.chunk = 1 + dice_.below(16);
      } else if (dice_.below(3) != 0) {
        one.chunk = 1 + dice_.below(dice_.one_in(2) ? 200 : 100'000);
      }
    }
    // What a server does not read before it closes makes its kernel take back what it said.
    if (one.saying->ends && left.size() - std::min(one.chunk, left.size()) < 64) one.chunk = left.size();
    one.chunk = std::min(one.chunk, left.size());
  }
  const auto written = one.connection->write(left.substr(0, one.chunk));
  if (!written) {
    one.sent = one.saying->bytes.size();  // it closed while we were still writing: what it said before is due
    return;
  }
  one.sent += *written;
  one.chunk -= *written;
}

void dialogue::read_some(end_point& one) {
  while (true) {
    const auto size = one.connection->read(scratch_);
    if (!size) {
      one.over = true;
      return;
    }
    if (*size == 0) return;
    one.received.append(scratch_.data(), *size);
    if (*size < scratch_.size() && !one.connection->has_pending()) return;
  }
}

void dialogue::wait(const std::vector<batch>& turn) {
  std::array<pollfd, 2 * sessions_count> waiting{};
  std::size_t count = 0;
  for (const batch& said : turn) {
    for (const end_point& one : sessions_[said.session].sides) {
      if (one.is_done()) continue;
      const bool writes = one.sent < said.bytes.size();
      waiting[count++] = {one.connection->descriptor(), static_cast<short>(writes ? POLLIN | POLLOUT : POLLIN), 0};
    }
  }
  (void)::poll(waiting.data(), count, 1000);
}

std::optional<difference> dialogue::compare(std::size_t session, bool ends) {
  conversation& who = sessions_[session];
  end_point& bare = who.sides[bare_side];
  end_point& proxied = who.sides[proxied_side];
  record_.flush();
  const auto report = [&](std::string what, const std::string& a, const std::string& b) {
    const auto differs = std::ranges::mismatch(a, b);
    const auto at = static_cast<std::size_t>(differs.in1 - a.begin());
    if (bare.over) what += ", the server closed";
    if (proxied.over) what += ", the proxy closed";
    return difference{session, at, excerpt(a, at), excerpt(b, at), std::move(what)};
  };
  if (bare.received != proxied.received) {
    const std::string a = without_numbers(bare.received);
    const std::string b = without_numbers(proxied.received);
    const bool shorter = !bare.is_done() || !proxied.is_done();
    if (a != b || shorter) return report(shorter ? "no answer in time" : "other bytes", a, b);
  }
  if (!bare.is_done() || !proxied.is_done()) return report("no answer in time", bare.received, proxied.received);
  if (bare.over != proxied.over) return report("only one of them closed", bare.received, proxied.received);
  if (bare.over && !ends) return report("both closed, and neither should have", bare.received, proxied.received);
  bytes_compared_ += bare.received.size();
  bare.received.clear();
  proxied.received.clear();
  if (bare.over) {
    bare.connection.reset();
    proxied.connection.reset();
  }
  return std::nullopt;
}

}  // namespace tidegate::differential
