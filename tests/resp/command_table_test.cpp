#include "resp/command_table.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "tests/resp/held_request.hpp"

namespace tidegate::resp {
namespace {

using testing::held_request;
using testing::words;

const command_table& table() {
  static const auto built = command_table::builtin();
  return *built;
}

const command_spec& find(const words& args) {
  return table().find(held_request{args}.view());
}

std::string lower(std::string_view text) {
  std::string folded{text};
  for (char& c : folded) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return folded;
}

// --- the rows ---

TEST(CommandRows, HaveDenseIdsInTheOrderOfTheTable) {
  const auto rows = builtin_commands();
  ASSERT_GT(rows.size(), 350U);
  EXPECT_EQ(table().size(), rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].id, i);
    EXPECT_EQ(table().by_id(static_cast<std::uint16_t>(i)).name, rows[i].name);
  }
}

TEST(CommandRows, HaveUniqueLowerCaseNamesAndSubcommandsAFamily) {
  std::set<std::string_view> names;
  for (const command_spec& spec : builtin_commands().subspan(1)) {
    EXPECT_TRUE(names.insert(spec.name).second) << spec.name;
    EXPECT_EQ(spec.name, lower(spec.name));
    const std::size_t bar = spec.name.find('|');
    if (bar == spec.name.npos) continue;
    const command_spec* family = table().find_name(spec.name.substr(0, bar));
    ASSERT_NE(family, nullptr) << spec.name;
    EXPECT_TRUE(family->container) << spec.name;
    EXPECT_FALSE(spec.container) << spec.name;
  }
}

TEST(CommandRows, TheFirstIsTheUnknownCommandAndTrustedWithNothing) {
  const command_spec& unknown = builtin_commands().front();
  EXPECT_TRUE(unknown.name.empty());
  EXPECT_EQ(unknown.dedicated, dedicate::unknown);
  EXPECT_EQ(unknown.keys, key_layout::opaque);
  EXPECT_TRUE(unknown.arity_ok(1));
  EXPECT_FALSE(unknown.write);
}

TEST(CommandRows, EveryWriteWithKeysWritesOrRemovesOne) {
  for (const command_spec& spec : builtin_commands()) {
    if (!spec.write || spec.keys == key_layout::none) continue;
    if (spec.name == "xreadgroup") continue;  // flagged `write` for the group's sake; the stream's entries stay
    EXPECT_TRUE(spec.first_access != key_access::read || spec.other_access != key_access::read) << spec.name;
  }
}

TEST(CommandRows, NothingThatOnlyReadsClaimsAnotherAccess) {
  for (const command_spec& spec : builtin_commands()) {
    if (spec.write || spec.may_write) continue;
    EXPECT_EQ(spec.first_access, key_access::read) << spec.name;
    EXPECT_EQ(spec.other_access, key_access::read) << spec.name;
    EXPECT_EQ(spec.ttl, ttl_effect::none) << spec.name;
    EXPECT_FALSE(spec.denyoom) << spec.name;
  }
}

TEST(CommandRows, EveryKeyThatGrowsHasATtlDecision) {
  for (const command_spec& spec : builtin_commands()) {
    if (spec.cls == command_class::grow && spec.keys != key_layout::none) {
      EXPECT_NE(spec.ttl, ttl_effect::none) << spec.name;
    }
  }
}

TEST(CommandRows, ATtlEffectNeedsAKeyThatIsWritten) {
  for (const command_spec& spec : builtin_commands()) {
    if (spec.ttl == ttl_effect::none) continue;
    EXPECT_TRUE(spec.first_access == key_access::write || spec.other_access == key_access::write) << spec.name;
  }
}

TEST(CommandRows, OnlyWritesAreOfTheClassesGrowAndFree) {
  for (const command_spec& spec : builtin_commands()) {
    if (spec.container) continue;
    if (spec.cls == command_class::grow) {
      EXPECT_TRUE(spec.write && spec.denyoom) << spec.name;
    } else if (spec.cls == command_class::free) {
      EXPECT_TRUE(spec.write && !spec.denyoom) << spec.name;
    } else if (spec.write) {
      EXPECT_EQ(spec.cls, command_class::admin) << spec.name;
    }
  }
}

TEST(CommandRows, NoCommandThatMarksItsConnectionMayShareOne) {
  // What the server keeps per connection: src/server.h, struct client of 7.0.
  for (const char* name : {"auth",
                           "hello",
                           "select",
                           "reset",
                           "multi",
                           "exec",
                           "discard",
                           "watch",
                           "unwatch",
                           "subscribe",
                           "psubscribe",
                           "ssubscribe",
                           "unsubscribe",
                           "punsubscribe",
                           "sunsubscribe",
                           "monitor",
                           "asking",
                           "readonly",
                           "readwrite",
                           "wait",
                           "sync",
                           "psync",
                           "replconf",
                           "script|debug",
                           "client|tracking",
                           "client|caching",
                           "client|reply",
                           "client|no-evict",
                           "client|no-touch",
                           "client|id",
                           "client|kill",
                           "client|pause",
                           "blpop",
                           "bzmpop",
                           "eval",
                           "fcall_ro",
                           "debug",
                           "shutdown",
                           "migrate",
                           "client",
                           "xgroup",
                           "config",
                           "move",
                           "restore-asking"}) {
    const command_spec* spec = table().find_name(name);
    ASSERT_NE(spec, nullptr) << name;
    EXPECT_NE(spec->dedicated, dedicate::none) << name;
  }
}

TEST(CommandRows, EverydayCommandsMayShareAConnection) {
  for (const char* name : {"get",
                           "set",
                           "mset",
                           "del",
                           "sadd",
                           "xadd",
                           "xread",
                           "xreadgroup",
                           "copy",
                           "swapdb",
                           "info",
                           "publish",
                           "ping",
                           "echo",
                           "command",
                           "config|get",
                           "acl|whoami",
                           "object|encoding",
                           "scan",
                           "client|setname",
                           "client|getname",
                           "client|setinfo",
                           "flushall",
                           "sort",
                           "memory|usage"}) {
    EXPECT_EQ(table().find_name(name)->dedicated, dedicate::none) << name;
  }
}

// --- finding a command ---

TEST(CommandLookup, FindsEveryRowInAnyCase) {
  std::mt19937 random{1};
  for (const command_spec& spec : builtin_commands().subspan(1)) {
    for (int round = 0; round < 8; ++round) {
      std::string name{spec.name};
      for (char& c : name) {
        if (c >= 'a' && c <= 'z' && (random() & 1) != 0) c = static_cast<char>(c - 32);
      }
      EXPECT_EQ(table().find_name(name), &table().by_id(spec.id)) << name;
      const std::size_t bar = name.find('|');
      const words args = bar == name.npos ? words{name} : words{name.substr(0, bar), name.substr(bar + 1), "x"};
      EXPECT_EQ(find(args).id, spec.id) << name;
    }
  }
}

TEST(CommandLookup, GivesTheUnknownCommandForWhatIsNone) {
  for (const words& args : std::vector<words>{{},
                                              {""},
                                              {"", "get"},
                                              {"nosuch"},
                                              {"ge"},
                                              {"gett"},
                                              {"get "},
                                              {" get"},
                                              {std::string("get\0", 4)},
                                              {std::string("\0get", 4)},
                                              {"client|id"},
                                              {"CLIENT|SETNAME", "x"},
                                              {"|"},
                                              {"|id"},
                                              {"client|"},
                                              {"restore\rasking"},
                                              {"eval\x7fro"},
                                              {"\x07"
                                               "et"},
                                              {"g\xe5t"},
                                              {"g\xc5t"},
                                              {std::string(64, 'a')},
                                              {std::string(65, 'a')},
                                              {std::string(100'000, 'g')}}) {
    EXPECT_EQ(find(args).id, 0) << (args.empty() ? "" : args[0].substr(0, 40));
  }
}

TEST(CommandLookup, GivesTheFamilyForASubcommandThatIsNone) {
  for (const words& args : std::vector<words>{{"CLIENT"},
                                              {"client", "nosuch"},
                                              {"client", ""},
                                              {"client", std::string("id\0", 3)},
                                              {"client", "client"},
                                              {"client", "id|x"},
                                              {"client", std::string(5000, 'i')}}) {
    EXPECT_EQ(find(args).name, "client");
    EXPECT_EQ(find(args).dedicated, dedicate::unknown);
  }
  // Another family's subcommand is not found, nor a subcommand alone.
  EXPECT_EQ(find({"config", "setname"}).name, "config");
  EXPECT_EQ(find({"setname", "x"}).id, 0);
  // An argument of a command without subcommands is no subcommand.
  EXPECT_EQ(find({"get", "id"}).name, "get");
  EXPECT_EQ(find({"COMMAND"}).dedicated, dedicate::none);
}

TEST(CommandLookup, AgreesWithAPlainMapOnManglings) {
  std::map<std::string, std::uint16_t> plain;
  std::vector<std::string> names;
  for (const command_spec& spec : builtin_commands().subspan(1)) {
    if (spec.name.find('|') != spec.name.npos) continue;
    plain.emplace(spec.name, spec.id);
    names.emplace_back(spec.name);
  }
  std::mt19937 random{2};
  std::size_t found = 0;
  for (int round = 0; round < 100'000; ++round) {
    std::string name = names[random() % names.size()];
    for (auto changes = random() % 3; changes > 0; --changes) {
      const std::size_t at = random() % (name.size() + 1);
      switch (random() % 4) {
        case 0:
          if (at < name.size()) name[at] = static_cast<char>(name[at] ^ (1 << (random() % 8)));
          break;
        case 1:
          name.insert(at, 1, static_cast<char>(random()));
          break;
        case 2:
          if (at < name.size()) name.erase(at, 1);
          break;
        default:
          name += names[random() % names.size()].substr(0, random() % 4);
          break;
      }
    }
    const auto known = plain.find(lower(name));
    const std::uint16_t expected = known == plain.end() ? std::uint16_t{0} : known->second;
    found += expected != 0;
    ASSERT_EQ(find({name}).id, expected) << ::testing::PrintToString(name);
  }
  EXPECT_GT(found, 30'000U);
  EXPECT_LT(found, 90'000U);
}

}  // namespace
}  // namespace tidegate::resp
