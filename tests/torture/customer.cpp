#include "tests/torture/customer.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace tidegate::torture {

namespace {

using clock = std::chrono::steady_clock;
constexpr std::string_view ok = "+OK\r\n";

std::string command(std::initializer_list<std::string_view> words) {
  std::string out = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string_view word : words) append_bulk(out, word);
  return out;
}

}  // namespace

customer::customer(std::uint32_t number, std::uint64_t seed, const manners& how, report& told)
    : number_(number),
      how_(how),
      told_(told),
      dice_(seed * 1'000'003 + number),
      name_("c" + std::to_string(number)),
      listener_(number % 10 == 9),
      scratch_(1 << 18) {}

std::string customer::key(std::size_t index) const {
  return name_ + "/" + std::to_string(index);
}

// Nearly all are small; those of one key may be as large as they come.
std::size_t customer::some_size(std::size_t key) {
  if (key == 0 && dice_.one_in(600)) return dice_.below(how_.value_bytes_max + 1);
  if (dice_.one_in(300)) return dice_.below(std::min<std::size_t>(how_.value_bytes_max, 300'000));
  if (dice_.one_in(20)) return dice_.below(8'000);
  return dice_.below(200);
}

customer::expectation customer::exactly(std::string name, std::string_view bytes) const {
  answer made;
  made.text(bytes);
  return exactly(std::move(name), std::move(made));
}

customer::expectation customer::exactly(std::string name, answer bytes) const {
  expectation made;
  made.name = std::move(name);
  made.items.push_back({item::what::literal, std::move(bytes), 0});
  return made;
}

// --- speaking ------------------------------------------------------------------------------------------------------

void customer::connect() {
  if (clock::now() < connect_at_) return;
  try {
    const bool tls = how_.has_tls && dice_.one_in(2);
    connection_.emplace(tls ? how_.tls : how_.plain);
  } catch (const std::runtime_error&) {
    if (!how_.losses) throw;
    connect_at_ = clock::now() + std::chrono::milliseconds(20);
    return;
  }
  ++told_.connections;
  // What an earlier connection left under way may still run, behind what this one says: it has names of its own.
  name_ = "c" + std::to_string(number_) + "." + std::to_string(++generation_);
  for (memory& one : memory_) one = {};
  out_.clear();
  sent_ = 0;
  due_.clear();
  item_ = at_ = 0;
  in_error_ = chosen_ = half_closed_ = doubtful_ = resp3_ = false;
  head_.clear();
  stored_.reset();
  heard_.clear();
  if (!how_.version.empty() && dice_.one_in(2)) say_hello(true);
  if (number_ % 4 != 0) {
    say({"SELECT", std::to_string(number_ % 4)}, exactly("SELECT", ok));
  }
  if (listener_) listen();
}

void customer::expect(expectation what) {
  what.resp3 = resp3_;
  due_.push_back(std::move(what));
  ++told_.sent;
}

void customer::say(std::initializer_list<std::string_view> words, expectation what) {
  out_ += command(words);
  expect(std::move(what));
}

void customer::say_hello(bool resp3) {
  const auto pair = [](answer& to, std::string_view name, std::string_view text) { to.bulk(name).bulk(text); };
  resp3_ = resp3;
  answer before, behind;
  before.text(resp3 ? "%7\r\n" : "*14\r\n");
  pair(before, "server", "redis");
  pair(before, "version", how_.version);
  before.bulk("proto").text(resp3 ? ":3\r\n" : ":2\r\n").bulk("id");
  pair(behind, "mode", "standalone");
  pair(behind, "role", "master");
  behind.bulk("modules").text("*0\r\n");
  expectation what = exactly("HELLO", std::move(before));
  what.items.push_back({item::what::integer, {}, 0});
  what.items.push_back({item::what::literal, std::move(behind), 0});
  say({"HELLO", resp3 ? "3" : "2"}, std::move(what));
  ++told_.hellos;
}

void customer::say_value_to(const std::string& key, std::uint64_t number, std::size_t bytes) {
  out_ += "*5\r\n";
  append_bulk(out_, "SET");
  append_bulk(out_, key);
  append_bulk(out_, make_value(key, number, bytes));
  append_bulk(out_, "EX");
  append_bulk(out_, "60");
}

void customer::say_values() {
  const std::size_t index = dice_.below(keys);
  expectation what = exactly("SET", ok);
  what.then = expectation::effect::stores;
  what.key = index;
  what.number = ++serial_;
  what.bytes = some_size(index);
  say_value_to(key(index), what.number, what.bytes);
  expect(std::move(what));
}

void customer::say_refused() {
  expectation what = exactly("SET", ok);
  what.then = expectation::effect::is_refused;
  say_value_to(name_ + "/refused", ++serial_, some_size(1));
  expect(std::move(what));
}

void customer::say_echo() {
  const value text = make_value(name_ + "/e", ++serial_, some_size(1));
  out_ += "*2\r\n";
  append_bulk(out_, "ECHO");
  append_bulk(out_, text);
  expect(exactly("ECHO", answer().bulk(text)));
}

void customer::say_message() {
  if (how_.customers < 10) return;
  const std::uint64_t to = dice_.below(how_.customers / 10) * 10 + 9;
  const value message = make_value(name_ + ">" + std::to_string(to), ++serial_, dice_.below(400));
  out_ += "*3\r\n";
  append_bulk(out_, "PUBLISH");
  append_bulk(out_, "ch/" + std::to_string(to));
  append_bulk(out_, message);
  expect({{{item::what::integer, {}, 0}}, {}, expectation::effect::none, 0, 0, 0, "PUBLISH"});
}

void customer::say_stored() {
  expectation what;
  if (dice_.one_in(4)) {
    const std::array<std::size_t, 3> indexes{dice_.below(keys), 1 + dice_.below(keys - 1), 1 + dice_.below(keys - 1)};
    what.name = "MGET";
    what.items.push_back({item::what::literal, answer().text("*3\r\n"), 0});
    for (const std::size_t index : indexes) what.items.push_back({item::what::stored, {}, index});
    return say({"MGET", key(indexes[0]), key(indexes[1]), key(indexes[2])}, std::move(what));
  }
  const std::size_t index = dice_.below(keys);
  what.name = "GET";
  what.items.push_back({item::what::stored, {}, index});
  say({"GET", key(index)}, std::move(what));
}

void customer::say_transaction() {
  const std::size_t index = 1 + dice_.below(keys - 1);
  const std::uint64_t number = ++serial_;
  const std::size_t bytes = dice_.below(300);
  const bool is_refused = dice_.below(100) < how_.refused_percent;
  const std::string mark = name_ + "-exec-" + std::to_string(number);
  say({"MULTI"}, exactly("MULTI", ok));
  say_value_to(is_refused ? name_ + "/refused" : key(index), number, bytes);
  expectation first = exactly("SET in MULTI", "+QUEUED\r\n");
  first.otherwise = exactly("", ok).items;
  expect(std::move(first));
  expectation second = exactly("ECHO in MULTI", "+QUEUED\r\n");
  second.otherwise = exactly("", answer().bulk(mark)).items;
  say({"ECHO", mark}, std::move(second));
  expectation third = exactly("EXEC", answer().text("*2\r\n+OK\r\n").bulk(mark));
  third.then = is_refused ? expectation::effect::is_refused : expectation::effect::executes;
  third.key = index;
  third.number = number;
  third.bytes = bytes;
  say({"EXEC"}, std::move(third));
}

void customer::say_blocking() {
  const std::string list = name_ + "/q";
  const std::string mark = name_ + "-item-" + std::to_string(++serial_);
  say({"DEL", list}, {{{item::what::integer, {}, 0}}, {}, expectation::effect::none, 0, 0, 0, "DEL"});
  say({"RPUSH", list, mark}, {{{item::what::integer, {}, 0}}, {}, expectation::effect::none, 0, 0, 0, "RPUSH"});
  expectation what = exactly("BLPOP", answer().text("*2\r\n").bulk(list).bulk(mark));
  what.then = expectation::effect::takes;
  say({"BLPOP", list, "2"}, std::move(what));
}

void customer::say_script() {
  const std::string mark = name_ + "-eval-" + std::to_string(++serial_);
  say({"EVAL", "return {KEYS[1],ARGV[1],{ARGV[1]}}", "1", name_, mark},
      exactly("EVAL", answer().text("*3\r\n").bulk(name_).bulk(mark).text("*1\r\n").bulk(mark)));
}

void customer::listen() {
  const std::string channel = "ch/" + std::to_string(number_);
  say({"SUBSCRIBE", channel},
      exactly("SUBSCRIBE", answer().text(resp3_ ? ">3\r\n" : "*3\r\n").bulk("subscribe").bulk(channel).text(":1\r\n")));
}

// Goes, in one of the ways in which clients go.
void customer::leave() {
  switch (dice_.below(4)) {
    case 0:
      // Who is blocked or subscribed when it finishes is taken for gone, with all that it is owed.
      if (listener_ && !due_.empty()) return;
      if (std::ranges::any_of(due_, [](const expectation& one) { return one.then == expectation::effect::takes; }))
        return;
      connection_->half_close();
      half_closed_ = true;
      return;
    case 1:
      (void)connection_->write("*2\r\n$3\r\nGET\r\n$100\r\nhalf");
      connection_->reset();
      break;
    case 2:
      connection_->reset();
      break;
    default:
      break;  // an ordinary close with replies under way
  }
  forget_connection();
}

void customer::forget_connection() {
  connection_.reset();
  told_.unanswered += due_.size();
  due_.clear();
  out_.clear();
  sent_ = 0;
}

void customer::speak() {
  if (listener_) {
    if (due_.empty() && dice_.one_in(400)) {
      const std::string channel = "ch/" + std::to_string(number_);
      say({"UNSUBSCRIBE", channel},
          exactly("UNSUBSCRIBE",
                  answer().text(resp3_ ? ">3\r\n" : "*3\r\n").bulk("unsubscribe").bulk(channel).text(":0\r\n")));
      say({"ECHO", name_}, exactly("ECHO", answer().bulk(name_)));
      listen();
    } else if (resp3_ && dice_.one_in(40)) {
      // Ordinary commands between the messages, which RESP2 forbids.
      say({"ECHO", name_}, exactly("ECHO", answer().bulk(name_)));
    }
    return;
  }
  std::size_t count = 1 + dice_.below(dice_.one_in(6) ? how_.pipeline_max : 24);
  while (count-- > 0 && due_.size() < how_.pipeline_max && out_.size() < (std::size_t{24} << 20)) say_one();
}

void customer::say_one() {
  if (dice_.below(100) < how_.refused_percent) return say_refused();
  if (!how_.version.empty() && dice_.one_in(1000)) return say_hello(!resp3_);
  const std::uint64_t number = dice_.below(40);
  if (number == 0) return say_transaction();
  if (number == 1) {
    if (dice_.one_in(4)) say_blocking();
    return;
  }
  if (number == 2) return say_script();
  if (number == 3) return say_message();
  if (number < 10) return say_echo();
  if (number < 20) return say_values();
  say_stored();
}

void customer::write_some() {
  while (connection_ && sent_ < out_.size()) {
    const auto written = connection_->write(std::string_view(out_).substr(sent_));
    if (!written) return;  // reading tells
    if (*written == 0) return;
    sent_ += *written;
  }
  if (sent_ == out_.size()) {
    out_.clear();
    sent_ = 0;
  }
}

void customer::go_on(bool talk) {
  if (failed_) return;
  if (!connection_) {
    if (!talk) return;
    connect();
    if (!connection_) return;
  }
  read_some();
  if (failed_ || !connection_) return;
  if (talk && !half_closed_ && due_.size() < 40 && out_.size() < 1'000'000) {
    if (due_.empty()) doubtful_ = false;
    if (!doubtful_) speak();
  }
  write_some();
  if (talk && how_.leaves && !half_closed_ && sent_ == out_.size() && dice_.one_in(listener_ ? 4000 : 1500)) leave();
}

}  // namespace tidegate::torture
