// A customer's ear: what came against what was expected, byte by byte.
#include <algorithm>
#include <charconv>
#include <utility>

#include "tests/torture/customer.hpp"

namespace tidegate::torture {

namespace {

constexpr std::size_t wrong_kept = 5;
constexpr std::size_t head_bytes_max = 160;  // of a value that must tell by itself whose it is
constexpr std::size_t line_bytes_max = 1024;

// "$LENGTH\r\nKEY:NUMBER:BYTES:", as far as the third colon of the value.
bool read_head(std::string_view bytes, std::string& key, std::uint64_t& number, std::size_t& size) {
  const std::size_t line = bytes.find("\r\n");
  if (line == bytes.npos) return false;
  const std::string_view text = bytes.substr(line + 2);
  const std::size_t first = text.find(':');
  const std::size_t second = first == text.npos ? text.npos : text.find(':', first + 1);
  const std::size_t third = second == text.npos ? text.npos : text.find(':', second + 1);
  if (third == text.npos) return false;
  key = text.substr(0, first);
  (void)std::from_chars(text.data() + first + 1, text.data() + second, number);
  (void)std::from_chars(text.data() + second + 1, text.data() + third, size);
  return true;
}

std::string printable(std::string_view bytes) {
  std::string text;
  for (const char c : bytes.substr(0, 120)) text += c >= ' ' && c <= '~' ? c : c == '\n' ? '|' : '.';
  return text;
}

}  // namespace

void customer::read_some() {
  for (int round = 0; round < 16 && connection_ && !failed_; ++round) {
    const auto size = connection_->read(scratch_);
    if (!size) return ended();
    if (*size == 0) return;
    told_.bytes += *size;
    judge({scratch_.data(), *size});
  }
}

void customer::ended() {
  const bool was_expected = half_closed_ && due_.empty();
  if (!was_expected && !how_.losses) fail("the connection ended with " + std::to_string(due_.size()) + " replies due");
  if (!was_expected) ++told_.closed;
  forget_connection();
}

void customer::fail(const std::string& why) {
  failed_ = true;
  if (told_.wrong.size() < wrong_kept) told_.wrong.push_back(name_ + ": " + why + "; waits for " + waits_for());
}

std::string customer::waits_for() const {
  if (due_.empty()) return "nothing";
  return name_ + (half_closed_ ? " (finished)" : "") + (doubtful_ ? " (in doubt)" : "") + ", " +
         std::to_string(out_.size() - sent_) + " bytes unsent, " +
         (in_error_ || chosen_ || !head_.empty() || item_ > 0 ? "in the middle of a reply, " : "") +
         std::to_string(due_.size()) + " replies, the next to " + due_.front().name;
}

void customer::judge(std::string_view bytes) {
  if (listener_) {
    head_ += bytes;
    while (!failed_ && judge_heard()) {
    }
    return;
  }
  while (!bytes.empty() && !failed_ && connection_) {
    if (due_.empty()) return fail("a reply to nothing: " + printable(bytes));
    bytes.remove_prefix(judge_some(bytes));
  }
}

// What an item must be, once what came so far tells. False: more bytes are needed.
bool customer::begin_item() {
  expectation& what = due_.front();
  item& one = what.items[item_];
  stored_.emplace();
  if (one.kind == item::what::literal) {
    stored_ = one.exact;
    return true;
  }
  const std::string_view nil = what.resp3 ? "_\r\n" : "$-1\r\n";
  const memory& held = memory_[one.key];
  const bool is_nil = head_.starts_with(nil.substr(0, 2));
  if (held.how == memory::state::known && (!is_nil || !how_.amnesia)) {
    stored_->bulk(make_value(key(one.key), held.number, held.bytes));
    return true;
  }
  if (held.how == memory::state::absent || is_nil) {
    if (held.how == memory::state::known) ++told_.forgotten;
    stored_->text(nil);
    return true;
  }
  std::string key_told;
  std::uint64_t number = 0;
  std::size_t size = 0;
  if (!read_head(head_, key_told, number, size)) {
    if (head_.size() > head_bytes_max) fail("a value that names nobody: " + printable(head_));
    return false;
  }
  if (key_told != key(one.key) || number > serial_) fail("another's value: " + printable(head_));
  ++told_.in_doubt;
  stored_->bulk(make_value(key(one.key), number, size));
  return true;
}

// How many bytes were taken. A reply is first kept until it tells what it is, then compared as it comes.
std::size_t customer::judge_some(std::string_view bytes) {
  if (in_error_ || (chosen_ && due_.front().items[item_].kind == item::what::integer)) {
    const std::size_t end = bytes.find('\n');
    const std::size_t count = end == bytes.npos ? bytes.size() : end + 1;
    head_ += bytes.substr(0, count);
    if (head_.size() > line_bytes_max) fail("a line without an end: " + printable(head_));
    if (end == bytes.npos) return count;
    const std::string line = std::exchange(head_, {});
    if (in_error_) {
      judge_error(line);
    } else {
      chosen_ = false;
      if (line[0] != ':' || !line.ends_with("\r\n")) fail("no number: " + printable(line));
      if (++item_ == due_.front().items.size()) finish_reply();
    }
    return count;
  }
  if (!chosen_) {
    head_ += bytes.front();
    if (head_.size() < 2) return 1;
    expectation& what = due_.front();
    if (item_ == 0 && head_[0] == '-') {
      in_error_ = true;
      return 1;
    }
    if (item_ == 0 && !what.otherwise.empty() && doubtful_ && !head_.starts_with("+Q")) what.items = what.otherwise;
    if (what.items[item_].kind == item::what::integer) {
      chosen_ = true;
      return 1;
    }
    // Its item went with the server, or with the connection that brought it.
    const std::string_view none = what.resp3 ? "_\r\n" : "*-1\r\n";
    if (what.then == expectation::effect::takes && (doubtful_ || how_.amnesia) && none.starts_with(head_)) {
      what.items[0].exact = answer().text(none);
    }
    if (!begin_item()) return 1;
    if (failed_) return 1;
    chosen_ = true;
    at_ = 0;
    if (stored_->agree(0, head_) != head_.size()) {
      fail("wanted " + printable(stored_->excerpt()) + ", got " + printable(head_));
      return 1;
    }
    at_ = head_.size();
    head_.clear();
    return 1;
  }
  const std::size_t wanted = std::min(bytes.size(), stored_->size() - at_);
  const std::size_t agreed = stored_->agree(at_, bytes.substr(0, wanted));
  if (agreed != wanted) {
    fail("wanted " + printable(stored_->excerpt()) + ", differs at byte " + std::to_string(at_ + agreed) + ": " +
         printable(bytes.substr(agreed)));
    return agreed + 1;
  }
  at_ += wanted;
  if (at_ == stored_->size()) {
    chosen_ = false;
    at_ = 0;
    if (++item_ == due_.front().items.size()) finish_reply();
  }
  return wanted;
}

void customer::finish_reply() {
  const expectation& what = due_.front();
  if (what.then == expectation::effect::stores || what.then == expectation::effect::executes) {
    memory_[what.key] = {memory::state::known, what.number, what.bytes};
  }
  if (what.then == expectation::effect::is_refused) ++told_.passed;
  ++told_.right;
  item_ = 0;
  due_.pop_front();
}

bool customer::may_be_rejected(const expectation& what) const {
  if (what.then == expectation::effect::is_refused) return true;
  if (!how_.rejects) return false;
  return what.then == expectation::effect::stores || what.then == expectation::effect::executes ||
         (doubtful_ && what.name == "SET in MULTI");
}

void customer::judge_error(const std::string& line) {
  const expectation& what = due_.front();
  const auto says = [&](std::string_view text) { return line.find(text) != line.npos; };
  in_error_ = false;
  item_ = 0;
  if (may_be_rejected(what) &&
      line.starts_with(what.name == "EXEC" ? "-EXECABORT Transaction discarded because of: THROTTLED rule="
                                           : "-THROTTLED rule=")) {
    ++told_.rejected;
    if (what.then == expectation::effect::is_refused && says("rule=hardly ")) ++told_.refused;
    ++told_.right;
    due_.pop_front();
    return;
  }
  const bool allowed = how_.losses && (says("-ERR upstream ") || says("-LOADING") || says("-ERR shutting down") ||
                                       (doubtful_ && (says("EXEC without MULTI") || says("EXECABORT"))));
  if (!allowed) return fail("an error: " + printable(line));
  // Whether it was done nobody knows.
  ++told_.lost;
  doubtful_ = true;
  if (what.then != expectation::effect::none) memory_[what.key].how = memory::state::in_doubt;
  // The keys of what follows would be another db's, its replies written in another protocol.
  const bool leads_astray = what.name == "SELECT" || what.name == "HELLO";
  due_.pop_front();
  if (leads_astray) forget_connection();
}

// What a listener asked for. True: there may be more.
bool customer::judge_heard_reply() {
  if (head_.starts_with('-') && how_.losses) {
    // Refused, and closed behind it.
    head_.clear();
    return false;
  }
  std::size_t at = 0;
  for (const item& one : due_.front().items) {
    const std::string_view rest = std::string_view(head_).substr(at);
    if (one.kind == item::what::integer) {
      const std::size_t end = rest.find('\n');
      if (end == rest.npos) return false;
      if (rest[0] != ':') fail("no number: " + printable(rest));
      at += end + 1;
      continue;
    }
    const std::size_t count = std::min(rest.size(), one.exact.size());
    if (one.exact.agree(0, rest.substr(0, count)) != count) {
      fail("wanted " + printable(one.exact.excerpt()) + ", heard " + printable(rest));
      return false;
    }
    if (count < one.exact.size()) return false;
    at += count;
  }
  head_.erase(0, at);
  finish_reply();
  return !head_.empty();
}

// A listener hears messages at any time, and what it asked for in between; all of it is short. True: there may be more.
bool customer::judge_heard() {
  std::string begins = resp3_ ? ">3\r\n" : "*3\r\n";  // a listener stays with the protocol that it began with
  append_bulk(begins, "message");
  if (!due_.empty() && head_.size() < begins.size() && begins.starts_with(head_)) return false;
  if (!due_.empty() && !head_.starts_with(begins)) return judge_heard_reply();
  append_bulk(begins, "ch/" + std::to_string(number_));
  const std::size_t count = std::min(begins.size(), head_.size());
  if (head_.compare(0, count, begins, 0, count) != 0) {
    if (!(how_.losses && head_.starts_with('-'))) fail("heard what is not for it: " + printable(head_));
    return false;
  }
  std::string who;
  std::uint64_t number = 0;
  std::size_t size = 0;
  if (!read_head(std::string_view(head_).substr(count), who, number, size)) return false;
  const answer wanted = answer().bulk(make_value(who, number, size));
  const std::string_view rest = std::string_view(head_).substr(count);
  const std::size_t have = std::min(rest.size(), wanted.size());
  if (wanted.agree(0, rest.substr(0, have)) != have) {
    fail("a message that is not as it was sent: " + printable(rest));
    return false;
  }
  if (have < wanted.size()) return false;
  std::uint64_t& before = heard_[who];
  if (!who.ends_with(">" + std::to_string(number_)) || number <= before) {
    fail("a message to another, or out of order: " + printable(rest));
    return false;
  }
  before = number;
  ++told_.messages;
  ++told_.right;
  head_.erase(0, count + have);
  return !head_.empty();
}

}  // namespace tidegate::torture
