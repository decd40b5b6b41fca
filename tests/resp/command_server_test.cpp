// The table against a live redis-server 7.0: flags and arities from COMMAND, keys from COMMAND GETKEYS, and, where
// those two say too little or err, the commands themselves.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <sstream>
#include <string>

#include "resp/command_table.hpp"
#include "tests/resp/held_request.hpp"
#include "tests/resp/redis_server.hpp"

namespace tidegate::resp {
namespace {

using testing::answer;
using testing::held_request;
using testing::redis_server;
using testing::words;

words split(std::string_view text) {
  std::istringstream in{std::string{text}};
  words parts;
  for (std::string part; in >> part;) parts.push_back(part == "\"\"" ? "" : part);
  return parts;
}

std::string join(const words& args) {
  std::string text;
  for (const std::string& arg : args) text += (text.empty() ? "" : " ") + (arg.empty() ? "\"\"" : arg);
  return text;
}

// What COMMAND told of one command or subcommand.
struct told {
  upstream_command command;
  bool family = false;

  [[nodiscard]] bool has(std::string_view flag) const {
    return std::ranges::find(command.flags, flag) != command.flags.end();
  }
};

void flatten(const answer& entry, std::vector<told>& out) {
  told one;
  one.command.name = entry.items.at(0).text;
  one.command.arity = entry.items.at(1).number;
  for (const answer& flag : entry.items.at(2).items) one.command.flags.push_back(flag.text);
  one.command.first_key = entry.items.at(3).number;
  one.command.last_key = entry.items.at(4).number;
  one.command.step = entry.items.at(5).number;
  one.family = !entry.items.at(9).items.empty();
  out.push_back(one);
  for (const answer& subcommand : entry.items.at(9).items) flatten(subcommand, out);
}

class CommandTableAgainstServer : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = std::make_unique<redis_server>();
    commands_ = std::make_unique<std::vector<told>>();
    for (const answer& entry : server_->call({"COMMAND"}).items) flatten(entry, *commands_);
  }
  static void TearDownTestSuite() {
    server_.reset();
    commands_.reset();
  }
  void SetUp() override {
    ASSERT_NE(server_->call({"INFO", "server"}).text.find("redis_version:7.0."), std::string::npos);
    ASSERT_EQ(server_->call({"FLUSHALL"}).text, "OK");
  }

  static const command_table& table() {
    static const auto built = command_table::builtin();
    return *built;
  }
  // Our keys of a request, as their texts in the order of position.
  static words our_keys(const words& args) {
    const held_request held{args};
    std::vector<key_ref> keys;
    find_keys(table().find(held.view()), held.view(), keys);
    words texts;
    for (const key_ref key : keys) texts.push_back(args.at(key.index));
    return texts;
  }

  static std::unique_ptr<redis_server> server_;
  static std::unique_ptr<std::vector<told>> commands_;
};
std::unique_ptr<redis_server> CommandTableAgainstServer::server_;
std::unique_ptr<std::vector<told>> CommandTableAgainstServer::commands_;

bool is_shard_channel(std::string_view name) {
  return name == "spublish" || name == "ssubscribe" || name == "sunsubscribe";
}

std::string disagreement(const command_spec& spec, const told& server) {
  std::string text;
  const auto check = [&](std::string_view what, auto ours, auto theirs) {
    if (ours != theirs) {
      text += ' ';
      text += what;
      text += " ours " + std::to_string(ours) + " server " + std::to_string(theirs);
    }
  };
  check("arity", std::int64_t{spec.arity}, server.command.arity);
  check("write", spec.write, server.has("write"));
  check("denyoom", spec.denyoom, server.has("denyoom"));
  check("no_auth", spec.no_auth, server.has("no_auth"));
  check("no_multi", spec.no_multi, server.has("no_multi"));
  check("blocking", spec.dedicated == dedicate::blocking || spec.blocking_option, server.has("blocking"));
  check("family", spec.container, server.family);
  if (server.has("readonly")) {
    check("read class", spec.cls == command_class::read || spec.cls == command_class::script, true);
    check("may_write", spec.may_write, false);
  }
  if (server.has("admin"))
    check("admin class", spec.cls == command_class::admin || spec.cls == command_class::connection, true);
  // SORT_RO has the BY and GET patterns, which are no keys that anybody could name, but no STORE.
  const bool movable = spec.keys != key_layout::none && spec.keys != key_layout::range;
  check("movablekeys", movable || spec.name == "sort_ro", server.has("movablekeys"));
  if (!movable && !is_shard_channel(spec.name)) {
    check("first key", std::int64_t{spec.key_first}, server.command.first_key);
    check("last key", std::int64_t{spec.key_last}, server.command.last_key);
    check("key step", std::int64_t{spec.key_step}, server.command.step);
  }
  return text;
}

TEST_F(CommandTableAgainstServer, KnowsEveryCommandWithItsArityAndFlags) {
  ASSERT_GT(commands_->size(), 340U);
  std::string all;
  for (const told& server : *commands_) {
    const command_spec* spec = table().find_name(server.command.name);
    const std::string text = spec == nullptr ? " no row" : disagreement(*spec, server);
    if (!text.empty()) all += server.command.name + ":" + text + "\n";
  }
  EXPECT_EQ(all, "");
}

TEST_F(CommandTableAgainstServer, HasNoRowBeyondTheServersButTheLaterOnes) {
  const words later = split(
      "delex delifeq digest msetex hexpire hexpireat hpexpire hpexpireat hpersist hexpiretime hpexpiretime httl hpttl "
      "hgetdel hgetex hsetex xackdel xdelex client|capa client|import-source client|no-touch client|setinfo waitaof "
      "script|show cluster|myshardid cluster|slot-stats commandlog commandlog|get commandlog|help commandlog|len "
      "commandlog|reset");
  std::set<std::string> listed{later.begin(), later.end()};
  for (const told& server : *commands_) EXPECT_TRUE(listed.insert(server.command.name).second) << server.command.name;
  for (const command_spec& spec : builtin_commands().subspan(1)) {
    EXPECT_EQ(listed.erase(std::string{spec.name}), 1U) << spec.name;
  }
  EXPECT_TRUE(listed.empty()) << *listed.begin();
}

TEST_F(CommandTableAgainstServer, IsCompletedByItWithoutAnyAddition) {
  std::vector<upstream_command> upstream;
  for (const told& server : *commands_) upstream.push_back(server.command);
  const auto completed = command_table::completed(upstream);
  EXPECT_EQ(completed->size(), builtin_commands().size());
  for (const command_spec& spec : builtin_commands().subspan(1)) {
    EXPECT_EQ(completed->by_id(spec.id).name, spec.name);
    EXPECT_EQ(completed->by_id(spec.id).write, spec.write) << spec.name;
    EXPECT_EQ(completed->by_id(spec.id).arity, spec.arity) << spec.name;
  }
  EXPECT_TRUE(completed->known_upstream(completed->find_name("xgroup|create")->id));
  EXPECT_FALSE(completed->known_upstream(completed->find_name("client|setinfo")->id));
}

// --- keys, compared with COMMAND GETKEYS ---

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

bool is_any(const words& args, std::size_t at, const words& of) {
  return at < args.size() && std::ranges::find(of, upper(args[at])) != of.end();
}

std::size_t count_of(const words& args, const words& of) {
  std::size_t count = 0;
  for (std::size_t i = 1; i < args.size(); ++i) count += is_any(args, i, of);
  return count;
}

// Where COMMAND GETKEYS of 7.0 and the command itself part ways; the commands' side is tested below, by running them.
bool getkeys_is_known_to_err(const command_spec& spec, const words& args) {
  switch (spec.keys) {
    case key_layout::range:
      // Its second key spec is empty, and the callback that it falls back to does not exist.
      return spec.name == "pfmerge" && args.size() == 2;
    case key_layout::sort:
      // It reads STORE's argument as an option again.
      for (std::size_t i = 2; i < args.size(); ++i) {
        if (is_any(args, i, {"STORE"}) && is_any(args, i + 1, {"STORE", "LIMIT", "BY", "GET"})) return true;
      }
      return false;
    case key_layout::georadius:
      // It names the first STORE and the first STOREDIST, be they COUNT's argument; the command takes the last of
      // either.
      for (std::size_t i = 2; i < args.size(); ++i) {
        if (is_any(args, i, {"COUNT"}) && is_any(args, i + 1, {"STORE", "STOREDIST"})) return true;
      }
      return count_of(args, {"STORE", "STOREDIST"}) > 1;
    case key_layout::streams: {
      // It takes the first STREAMS, for XREADGROUP from argument 4 on, also where it is an option's argument.
      if (count_of(args, {"STREAMS"}) != 1) return count_of(args, {"STREAMS"}) > 1;
      std::size_t at = 1;
      while (!is_any(args, at, {"STREAMS"})) ++at;
      return (spec.name == "xreadgroup" && at < 4) || is_any(args, at - 1, {"BLOCK", "COUNT", "GROUP"}) ||
             (at > 1 && is_any(args, at - 2, {"GROUP"}));
    }
    case key_layout::migrate:
      // It looks for KEYS from the last argument but one.
      return is_any(args, args.size() - 1, {"KEYS"});
    default:
      return false;
  }
}

class random_requests {
 public:
  // A request for the row, of any length: unique arguments with noise between them, most of it what the row's layout
  // looks for.
  words next(const command_spec& spec) {
    words args = split(std::string{spec.name});
    if (const std::size_t bar = spec.name.find('|'); bar != spec.name.npos) {
      args = {std::string{spec.name.substr(0, bar)}, std::string{spec.name.substr(bar + 1)}};
    }
    const auto least = static_cast<std::size_t>(std::abs(spec.arity));
    const std::size_t size = random_() % 4 == 0 ? random_() % 21 : least + (random_() % 2 == 0 ? 0 : random_() % 5);
    while (args.size() < size) args.push_back("a" + std::to_string(args.size()));
    if (spec.keys == key_layout::range || spec.keys == key_layout::none) return args;
    if (args.size() > 6 && spec.keys == key_layout::migrate && random_() % 2 == 0) args[3].clear();
    if (spec.keys == key_layout::streams && args.size() > 5 && random_() % 2 == 0) {
      if (spec.name == "xreadgroup") args[1] = "group";
      args[4 + random_() % (args.size() - 5)] = "Streams";
    }
    for (auto changes = random_() % 4; changes > 0 && args.size() > 1; --changes) {
      const words& pool = words_of(spec.keys);
      args[1 + random_() % (args.size() - 1)] = pool[random_() % pool.size()];
    }
    if (spec.keys == key_layout::numkeys || spec.keys == key_layout::numkeys_store) {
      const auto at = static_cast<std::size_t>(spec.key_first);
      if (at < args.size() && random_() % 4 != 0) args[at] = std::to_string(random_() % 6);
    }
    return args;
  }

 private:
  static const words& words_of(key_layout layout) {
    static const words numbers{"0",  "1",  "2", "3", "17", "-1",  "+2",        " 2",
                               "02", "2x", "",  "x", "-0", "+-1", "2147483647"};
    static const words sort{"STORE", "store", "LIMIT", "by", "GET", "ASC", "ALPHA", ""};
    static const words geo{"STORE", "sToRe", "STOREDIST", "COUNT", "WITHCOORD", "ANY", ""};
    static const words streams{"STREAMS", "streams", "COUNT", "BLOCK", "GROUP", "NOACK", ""};
    static const words migrate{"KEYS", "keys", "COPY", "REPLACE", "AUTH", "AUTH2", ""};
    switch (layout) {
      case key_layout::sort:
        return sort;
      case key_layout::georadius:
        return geo;
      case key_layout::streams:
        return streams;
      case key_layout::migrate:
        return migrate;
      default:
        return numbers;
    }
  }

  std::mt19937 random_{5};
};

TEST_F(CommandTableAgainstServer, FindsTheKeysThatCommandGetkeysFinds) {
  random_requests requests;
  std::vector<words> asked;
  std::vector<words> ours;
  std::map<std::string_view, std::size_t> compared;
  for (const told& server : *commands_) {
    const command_spec& spec = *table().find_name(server.command.name);
    if (spec.container) continue;
    const bool options = spec.keys != key_layout::range && spec.keys != key_layout::none;
    for (int round = 0; round < (options ? 600 : 60); ++round) {
      const words args = requests.next(spec);
      if (args.size() < 2 || getkeys_is_known_to_err(spec, args)) continue;  // GETKEYS itself takes no bare name
      ours.push_back(our_keys(args));
      compared[spec.name] += !ours.back().empty();
      asked.push_back(args);
    }
  }
  std::vector<words> questions;
  for (const words& args : asked) {
    words question{"COMMAND", "GETKEYS"};
    question.insert(question.end(), args.begin(), args.end());
    questions.push_back(std::move(question));
  }
  const std::vector<answer> answers = server_->call_all(questions);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    words theirs;
    for (const answer& key : answers[i].items) theirs.push_back(key.text);
    // The order differs: some of its key finders name the destination last.
    words mine = ours[i];
    std::ranges::sort(mine);
    std::ranges::sort(theirs);
    if (mine == theirs) continue;
    ++wrong;
    if (wrong < 30) {
      ADD_FAILURE() << join(asked[i]) << "\n  ours: " << join(mine)
                    << "\n  server: " << (answers[i].is_error() ? answers[i].text : join(theirs));
    }
  }
  EXPECT_EQ(wrong, 0U) << "of " << asked.size();
  EXPECT_GT(asked.size(), 15'000U);
  for (const told& server : *commands_) {
    const command_spec& spec = *table().find_name(server.command.name);
    if (spec.keys != key_layout::none) {
      EXPECT_GE(compared[spec.name], 5U) << spec.name;
    }
  }
}

// --- where the command itself is the judge ---

TEST_F(CommandTableAgainstServer, FollowsTheCommandWhereGetkeysErrs) {
  struct vector {
    std::string_view setup, command, keys;
    std::string_view written;  // exists after it, and did not before
  };
  const vector vectors[] = {
      {"RPUSH k 2 1", "SORT k STORE by STORE x", "k x", "x"},
      {"RPUSH k 2 1", "SORT k STORE limit STORE x", "k x", "x"},
      {"RPUSH k 2 1", "SORT k STORE a STORE b", "k b", "b"},
      {"RPUSH k 2 1", "SORT k BY store STORE x", "k x", "x"},
      {"RPUSH k 2 1", "SORT k GET # GET # STORE get", "k get", "get"},
      {"RPUSH k 2 1", "SORT k STORE store", "k store", "store"},
      {"GEOADD k 1 1 m", "GEORADIUS k 1 1 9 km STORE a STOREDIST b", "k b", "b"},
      {"GEOADD k 1 1 m", "GEORADIUS k 1 1 9 km STOREDIST a STORE b", "k b", "b"},
      {"GEOADD k 1 1 m", "GEORADIUS k 1 1 9 km STORE storedist", "k storedist", "storedist"},
      {"GEOADD k 1 1 m", "GEORADIUSBYMEMBER k m 9 km COUNT 1 ANY STORE a STORE b", "k b", "b"},
      {"GEOADD k 1 1 store", "GEORADIUSBYMEMBER k store 9 km STORE a", "k a", "a"},
      {"SADD k a", "PFMERGE d", "d", "d"},
      {"SET k v", "MIGRATE 127.0.0.1 1 k 0 1 COPY AUTH KEYS", "k", ""},
  };
  for (const vector& one : vectors) {
    server_->call({"FLUSHALL"});
    ASSERT_FALSE(server_->call(split(one.setup)).is_error()) << one.setup;
    const words args = split(one.command);
    EXPECT_EQ(our_keys(args), split(one.keys)) << one.command;
    if (one.written.empty()) continue;
    const answer reply = server_->call(args);
    EXPECT_FALSE(reply.is_error()) << one.command << ": " << reply.text;
    EXPECT_EQ(server_->call({"DBSIZE"}).number, 2) << one.command;
    EXPECT_EQ(server_->call({"EXISTS", std::string{one.written}}).number, 1) << one.command;
  }
}

TEST_F(CommandTableAgainstServer, FindsTheStreamsThatXreadgroupReads) {
  for (const std::string_view command :
       {"XREADGROUP COUNT 1 GROUP streams c STREAMS k >", "XREADGROUP COUNT 1 GROUP g STREAMS STREAMS k >",
        "XREADGROUP NOACK GROUP STREAMS STREAMS BLOCK 1 STREAMS k >", "XREADGROUP GROUP block count STREAMS k >"}) {
    server_->call({"FLUSHALL"});
    server_->call(split("XADD k 1-1 f v"));
    for (const char* group : {"streams", "g", "STREAMS", "block"}) server_->call({"XGROUP", "CREATE", "k", group, "0"});
    const words args = split(command);
    EXPECT_EQ(our_keys(args), words{"k"}) << command;
    const answer reply = server_->call(args);
    ASSERT_EQ(reply.items.size(), 1U) << command << reply.text;
    EXPECT_EQ(reply.items[0].items.at(0).text, "k");
    const held_request held{args};
    EXPECT_EQ(may_block(table().find(held.view()), held.view()), command.find("BLOCK 1") != command.npos) << command;
  }
}

}  // namespace
}  // namespace tidegate::resp
