#include "tests/differential/author.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "tests/differential/phrases.hpp"

namespace tidegate::differential {

namespace {

constexpr std::array<std::string_view, 3> times_to_come{"4000000000", "4100000000", "4102444800"};
constexpr std::array<std::string_view, 12> few_words{"alpha", "beta",  "gamma", "delta", "eps",    "zeta",
                                                     "eta",   "theta", "iota",  "kappa", "lambda", "mu"};

bool is_plain(const std::string& word) {
  return !word.empty() && word.size() < 200 &&
         std::ranges::all_of(word, [](char c) { return c > ' ' && c <= '~' && c != '"' && c != '\'' && c != '\\'; });
}

void append_bulk(std::string& out, std::string_view text) {
  out += '$';
  out += std::to_string(text.size());
  out += "\r\n";
  out += text;
  out += "\r\n";
}

}  // namespace

author::author(author_options options) : options_(std::move(options)), dice_(options_.seed) {
  std::erase_if(options_.commands, [](const std::string& name) {
    return name.find('|') != name.npos ||
           std::ranges::find(not_at_random, std::string_view(name)) != std::end(not_at_random);
  });
}

// --- words ---------------------------------------------------------------------------------------------------------

void author::say(const std::vector<std::string>& words) {
  ++commands_;
  if (dice_.one_in(12) && std::ranges::all_of(words, is_plain) && words[0].front() != '*') {
    for (const std::string& word : words) {
      if (&word != words.data()) out_ += dice_.one_in(8) ? "  " : " ";
      if (dice_.one_in(8)) {
        out_ += '"' + word.substr(0, word.size() - 1) + "\\x";
        constexpr std::string_view digits = "0123456789abcdef";
        const auto last = static_cast<unsigned char>(word.back());
        out_ += digits[last >> 4];
        out_ += digits[last & 15];
        out_ += '"';
      } else {
        out_ += word;
      }
    }
    out_ += dice_.one_in(3) ? "\n" : "\r\n";
    return;
  }
  out_ += '*';
  out_ += std::to_string(words.size());
  out_ += "\r\n";
  for (const std::string& word : words) append_bulk(out_, word);
}

std::string author::key(char kind) {
  return "s" + std::to_string(session_) + ":" + kind + std::to_string(dice_.below(5));
}

std::string author::channel(std::size_t session) {
  return "ch" + std::to_string(session) + ":" + std::to_string(dice_.below(3));
}

std::string author::value() {
  std::size_t size = dice_.below(40);
  if (dice_.one_in(12)) size = dice_.below(2000);
  if (dice_.one_in(200)) size = dice_.below(70'000);
  if (dice_.one_in(4000) && !large_) size = dice_.one_in(4) ? value_bytes_max : dice_.below(value_bytes_max);
  if (size > 100'000) large_ = true;
  std::string text(size, '\0');
  if (size < 2000) {
    for (char& c : text) c = static_cast<char>(dice_.below(256));
  } else {
    std::uint64_t mixed = dice_.next();
    for (std::size_t at = 0; at < size; ++at) {
      if (at % 64 == 0) mixed = mixed * 6364136223846793005 + 1442695040888963407;
      text[at] = static_cast<char>(mixed >> (at % 56));
    }
  }
  return text;
}

std::string author::word() {
  std::string text(1 + dice_.below(20), '\0');
  for (char& c : text) c = static_cast<char>('a' + dice_.below(26));
  if (dice_.one_in(20)) text += "\r\n\x01\xff";
  return text;
}

std::string author::fill(std::string_view place) {
  if (place == "$far") return std::string(dice_.of(times_to_come));
  if (place == "$sha") return options_.script_sha;
  switch (place.size() > 1 ? place[1] : ' ') {
    case 'v':
      return value();
    case 'w':
      return word();
    case 'm':
      return std::string(dice_.of(few_words));
    case 'j':
      return std::to_string(dice_.below(400));
    case 'k':
      return std::to_string(dice_.between(-5, 20)) + std::string(place.substr(2));
    case 'K':
      return std::to_string(dice_.between(-4'000'000'000'000'000'000, 4'000'000'000'000'000'000));
    case 'f':
      return dice_.one_in(12) ? "inf"
                              : std::to_string(dice_.between(-100, 100)) + "." + std::to_string(dice_.below(100));
    case 'q':
      return std::to_string(++stream_id_) + "-1";
    case 'd':
      return std::to_string(dice_.below(3));
    case ' ':
      return "$";
    default:
      return key(place[1]);
  }
}

void author::phrase(std::string_view text) {
  // A server looks at its clocks now and then: each command that waits for its timeout costs milliseconds.
  const bool waits = text.find(" 0.002") != text.npos || text.find(" BLOCK 2 ") != text.npos;
  if (waits && !in_transaction_ && !dice_.one_in(6)) return;
  if (text.front() == '!') {
    if (options_.ttl_rules) return;
    text.remove_prefix(1);
  }
  std::vector<std::string> words;
  while (!text.empty()) {
    const std::string_view one = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), one.size() + 1));
    words.push_back(one.front() == '$' ? fill(one) : std::string(one));
  }
  if (dice_.one_in(10))
    std::ranges::transform(words[0], words[0].begin(),
                           [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
  say(words);
}

void author::at_random() {
  if (options_.commands.empty()) return;
  std::vector<std::string> words{dice_.of(options_.commands)};
  if (words[0] == "cluster" || words[0].starts_with("pf")) return;
  for (std::uint64_t n = dice_.below(6); n-- > 0;) {
    words.push_back(dice_.one_in(2) ? key('g') : std::string(dice_.of(random_words)));
  }
  say(words);
}

// --- parts of a batch ----------------------------------------------------------------------------------------------

void author::something() {
  const state& s = sessions_[session_];
  switch (dice_.below(40)) {
    case 0:
      if (!in_transaction_) return transaction();
      break;
    case 1:
      if (!in_transaction_ && !silent_) return silence();
      break;
    case 2:
      if (!in_transaction_ && !silent_) return subscriptions();
      break;
    case 3:
      if (!in_transaction_ && !silent_) return protocol();
      break;
    case 4:
      if (!in_transaction_ && !silent_) return tracking();
      break;
    case 5:
    case 6:
    case 7:
      if (in_turn_) return at_random();
      break;
    case 8:
      if (!in_transaction_) return oddities();
      break;
    case 9:
    case 10:
    case 11:
    case 12: {
      // In a transaction only what does not change what follows it.
      const std::string_view text = dice_.of(connection_phrases);
      const bool changes = text.starts_with("EXEC") || text.starts_with("DISCARD") || text.starts_with("SELECT") ||
                           text.starts_with("HELLO") || text.starts_with("AUTH") || text.starts_with("CLIENT") ||
                           text.starts_with("SYNC") || text.starts_with("PSYNC") || text.starts_with("FAILOVER") ||
                           text.starts_with("SUNSUB") || text.starts_with("DEBUG PROTOCOL") || text.starts_with("WAIT");
      if (!in_transaction_ || !changes) return phrase(text);
      break;
    }
    default:
      break;
  }
  if (s.channels > 0 && !s.resp3 && dice_.one_in(3)) return subscriptions();
  phrase(dice_.of(data_phrases));
}

void author::transaction() {
  if (sessions_[session_].channels > 0 && !sessions_[session_].resp3) return;
  if (dice_.one_in(3)) say({"WATCH", key('s'), key('l')});
  // A follow-up behind a write that failed touches the key all the same, and with it a WATCH.
  if (dice_.one_in(4) && !options_.ttl_rules) phrase(dice_.of(data_phrases));
  say({"MULTI"});
  in_transaction_ = true;
  for (std::uint64_t n = dice_.below(8); n-- > 0;) something();
  if (dice_.one_in(20)) say({"MULTI"});
  if (dice_.one_in(12)) say({"SELECT", std::to_string(dice_.below(3))});
  in_transaction_ = false;
  if (dice_.one_in(40)) {
    reset();
    return;
  }
  say({dice_.one_in(6) ? "DISCARD" : "EXEC"});
}

void author::silence() {
  if (sessions_[session_].channels > 0) return;
  silent_ = true;
  if (dice_.one_in(2)) {
    say({"CLIENT", "REPLY", "SKIP"});
    // Something must be said: the answer that is kept back would be the next one's.
    for (const std::uint64_t before = commands_; commands_ == before;) phrase(dice_.of(data_phrases));
  } else {
    say({"CLIENT", "REPLY", "OFF"});
    for (std::uint64_t n = dice_.below(6); n-- > 0;) something();
    say({"CLIENT", "REPLY", "ON"});
  }
  silent_ = false;
}

void author::subscriptions() {
  state& s = sessions_[session_];
  const bool leave = s.channels > 0 && dice_.one_in(2);
  const std::string own = channel(session_);
  if (!leave) {
    switch (dice_.below(4)) {
      case 0:
        say({"SUBSCRIBE", own, channel(session_)});
        break;
      case 1:
        say({"PSUBSCRIBE", "ch" + std::to_string(session_) + ":*"});
        break;
      case 2:
        say({"SSUBSCRIBE", own});
        break;
      default:
        say({"SUBSCRIBE", own});
        break;
    }
    s.channels = 1;
    if (s.resp3 && dice_.one_in(2)) say({"PUBLISH", own, word()});
    return;
  }
  leave_channels();
}

// Without arguments a server unsubscribes in an order of its own: from one channel at most, that is.
void author::leave_channels() {
  const std::string own = "ch" + std::to_string(session_) + ":";
  say({"UNSUBSCRIBE", own + "0", own + "1", "none"});
  say({"UNSUBSCRIBE"});
  say({"PUNSUBSCRIBE"});
  say({"SUNSUBSCRIBE", own + "2", own + "0"});
  say({"SUNSUBSCRIBE"});
  sessions_[session_].channels = 0;
}

void author::reset() {
  say({"RESET"});
  state& s = sessions_[session_];
  const bool tracked = s.tracked_ever;
  s = {};
  s.tracked_ever = s.tracked_before_reset = tracked;
}

void author::protocol() {
  state& s = sessions_[session_];
  if (s.channels > 0) {
    // What a subscriber's protocol change does to messages under way is nobody's business: it leaves first.
    leave_channels();
  }
  if (dice_.one_in(5)) {
    reset();
  } else if (s.tracking) {
    say({"CLIENT", "TRACKING", "OFF"});
    s.tracking = false;
  } else if (dice_.one_in(4)) {
    say({"HELLO", s.resp3 ? "3" : "2", "SETNAME", std::string(dice_.of(few_words))});
  } else {
    s.resp3 = !s.resp3;
    say({"HELLO", s.resp3 ? "3" : "2"});
  }
}

// Follow-ups of TTL rules are writes, and tell of themselves.
void author::tracking() {
  state& s = sessions_[session_];
  if (!s.resp3 || options_.ttl_rules || s.tracked_before_reset) return;
  if (s.tracking) {
    if (dice_.one_in(2)) return say({"CLIENT", "TRACKINGINFO"});
    say({"CLIENT", "TRACKING", "OFF"});
    s.tracking = false;
    return;
  }
  // Not BCAST, whose pushes come when the server's loop goes to sleep, between any two replies.
  if (dice_.one_in(2)) {
    say({"CLIENT", "TRACKING", "ON", "OPTIN"});
    say({"CLIENT", "CACHING", "YES"});
    // Straight behind it: an empty request would count as the command that this is for.
    phrase(dice_.of(data_phrases));
  } else {
    say({"CLIENT", "TRACKING", "ON"});
  }
  s.tracking = s.tracked_ever = true;
}

void author::oddities() {
  constexpr std::array<std::string_view, 6> silent{"\r\n", "*0\r\n", "*-1\r\n", "*-10\r\n", "\n", "   \r\n"};
  out_ += dice_.of(silent);
}

// Ends the connection, in one of the ways in which a client or its mistakes do.
bool author::goodbye() {
  constexpr std::array<std::string_view, 7> wrong{
      "*1\r\n@\r\n",       "*x\r\n",       "*2\r\n$3\r\nGET\r\n$-5\r\n",
      "SET a \"open\r\n",  "*1\r\n$x\r\n", "*2\r\n$3\r\nGET\r\n$999999999999\r\n",
      "*1048577000000\r\n"};
  if (dice_.one_in(2)) {
    say({"QUIT"});
  } else {
    out_ += dice_.of(wrong);
    ++commands_;
  }
  return true;
}

// --- scenes --------------------------------------------------------------------------------------------------------

void author::end(batch& to) {
  const std::string mark = "mark-" + std::to_string(++marks_) + "-" + std::to_string(dice_.next());
  out_ += "*2\r\n$4\r\nPING\r\n";
  append_bulk(out_, mark);
  append_bulk(to.mark, mark);
  to.bytes = std::exchange(out_, {});
  ++commands_;
}

batch author::speak(std::size_t session) {
  batch said;
  said.session = session_ = session;
  large_ = false;
  std::uint64_t count = 1 + dice_.below(60);
  if (dice_.one_in(30)) count = 1 + dice_.below(600);
  if (dice_.one_in(5)) count = 1 + dice_.below(4);
  while (count-- > 0) something();
  if (dice_.one_in(60)) {
    said.ends = goodbye();
    said.bytes = std::exchange(out_, {});
    sessions_[session] = {};
  } else {
    end(said);
  }
  said.pieces = said.bytes.size() < 3000 && dice_.one_in(12);
  return said;
}

batch author::short_word(std::size_t session) {
  batch said;
  said.session = session;
  end(said);
  return said;
}

// At the same time, or one after the other: only then are words tried at random, for what stands where a key is meant
// is no session's own.
scene author::everybody() {
  scene written;
  in_turn_ = dice_.one_in(2);
  for (std::size_t session = 0; session < sessions_count; ++session) {
    if (dice_.below(4) == 0) continue;
    if (in_turn_ || written.turns.empty()) written.turns.emplace_back();
    written.turns.back().push_back(speak(session));
  }
  if (written.turns.empty()) written.turns.emplace_back().push_back(speak(0));
  in_turn_ = false;
  return written;
}

// One session publishes to the others' channels; then each of them says a word, behind which its messages stand.
scene author::published() {
  scene written;
  batch from;
  from.session = session_ = dice_.below(sessions_count);
  if (sessions_[from.session].channels > 0 && !sessions_[from.session].resp3) return everybody();
  for (std::uint64_t n = 1 + dice_.below(10); n-- > 0;) {
    const std::size_t to = (from.session + 1 + dice_.below(sessions_count - 1)) % sessions_count;
    say({dice_.one_in(4) ? "SPUBLISH" : "PUBLISH", channel(to), dice_.one_in(20) ? value() : word()});
  }
  end(from);
  written.turns.push_back({std::move(from)});
  std::vector<batch>& heard = written.turns.emplace_back();
  for (std::size_t session = 0; session < sessions_count; ++session) heard.push_back(short_word(session));
  return written;
}

// One waits for an item, another one brings it.
scene author::waited_for() {
  scene written;
  batch waiter;
  waiter.session = session_ = dice_.below(sessions_count);
  state& s = sessions_[waiter.session];
  // Whether the item or the one who waits for it comes first is open: only an invalidation could tell.
  if ((s.channels > 0 && !s.resp3) || s.tracking) return everybody();
  const std::string where = "q" + std::to_string(waiter.session) + ":" + std::to_string(dice_.below(3));
  const std::uint64_t how = dice_.below(4);
  say({"SELECT", "0"});
  if (dice_.one_in(3)) phrase(dice_.of(data_phrases));
  switch (how) {
    case 0:
      say({"BLPOP", where, "none", "0"});
      break;
    case 1:
      say({"BLMOVE", where, where + ":to", "LEFT", "RIGHT", "0"});
      break;
    case 2:
      say({"BZPOPMIN", where + ":z", "0"});
      break;
    default:
      say({"XREAD", "COUNT", "1", "BLOCK", "0", "STREAMS", where + ":x", "0"});
      break;
  }
  if (dice_.one_in(2)) phrase("SET $s $v");
  waiter.bytes = std::exchange(out_, {});
  batch bringer;
  const std::size_t waiting = waiter.session;
  bringer.session = session_ = (waiting + 1 + dice_.below(sessions_count - 1)) % sessions_count;
  if (sessions_[bringer.session].channels > 0 && !sessions_[bringer.session].resp3) {
    reset();
  }
  say({"SELECT", "0"});
  switch (how) {
    case 0:
    case 1:
      say({"RPUSH", where, word()});
      break;
    case 2:
      say({"ZADD", where + ":z", "1", word()});
      break;
    default:
      say({"XADD", where + ":x", std::to_string(++stream_id_) + "-1", "f", word()});
      break;
  }
  end(bringer);
  written.turns.push_back({std::move(waiter)});
  written.turns.push_back({std::move(bringer)});
  session_ = waiting;
  say({"DEL", where, where + ":to", where + ":z", where + ":x"});
  batch thanks;
  thanks.session = waiting;
  end(thanks);
  written.turns.push_back({std::move(thanks)});
  return written;
}

// What concerns the whole keyspace, by one session while the others are silent. Whom it told of invalidations says a
// word afterwards.
scene author::alone() {
  constexpr std::array<std::string_view, 8> all{"DBSIZE",         "FLUSHDB",     "SWAPDB 0 1",   "SWAPDB 1 99",
                                                "FLUSHALL ASYNC", "FLUSHDB BAD", "KEYS nosuch*", "SWAPDB 2 0"};
  scene written;
  batch one;
  one.session = session_ = dice_.below(sessions_count);
  for (std::uint64_t n = 1 + dice_.below(3); n-- > 0;) phrase(dice_.of(all));
  end(one);
  written.turns.push_back({std::move(one)});
  std::vector<batch>& told = written.turns.emplace_back();
  for (std::size_t session = 0; session < sessions_count; ++session) told.push_back(short_word(session));
  return written;
}

scene author::write() {
  switch (dice_.below(24)) {
    case 0:
    case 1:
      return published();
    case 2:
    case 3:
      return waited_for();
    case 4:
      return alone();
    default:
      return everybody();
  }
}

}  // namespace tidegate::differential
