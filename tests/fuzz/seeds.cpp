#include "seeds.hpp"

#include <algorithm>
#include <string_view>

#include "../resp/reply_vectors.hpp"
#include "../resp/request_vectors.hpp"
#include "resp/command_table.hpp"

namespace tidegate::fuzz {
namespace {

using words = std::vector<std::string>;

std::string multibulk(const words& args) {
  std::string out = "*" + std::to_string(args.size()) + "\r\n";
  for (const std::string& arg : args) out += "$" + std::to_string(arg.size()) + "\r\n" + arg + "\r\n";
  return out;
}

words name_words(std::string_view name) {
  words out;
  while (!name.empty()) {
    const std::size_t bar = std::min(name.find('|'), name.size());
    out.emplace_back(name.substr(0, bar));
    name.remove_prefix(std::min(bar + 1, name.size()));
  }
  return out;
}

// As many arguments as it needs at least, keys where its keys stand.
words example_of(const resp::command_spec& spec) {
  words args = name_words(spec.name);
  const auto needed = static_cast<std::size_t>(spec.arity < 0 ? -spec.arity : spec.arity);
  while (args.size() < needed) {
    const auto at = static_cast<std::int16_t>(args.size());
    const bool key = spec.key_first > 0 && at >= spec.key_first && spec.key_step > 0 &&
                     (at - spec.key_first) % spec.key_step == 0 && (spec.key_last < 0 || at <= spec.key_last);
    args.emplace_back(key ? "k1" : "1");
  }
  return args;
}

std::string file_name(std::string_view name) {
  std::string out(name);
  std::replace(out.begin(), out.end(), '|', '+');
  return out;
}

std::string numbered(std::string_view stem, std::size_t number) {
  std::string digits = std::to_string(number);
  digits.insert(0, digits.size() < 3 ? 3 - digits.size() : 0, '0');
  return std::string(stem) + digits;
}

// The input of session_fuzz: events as its `step` reads them.
class session_script {
 public:
  explicit session_script(unsigned variant) { out_ = {static_cast<char>(variant), 1}; }
  session_script& say(unsigned client, std::string_view bytes) {
    for (; !bytes.empty(); bytes.remove_prefix(std::min<std::size_t>(bytes.size(), 255))) {
      const std::string_view piece = bytes.substr(0, 255);
      out_ += static_cast<char>(client);
      out_ += static_cast<char>(piece.size());
      out_ += piece;
    }
    return *this;
  }
  session_script& turns() { return event(0x87); }
  session_script& event(unsigned op) {
    out_ += static_cast<char>(op);
    return *this;
  }
  [[nodiscard]] std::string bytes() const { return out_; }

 private:
  std::string out_;
};

// Between two that are answered in any case: what it does to the count of replies shows at the second.
std::string between_sentinels(unsigned variant, std::string_view request) {
  return session_script(variant)
      .say(0, multibulk({"ECHO", "before"}))
      .say(0, request)
      .say(0, multibulk({"ECHO", "behind"}))
      .turns()
      .say(1, multibulk({"SET", "k1", "v"}))
      .turns()
      .bytes();
}

void add_commands(std::vector<seed>& all) {
  for (const resp::command_spec& spec : resp::builtin_commands()) {
    if (spec.id == 0) continue;
    const std::string request = multibulk(example_of(spec));
    all.push_back({"request_parser_fuzz", "command_" + file_name(spec.name), std::string("\1\7\5", 3) + request});
    all.push_back({"session_fuzz", "command_" + file_name(spec.name), between_sentinels(spec.id % 32, request)});
  }
}

// Requests that do not get exactly one reply each.
void add_uneven(std::vector<seed>& all) {
  const std::vector<words> requests{{"CLIENT", "REPLY", "OFF"},
                                    {"CLIENT", "REPLY", "SKIP"},
                                    {"CLIENT", "REPLY", "ON"},
                                    {"SUBSCRIBE", "a", "b", "c"},
                                    {"PSUBSCRIBE", "a*", "b*"},
                                    {"SSUBSCRIBE", "a"},
                                    {"UNSUBSCRIBE"},
                                    {"PUNSUBSCRIBE", "a*"},
                                    {"RESET"},
                                    {"QUIT"},
                                    {"MONITOR"},
                                    {"HELLO", "3"},
                                    {"HELLO", "2"},
                                    {"HELLO", "3", "AUTH", "job", "wrong"},
                                    {"AUTH", "wrong"},
                                    {"AUTH", "job", "secret"},
                                    {"CLIENT", "TRACKING", "ON"},
                                    {"MULTI"},
                                    {"EXEC"},
                                    {"BLPOP", "k1", "0"},
                                    {"WAIT", "1", "0"},
                                    {"SYNC"},
                                    {"PSYNC", "?", "-1"},
                                    {"SHUTDOWN"}};
  std::size_t number = 0;
  for (const words& request : requests) {
    all.push_back({"session_fuzz", numbered("uneven_", number), between_sentinels(0, multibulk(request))});
    all.push_back({"session_fuzz", numbered("uneven_session_", number), between_sentinels(1, multibulk(request))});
    ++number;
  }
  for (const std::string_view line : {"*0\r\n", "*-1\r\n", "\r\n", "PING\r\n", "\n", "GET \"x\\x4\"\r\n"}) {
    all.push_back({"session_fuzz", numbered("uneven_", number++), between_sentinels(0, line)});
  }
}

void add_events(std::vector<seed>& all) {
  const std::string incr = multibulk({"INCR", "k1"});
  const auto transaction = [&](unsigned variant) {
    return session_script(variant)
        .say(0, multibulk({"WATCH", "k1"}) + multibulk({"MULTI"}) + incr + multibulk({"SET", "k2", "v"}))
        .turns()
        .say(1, incr)
        .turns()
        .say(0, multibulk({"EXEC"}))
        .turns()
        .bytes();
  };
  for (unsigned variant = 0; variant < 64; variant += 5) {
    all.push_back({"session_fuzz", numbered("transaction_", variant), transaction(variant)});
  }
  all.push_back({"session_fuzz", "lost_in_flight",
                 session_script(0).say(0, incr).turns().event(0x91).say(0, incr).turns().event(0x8e).turns().bytes()});
  all.push_back({"session_fuzz", "nonsense_reply",
                 session_script(0)
                     .say(0, incr)
                     .turns()
                     .event(0x93)
                     .event(0)
                     .event(3)
                     .event('?')
                     .event('\r')
                     .event('\n')
                     .turns()
                     .bytes()});
  all.push_back(
      {"session_fuzz", "refused_then_back",
       session_script(0).event(0x8f).say(0, incr).turns().event(0x8c).event(0x8f).turns().event(0x8c).bytes()});
  all.push_back({"session_fuzz", "reload_while_delayed",
                 session_script(2)
                     .say(0, incr + incr + incr + incr + incr + incr + incr)
                     .turns()
                     .event(0x92)
                     .event(8)
                     .turns()
                     .event(0x8b)
                     .bytes()});
  all.push_back(
      {"session_fuzz", "drain_in_transaction",
       session_script(0).say(0, multibulk({"MULTI"}) + incr).turns().event(0x95).turns().event(0x8c).bytes()});
  all.push_back({"session_fuzz", "half_close_behind_pipeline",
                 session_script(0x80).say(0, incr + incr + incr).event(12U << 3U).turns().turns().bytes()});
  all.push_back({"session_fuzz", "reader_that_stops",
                 session_script(0)
                     .event(14U << 3U)
                     .event(1)
                     .say(0, multibulk({"ECHO", std::string(200, 'x')}))
                     .say(0, multibulk({"ECHO", std::string(200, 'y')}))
                     .turns()
                     .event(0x8c)
                     .bytes()});
}

void add_configurations(std::vector<seed>& all) {
  const std::string_view base =
      "listen: [ { address: \"127.0.0.1:0\" } ]\nupstream: { url: \"redis://127.0.0.1:6379\" }\n";
  const std::vector<std::string_view> sections{
      "",
      "workers: 2\ndrain: 30s\ninstance: proxy-a\n",
      "upstream: { url: \"rediss://host:6379?ca=ca.crt\", auth: passthrough, pooling: session, lanes: 2 }\n",
      "users: [ { name: a, password: b } ]\n",
      "memory: { session: 64MiB, total: 1GiB }\n",
      "admin: { address: \"127.0.0.1:9121\", token: abcdef }\n",
      "attribution:\n  identify_by: [client_name, username, tls_subject, source, library]\n"
      "  names: [ { match: \"a-*\", as: a } ]\n  sources: [ { cidr: 10.0.3.0/24, as: b } ]\n  patterns: [\"k:*\"]\n",
      "limits: [ { name: x, match: { client: \"a*\", command: [SET, write], key: \"k*\" }, per: client, rate: 2000/s, "
      "burst: 5000, cost: element, action: delay, max_delay: 2s, memory: { from: 60%, to: 85%, floor: 10% }, "
      "owner: \"#a\", until: 2026-12-31 } ]\n",
      "limits: [ { name: x, rate: 150KiB/s, cost: byte, action: reject } ]\n",
      "ttl: [ { pattern: \"a:*\", default: 60d, jitter: 10%, mode: enforce }, { pattern: \"b:*\", require: true } ]\n",
      "ttl: [ { pattern: \"a:*\", default: 60d, max: 30d } ]\n",
      "ledger: { path: t.db, bucket: 10s, keep: 14d, max_size: 1GiB }\ncapture: { directory: c, sample: 0.5 }\n",
      "ledger: off\ncapture: off\nlog: { level: debug, format: json }\n",
      "unknown: 1\nworkers: -1\nworkers: 2\n",
      "limits: [ { name: \"\\u202e\\n\", rate: 1e308/s } ]\n",
      "a: &a [*a, *a]\n",
      "listen: [\n",
      "\"${HOME}\": \"${NO_SUCH_VARIABLE}\"\n"};
  for (std::size_t i = 0; i < sections.size(); ++i) {
    all.push_back({"config_fuzz", numbered("section_", i), std::string(base) + std::string(sections[i])});
  }
}

}  // namespace

std::vector<seed> seeds() {
  std::vector<seed> all;
  add_commands(all);
  add_uneven(all);
  add_events(all);
  add_configurations(all);
  std::size_t number = 0;
  for (const auto& vector : resp::test::request_vectors()) {
    if (vector.wire.size() > 2048) continue;
    all.push_back({"request_parser_fuzz", numbered("vector_", number++),
                   std::string(vector.authenticated ? "\1\7\5" : "\2\7\5", 3) + vector.wire});
  }
  number = 0;
  for (const auto& vector : resp::test::reply_vectors()) {
    if (vector.wire.size() > 2048) continue;
    all.push_back({"reply_framer_fuzz", numbered("vector_", number++), std::string("\7\5", 2) + vector.wire});
  }
  return all;
}

}  // namespace tidegate::fuzz
