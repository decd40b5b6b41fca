#include "cli/keyspace/mend.hpp"

#include <array>
#include <ctime>

#include "cli/keyspace/take_census.hpp"
#include "evidence/keyspace/wording.hpp"
#include "proxy/net/upstream_facts.hpp"

namespace tidegate::cli {
namespace {

using keyspace::mend;

constexpr double memory_warned = 0.9;
constexpr std::int64_t save_every = 1'000'000'000;
constexpr std::string_view probe_key = "tidegate:ttl-fix:probe";

// EXPIRE has NX and LT since Redis 7.0.
constexpr std::string_view give_script =
    "if redis.call('TTL',KEYS[1])==-1 then return redis.call('EXPIRE',KEYS[1],ARGV[1]) end return 0";
constexpr std::string_view cut_script =
    "if redis.call('TTL',KEYS[1])>tonumber(ARGV[1]) then return redis.call('EXPIRE',KEYS[1],ARGV[1]) end return 0";

// One run over one server.
class mending_run {
 public:
  mending_run(walk& by, const server_target& target, const mend_request& request)
      : by_(by), request_(request), rules_(request.rules) {
    result_.by_rule.resize(request.rules.size());
    state_.digest = keyspace::digest_of(request.rules, target.name);
    if (request.from) state_ = *request.from;
    std::vector<std::string> patterns;
    for (const keyspace::mending_rule& rule : request.rules) patterns.push_back(rule.pattern);
    if (request.dry) result_.census.emplace(std::move(patterns));
  }

  [[nodiscard]] std::string probe();
  [[nodiscard]] mended run();

 private:
  [[nodiscard]] std::string visit(const std::vector<walked_key>& keys);
  [[nodiscard]] std::string look_only(const std::vector<walked_key>& keys);
  [[nodiscard]] std::string send(const std::vector<walked_key>& keys, const std::vector<keyspace::verdict>& what);
  void note(const walked_key& key, const keyspace::verdict& what);
  void save(std::uint64_t cursor, bool now);

  walk& by_;
  const mend_request& request_;
  keyspace::mending rules_;
  keyspace::seen_keys seen_;
  keyspace::run_state state_;
  mended result_;
  bool scripted_ = false;
  std::int64_t saved_at_ = 0;
  std::uint64_t cursor_ = 0;
};

std::string mending_run::probe() {
  net::question asked;
  asked.add("expire", {"EXPIRE", probe_key, "1", "NX"});
  const net::answers got = by_.ask(asked);
  if (!got) return got.error();
  const net::reply& answer = got->front();
  if (walk::passing(answer)) return answer.text.substr(0, 200);
  if (answer.is_error() && answer.text.starts_with("NOPERM")) {
    return "EXPIRE is not allowed to this user: give it +expire on these keys (" + answer.text.substr(0, 200) + ")";
  }
  scripted_ = net::read_expire_probe(answer) == false;
  return {};
}

// What the keys show, once each.
void mending_run::note(const walked_key& key, const keyspace::verdict& what) {
  rule_tally& tally = result_.by_rule[what.rule];
  ++tally.keys;
  ++state_.looked_at;
  if (key.ttl_ms < 0) {
    ++result_.without_before;
  } else {
    result_.before.count(key.ttl_ms);
  }
  if (what.what != mend::leave) {
    result_.after.count(what.seconds * 1000);
  } else if (key.ttl_ms >= 0) {
    result_.after.count(key.ttl_ms);
  }
}

std::string mending_run::look_only(const std::vector<walked_key>& keys) {
  std::vector<walked_key> fresh;
  for (const walked_key& key : keys) {
    if (!seen_.insert(keyspace::key_hash(key.name))) continue;
    const keyspace::verdict what = rules_.decide(key.name, key.ttl_ms);
    note(key, what);
    if (what.what == mend::give) ++result_.by_rule[what.rule].give;
    if (what.what == mend::cut) ++result_.by_rule[what.rule].cut;
    fresh.push_back(key);
  }
  count_keys(by_, fresh, *result_.census);
  return {};
}

std::string mending_run::send(const std::vector<walked_key>& keys, const std::vector<keyspace::verdict>& what) {
  net::question asked;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const std::string seconds = std::to_string(what[i].seconds);
    const bool give = what[i].what == mend::give;
    if (scripted_) {
      asked.add("eval", {"EVAL", give ? give_script : cut_script, "1", keys[i].name, seconds});
    } else {
      asked.add("expire", {"EXPIRE", keys[i].name, seconds, give ? "NX" : "LT"});
    }
  }
  const net::answers got = by_.ask(asked);
  if (!got) return got.error();
  std::string wrong;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const net::reply& answer = (*got)[i];
    rule_tally& tally = result_.by_rule[what[i].rule];
    if (answer.is_error()) {
      // The others of the batch were done, and count.
      if (walk::passing(answer)) {
        if (wrong.empty()) wrong = answer.text.substr(0, 300);
        continue;
      }
      wrong = "EXPIRE was refused: " + answer.text.substr(0, 300);
      by_.give_up();
    } else if (answer.integer != 1) {
      ++tally.moved;
    } else {
      by_.note_success();
      ++(what[i].what == mend::give ? tally.give : tally.cut);
      ++(what[i].what == mend::give ? state_.given : state_.cut);
    }
  }
  return wrong;
}

std::string mending_run::visit(const std::vector<walked_key>& keys) {
  if (request_.dry) return look_only(keys);
  std::vector<walked_key> touched;
  std::vector<keyspace::verdict> verdicts;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const keyspace::verdict what = rules_.decide(keys[i].name, keys[i].ttl_ms);
    if (what.what != mend::leave) {
      touched.push_back(keys[i]);
      verdicts.push_back(what);
    }
    if (touched.size() == walk::batch_max || (i + 1 == keys.size() && !touched.empty())) {
      if (std::string wrong = send(touched, verdicts); !wrong.empty()) return wrong;
      touched.clear();
      verdicts.clear();
    }
  }
  for (const walked_key& key : keys) note(key, rules_.decide(key.name, key.ttl_ms));
  return {};
}

void mending_run::save(std::uint64_t cursor, bool now) {
  cursor_ = cursor;
  if (request_.state_path.empty() || cursor == 0 || (!now && steady_now() - saved_at_ < save_every)) return;
  state_.cursor = cursor;
  state_.run_id = by_.facts().run_id;
  state_.saved_at = utc_text();
  if (const std::string wrong = keyspace::replace_file(request_.state_path, keyspace::write_state(state_));
      !wrong.empty()) {
    by_.say("tidegate: the state could not be saved: " + wrong + "; an interrupted run begins anew");
  }
  saved_at_ = steady_now();
}

mended mending_run::run() {
  const std::int64_t begin = steady_now();
  walk::callbacks call;
  call.wanted = [this](const std::string& key) { return rules_.covers(key); };
  call.visit = [this](const std::vector<walked_key>& keys) { return visit(keys); };
  call.done = [this](std::uint64_t cursor) { save(cursor, false); };
  call.restarted = [this] { cursor_ = 0; };
  call.more = [this] {
    std::string text = request_.dry ? std::string() : ", " + keyspace::grouped(state_.given + state_.cut) + " mended";
    const std::string_view held = by_.pace().held_by();
    if (!held.empty()) {
      text += ", slowed to " + keyspace::grouped(static_cast<std::uint64_t>(by_.pace().rate())) + "/s by " +
              std::string(held);
    }
    return text;
  };
  cursor_ = state_.cursor;
  result_.end = by_.run(call);
  if (result_.end != walk_end::finished) save(cursor_, true);
  result_.looked_at = state_.looked_at;
  result_.given = state_.given;
  result_.cut = state_.cut;
  result_.facts = by_.facts();
  result_.seconds = static_cast<double>(steady_now() - begin) / 1e9;
  result_.fraction = result_.end == walk_end::finished ? 1 : keyspace::cursor_fraction(cursor_);
  result_.slowed = by_.pace().halvings();
  result_.failure = by_.failure();
  return std::move(result_);
}

}  // namespace

std::string utc_text() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

std::expected<mended, std::string> mend_keys(const server_target& target, const mend_request& request,
                                             stop_request& stop) {
  walk_request how{.client_name = mend_client_name,
                   .match = keyspace::mending(request.rules).scan_match(),
                   .rate = request.rate,
                   .quiet = request.quiet};
  if (request.from) {
    how.cursor = request.from->cursor;
    how.run_id = request.from->run_id;
  }
  auto by = walk::open(target, std::move(how), stop);
  if (!by) return std::unexpected(by.error());
  if (!request.dry && !(*by)->facts().role.empty() && (*by)->facts().role != "master") {
    return std::unexpected(target.name + ": it is a replica: give the primary's endpoint");
  }
  mending_run run(**by, target, request);
  if (!request.dry) {
    const server_facts& facts = (*by)->facts();
    if (facts.eviction_policy.starts_with("volatile-") && facts.memory_fraction().value_or(0) >= memory_warned) {
      (*by)->say("tidegate: memory is at " + keyspace::percent_text(*facts.memory_fraction(), 0) +
                 " and the policy is " + facts.eviction_policy + ": a key that gets a TTL can be evicted from then on");
    }
    if (std::string wrong = run.probe(); !wrong.empty()) return std::unexpected(target.name + ": " + wrong);
  }
  return run.run();
}

}  // namespace tidegate::cli
