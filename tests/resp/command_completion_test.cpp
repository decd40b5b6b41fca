#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>

#include "resp/command_table.hpp"
#include "tests/resp/held_request.hpp"

namespace tidegate::resp {
namespace {

using testing::held_request;
using testing::words;

const command_table& table() {
  static const auto built = command_table::builtin();
  return *built;
}

upstream_command told(std::string name, std::int64_t arity, std::vector<std::string> flags = {}, std::int64_t first = 0,
                      std::int64_t last = 0, std::int64_t step = 0) {
  return {std::move(name), arity, std::move(flags), first, last, step};
}

TEST(CompletedTable, TakesAritiesAndWhatIsMissingFromTheUpstream) {
  const std::vector<upstream_command> upstream{told("GET", -2), told("set", 100'000), told("config", -2),
                                               told("config|get", 3)};
  const auto completed = command_table::completed(upstream);
  EXPECT_EQ(completed->size(), table().size());
  EXPECT_EQ(completed->find_name("get")->arity, -2);
  EXPECT_EQ(completed->find_name("set")->arity, -3) << "no arity of Redis";
  EXPECT_EQ(completed->find_name("config|get")->arity, 3);
  EXPECT_TRUE(completed->known_upstream(completed->find_name("get")->id));
  EXPECT_TRUE(completed->known_upstream(completed->find_name("config|get")->id));
  EXPECT_FALSE(completed->known_upstream(completed->find_name("config|set")->id));
  EXPECT_FALSE(completed->known_upstream(completed->find_name("del")->id));
  EXPECT_FALSE(completed->known_upstream(0));
  EXPECT_FALSE(completed->known_upstream(65535));
  EXPECT_EQ(completed->find_name("del")->id, table().find_name("del")->id);
}

TEST(CompletedTable, GivesUnknownCommandsTheUpstreamsFactsAndNoTrust) {
  const std::vector<upstream_command> upstream{told("JSON.SET", -4, {"write", "denyoom", "module"}, 1, 1, 1),
                                               told("json.del", -2, {"write"}, 1, 1, 1),
                                               told("json.mget", -3, {"readonly"}, 1, -2, 1),
                                               told("ft.search", -3, {"readonly", "movablekeys"}),
                                               told("bf.debug", 2, {"admin", "no_multi"}),
                                               told("new", -2),
                                               told("new|add", 4, {"write", "denyoom"}, 2, 2, 1),
                                               told("client", -2),
                                               told("client|new", 3),
                                               told("get", 2),
                                               told("get|deep", 3, {"readonly"}, 2, 2, 1)};
  const auto completed = command_table::completed(upstream);
  EXPECT_EQ(completed->size(), table().size() + 9);
  const command_spec& set = completed->find(held_request{{"json.SET", "k", "$", "1"}}.view());
  EXPECT_EQ(set.name, "json.set");
  EXPECT_EQ(set.cls, command_class::grow);
  EXPECT_EQ(set.dedicated, dedicate::unknown);
  EXPECT_EQ(set.ttl, ttl_effect::keeps);
  EXPECT_TRUE(set.write && set.denyoom);
  EXPECT_EQ(&completed->by_id(set.id), &set);
  EXPECT_TRUE(completed->known_upstream(set.id));
  EXPECT_EQ(completed->find_name("json.del")->cls, command_class::free);
  EXPECT_EQ(completed->find_name("json.mget")->cls, command_class::read);
  EXPECT_EQ(completed->find_name("ft.search")->keys, key_layout::opaque);
  EXPECT_TRUE(completed->find_name("bf.debug")->no_multi);
  EXPECT_EQ(completed->find_name("bf.debug")->cls, command_class::admin);

  std::vector<key_ref> keys;
  const held_request mget{{"JSON.MGET", "a", "b", "$"}};
  ASSERT_TRUE(find_keys(completed->find(mget.view()), mget.view(), keys));
  EXPECT_EQ(keys.size(), 2U);

  EXPECT_EQ(completed->find(held_request{{"NEW", "Add", "k", "v"}}.view()).name, "new|add");
  EXPECT_EQ(completed->find(held_request{{"NEW", "x"}}.view()).name, "new");
  EXPECT_EQ(completed->find(held_request{{"client", "NEW", "x"}}.view()).name, "client|new");
  EXPECT_EQ(completed->find(held_request{{"get", "deep", "k"}}.view()).name, "get|deep");
  EXPECT_EQ(completed->find(held_request{{"get", "k"}}.view()).name, "get");
  EXPECT_EQ(completed->find(held_request{{"client", "setname", "x"}}.view()).kind, special::client_setname);
}

TEST(CompletedTable, BooksFamiliesOfAnUpstreamBeforeSevenUnderTheirOneName) {
  const std::vector<upstream_command> upstream{told("xgroup", -2, {"write", "denyoom"}, 2, 2, 1), told("client", -2),
                                               told("get", 2)};
  const auto completed = command_table::completed(upstream);
  const command_spec& create = completed->find(held_request{{"XGROUP", "CREATE", "k", "g", "$"}}.view());
  EXPECT_EQ(create.name, "xgroup");
  EXPECT_TRUE(create.write);
  EXPECT_TRUE(completed->known_upstream(create.id));
  EXPECT_EQ(create.ttl, ttl_effect::keeps);
  const command_spec& help = completed->find(held_request{{"XGROUP", "HELP"}}.view());
  EXPECT_EQ(help.name, "xgroup");
  EXPECT_TRUE(help.write);
  EXPECT_TRUE(completed->find(held_request{{"XGROUP", "NOSUCH"}}.view()).write);
  const command_spec& setname = completed->find(held_request{{"CLIENT", "SETNAME", "x"}}.view());
  EXPECT_EQ(setname.kind, special::client_setname);
  EXPECT_FALSE(setname.write);
  EXPECT_FALSE(completed->known_upstream(completed->find_name("config|get")->id)) << "its family is not there";
}

TEST(CompletedTable, OfAnEmptyAnswerIsTheBuiltInOne) {
  const auto completed = command_table::completed({});
  EXPECT_EQ(completed->size(), table().size());
  for (const command_spec& spec : builtin_commands()) EXPECT_TRUE(completed->known_upstream(spec.id));
}

TEST(CompletedTable, SurvivesAnUpstreamThatTellsNonsense) {
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  constexpr auto least = std::numeric_limits<std::int64_t>::min();
  std::vector<upstream_command> upstream{told("", 1),
                                         told("|", 1),
                                         told("|x", 1),
                                         told("get|", 2),
                                         told("nofamily|x", 1),
                                         told("a|b|c", 1),
                                         told(std::string(65, 'n'), 1),
                                         told(std::string(64, 'n'), 1),
                                         told(std::string("\0\xff", 2), 0),
                                         told("twice", 2),
                                         told("TWICE", 3),
                                         told("far", most, {"write"}, most, least, most)};
  std::mt19937 random{4};
  std::vector<std::string> odd;
  for (int i = 0; i < 400; ++i) {
    const auto number = [&] { return static_cast<std::int64_t>(random() % 65536) - 32768; };
    odd.push_back("odd" + std::to_string(i));
    upstream.push_back(told(odd.back(), i % 7 - 3, {"write"}, number(), number(), number()));
  }
  for (int i = 0; i < 70'000; ++i) upstream.push_back(told("x" + std::to_string(i), -1));
  const auto completed = command_table::completed(upstream);
  EXPECT_LE(completed->size(), 65536U);
  EXPECT_EQ(completed->find_name(std::string(65, 'n')), nullptr);
  EXPECT_NE(completed->find_name(std::string(64, 'n')), nullptr);
  EXPECT_EQ(completed->find_name("twice")->arity, 3);
  EXPECT_EQ(completed->find_name("far")->keys, key_layout::opaque);
  EXPECT_EQ(completed->find_name(""), nullptr);
  EXPECT_EQ(completed->find_name("get|"), nullptr);
  EXPECT_EQ(completed->find_name("get")->container, false);
  std::vector<key_ref> keys;
  for (const std::string& name : odd) {
    for (std::size_t argc = 1; argc < 12; ++argc) {
      words args(argc, "k");
      args[0] = name;
      const held_request held{args};
      find_keys(completed->find(held.view()), held.view(), keys);
      for (const key_ref key : keys) ASSERT_LT(key.index, argc);
    }
  }
}

}  // namespace
}  // namespace tidegate::resp
