#include "cli/keyspace/mend.hpp"

#include <algorithm>
#include <array>
#include <ctime>
#include <iostream>
#include <memory>

#include "cli/keyspace/server_nodes.hpp"
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

// One run over all servers of a keyspace, one after the other.
class mending_run {
 public:
  mending_run(const server_target& target, const mend_request& request, stop_request& stop)
      : target_(target), request_(request), stop_(stop), rules_(request.rules) {
    result_.by_rule.resize(request.rules.size());
    if (request.from) state_ = *request.from;
    state_.digest = keyspace::digest_of(request.rules, target.name);
    std::vector<std::string> patterns;
    for (const keyspace::mending_rule& rule : request.rules) patterns.push_back(rule.pattern);
    if (request.dry) result_.census.emplace(std::move(patterns));
  }

  // The error: not one key was looked at.
  [[nodiscard]] std::expected<mended, std::string> run();

 private:
  [[nodiscard]] std::string open(const server_target& node);
  [[nodiscard]] std::string probe();
  void warn_of_eviction();
  void run_node(const server_target& node);
  [[nodiscard]] bool slots_moved(const server_nodes& nodes);
  [[nodiscard]] std::string visit(const std::vector<walked_key>& keys);
  [[nodiscard]] std::string look_only(const std::vector<walked_key>& keys);
  [[nodiscard]] std::string send(const std::vector<walked_key>& keys, const std::vector<keyspace::verdict>& what);
  void note(const walked_key& key, const keyspace::verdict& what);
  void save(std::uint64_t cursor, bool now);
  void write_state();

  const server_target& target_;
  const mend_request& request_;
  stop_request& stop_;
  std::unique_ptr<walk> by_;  // of the node whose turn it is
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
  const net::answers got = by_->ask(asked);
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
  count_keys(*by_, fresh, *result_.census);
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
  const net::answers got = by_->ask(asked);
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
      if (walk::lies_elsewhere(answer)) {
        by_->note_slots_moved();
        ++tally.moved;
        continue;
      }
      wrong = "EXPIRE was refused: " + answer.text.substr(0, 300);
      by_->give_up();
    } else if (answer.integer != 1) {
      ++tally.moved;
    } else {
      by_->note_success();
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
  if (cursor == 0 || (!now && steady_now() - saved_at_ < save_every)) return;
  state_.cursor = cursor;
  state_.run_id = by_->facts().run_id;
  write_state();
}

void mending_run::write_state() {
  if (request_.state_path.empty()) return;
  state_.saved_at = utc_text();
  if (const std::string wrong = keyspace::replace_file(request_.state_path, keyspace::write_state(state_));
      !wrong.empty() && by_) {
    by_->say("tidegate: the state could not be saved: " + wrong + "; an interrupted run begins anew");
  }
  saved_at_ = steady_now();
}

std::string mending_run::open(const server_target& node) {
  walk_request how{
      .client_name = mend_client_name, .match = rules_.scan_match(), .rate = request_.rate, .quiet = request_.quiet};
  if (state_.node == (node.cluster_node ? node.name : std::string())) {
    how.cursor = state_.cursor;
    how.run_id = state_.run_id;
  }
  state_.node = node.cluster_node ? node.name : std::string();
  cursor_ = state_.cursor = how.cursor;
  auto by = walk::open(node, std::move(how), stop_);
  if (!by) return by.error();
  by_ = std::move(*by);
  if (request_.dry) return {};
  if (!by_->facts().role.empty() && by_->facts().role != "master") {
    return node.name + ": it is a replica: give the primary's endpoint";
  }
  warn_of_eviction();
  if (std::string wrong = probe(); !wrong.empty()) return node.name + ": " + wrong;
  return {};
}

void mending_run::warn_of_eviction() {
  const server_facts& facts = by_->facts();
  if (!facts.eviction_policy.starts_with("volatile-") || facts.memory_fraction().value_or(0) < memory_warned) return;
  by_->say("tidegate: memory is at " + keyspace::percent_text(*facts.memory_fraction(), 0) + " and the policy is " +
           facts.eviction_policy + ": a key that gets a TTL can be evicted from then on");
}

void mending_run::run_node(const server_target& node) {
  walk::callbacks call;
  call.wanted = [this](const std::string& key) { return rules_.covers(key); };
  call.visit = [this](const std::vector<walked_key>& keys) { return visit(keys); };
  call.done = [this](std::uint64_t cursor) { save(cursor, false); };
  call.restarted = [this] { cursor_ = 0; };
  call.more = [this] {
    std::string text = request_.dry ? std::string() : ", " + keyspace::grouped(state_.given + state_.cut) + " mended";
    const std::string_view held = by_->pace().held_by();
    if (!held.empty()) {
      text += ", slowed to " + keyspace::grouped(static_cast<std::uint64_t>(by_->pace().rate())) + "/s by " +
              std::string(held);
    }
    return text;
  };
  result_.end = by_->run(call);
  if (result_.end != walk_end::finished) save(cursor_, true);
  result_.facts = by_->facts();
  result_.slowed += by_->pace().halvings();
  result_.failure = by_->failure();
  if (result_.end != walk_end::finished || !node.cluster_node) return;
  state_.finished.push_back(node.name);
  state_.cursor = 0;
  state_.node.clear();
  write_state();
}

bool mending_run::slots_moved(const server_nodes& nodes) {
  const auto after = find_nodes(target_, mend_client_name);
  return !after || after->slots != nodes.slots;
}

std::expected<mended, std::string> mending_run::run() {
  const auto nodes = find_nodes(target_, mend_client_name);
  if (!nodes) return std::unexpected(nodes.error());
  if (state_.slots != nodes->slots) {
    if (request_.from) std::cerr << "tidegate: slots lie elsewhere since the run before: it begins at the first key\n";
    state_.finished.clear();
    state_.cursor = 0;
    state_.node.clear();
  }
  state_.slots = nodes->slots;
  const std::int64_t begin = steady_now();
  bool moved = false;
  result_.end = walk_end::finished;  // where an earlier run took every node
  for (const server_target& node : nodes->all) {
    if (std::ranges::find(state_.finished, node.name) != state_.finished.end()) continue;
    if (nodes->is_cluster() && !request_.quiet) std::cerr << "tidegate: a cluster; now " << node.name << '\n';
    if (std::string wrong = open(node); !wrong.empty()) return std::unexpected(wrong);
    run_node(node);
    moved = moved || by_->slots_moved();
    if (result_.end != walk_end::finished) break;
  }
  if (nodes->is_cluster() && result_.end == walk_end::finished && (moved || slots_moved(*nodes))) {
    result_.end = walk_end::failed;
    result_.failure = slots_moved_text;
    state_.finished.clear();  // what is resumed looks at every key again
    state_.slots.clear();
    write_state();
  }
  result_.looked_at = state_.looked_at;
  result_.given = state_.given;
  result_.cut = state_.cut;
  result_.seconds = static_cast<double>(steady_now() - begin) / 1e9;
  const double of_node = result_.end == walk_end::finished ? 1 : keyspace::cursor_fraction(cursor_);
  const double nodes_done = static_cast<double>(state_.finished.size());
  result_.fraction = nodes->is_cluster() && result_.end != walk_end::finished
                         ? (nodes_done + of_node) / static_cast<double>(nodes->all.size())
                         : of_node;
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
  return mending_run(target, request, stop).run();
}

}  // namespace tidegate::cli
