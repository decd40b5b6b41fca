#include "resp/answer_rules.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/resp/held_request.hpp"

namespace tidegate::resp {
namespace {

using testing::held_request;
using testing::words;

bool blocks(const words& args) {
  const held_request held{args};
  const auto table = command_table::builtin();
  return may_block(table->find(held.view()), held.view());
}

const answer_rule* rule_of(std::string_view name) {
  const auto* found = std::ranges::find(answer_rules, name, &answer_rule::name);
  return found == std::end(answer_rules) ? nullptr : found;
}

TEST(AnswerRules, AreTheColumnsOfTheCommandTableAndNothingElseIs) {
  std::size_t ruled = 0;
  for (const command_spec& spec : builtin_commands()) {
    const answer_rule* rule = rule_of(spec.name);
    EXPECT_EQ(spec.answers, rule == nullptr ? answer::one : rule->answers) << spec.name;
    EXPECT_EQ(spec.multi, rule == nullptr ? in_multi::queued : rule->multi) << spec.name;
    ruled += rule != nullptr ? 1U : 0U;
  }
  EXPECT_EQ(ruled, std::size(answer_rules));
}

TEST(AnswerRules, EachSaysSomethingThatIsNotSoOfEveryCommand) {
  for (const answer_rule& rule : answer_rules) {
    EXPECT_TRUE(rule.answers != answer::one || rule.multi != in_multi::queued) << rule.name;
  }
}

TEST(AnswerRules, AnswerLateWhatBlocksAndNothingElse) {
  for (const command_spec& spec : builtin_commands()) {
    EXPECT_EQ(spec.answers == answer::late,
              spec.dedicated == dedicate::blocking || spec.blocking_option || spec.dedicated == dedicate::wait)
        << spec.name;
  }
}

TEST(AnswerRules, NothingThatAnswersOtherwiseThanOnceMayShareAConnection) {
  for (const command_spec& spec : builtin_commands()) {
    const bool once = spec.answers == answer::one || (spec.answers == answer::late && spec.blocking_option);
    if (!once && spec.answers != answer::last) {
      EXPECT_NE(spec.dedicated, dedicate::none) << spec.name;
    }
  }
}

TEST(AnswerRules, AgreeWithWhatTheMachinesDoWithTheCommand) {
  for (const command_spec& spec : builtin_commands()) {
    const bool confirms = spec.kind == special::subscribe || spec.kind == special::unsubscribe;
    EXPECT_EQ(spec.answers == answer::confirmations, confirms) << spec.name;
    EXPECT_EQ(spec.answers == answer::switches, spec.kind == special::client_reply) << spec.name;
    EXPECT_EQ(spec.answers == answer::last, spec.kind == special::quit) << spec.name;
  }
}

// processCommand(): what is not queued is named there one by one.
TEST(AnswerRules, QueueEverythingInsideMultiButWhatRedisRunsAtOnce) {
  const std::set<std::string_view> at_once{"exec", "discard", "multi", "watch", "quit", "reset"};
  for (const command_spec& spec : builtin_commands()) {
    EXPECT_EQ(spec.multi == in_multi::at_once, at_once.contains(spec.name)) << spec.name;
  }
}

TEST(AnswerRules, CountNoRepliesInExecWhereACommandGivesNoneOrMany) {
  for (const command_spec& spec : builtin_commands()) {
    const bool many = spec.answers == answer::confirmations || spec.answers == answer::switches ||
                      (spec.answers == answer::endless && !spec.no_multi);
    EXPECT_EQ(spec.multi == in_multi::uncounted, many) << spec.name;
  }
}

TEST(AnswerRules, WaitForReplicasBlocksOnlyWithoutAnEndAndForSomebody) {
  EXPECT_TRUE(blocks({"WAIT", "1", "0"}));
  EXPECT_FALSE(blocks({"WAIT", "1", "100"}));
  EXPECT_FALSE(blocks({"WAIT", "0", "0"}));
  EXPECT_FALSE(blocks({"WAIT", "1"}));
  EXPECT_FALSE(blocks({"WAIT"}));
  EXPECT_TRUE(blocks({"WAITAOF", "1", "0", "0"}));
  EXPECT_TRUE(blocks({"WAITAOF", "0", "1", "0"}));
  EXPECT_FALSE(blocks({"WAITAOF", "0", "0", "0"}));
  EXPECT_FALSE(blocks({"WAITAOF", "1", "0", "5"}));
}

TEST(AnswerRules, TakeTheUpstreamsWordForCommandsThatTheBuildDoesNotKnow) {
  const std::vector<upstream_command> told{{"module.wait", -2, {"write", "blocking"}, 1, 1, 1},
                                           {"module.get", 2, {"readonly"}, 1, 1, 1}};
  const auto table = command_table::completed(told);
  EXPECT_EQ(table->find_name("module.wait")->answers, answer::late);
  const held_request held{{"MODULE.WAIT", "k"}};
  EXPECT_TRUE(may_block(table->find(held.view()), held.view()));
  EXPECT_EQ(table->find_name("module.get")->answers, answer::one);
}

TEST(AnswerRules, AnswerEveryRequestButAnEmptyOne) {
  EXPECT_FALSE(is_answered(held_request{{}}.view()));
  EXPECT_TRUE(is_answered(held_request{{""}}.view()));
  EXPECT_TRUE(is_answered(held_request{{"GET", "k"}}.view()));
}

}  // namespace
}  // namespace tidegate::resp
