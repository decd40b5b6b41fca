#include "resp/error_code.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace tidegate::resp {
namespace {

TEST(error_code, is_told_by_the_first_word_alone) {
  using enum error_code;
  const std::vector<std::pair<std::string, error_code>> cases{
      {"NOAUTH Authentication required.", noauth},
      {"NOPERM this user has no permissions to run the 'get' command", noperm},
      {"OOM command not allowed when used memory > 'maxmemory'.", oom},
      {"READONLY You can't write against a read only replica.", readonly},
      {"LOADING Redis is loading the dataset in memory", loading},
      {"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", masterdown},
      {"NOREPLICAS Not enough good replicas to write.", noreplicas},
      {"MISCONF Errors writing to the AOF file: No space left on device", misconf},
      {"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.", busy},
      {"BUSY", busy},
      {"BUSYKEY Target key name already exists.", other},
      {"BUSYGROUP Consumer Group name already exists", other},
      {"MOVED 3999 127.0.0.1:6381", moved},
      {"ASK 3999 127.0.0.1:6381", ask},
      {"ASKING", other},
      {"CROSSSLOT Keys in request don't hash to the same slot", crossslot},
      {"CLUSTERDOWN Hash slot not served", clusterdown},
      {"TRYAGAIN Multiple keys request during rehashing of slot", tryagain},
      {"EXECABORT Transaction discarded because of previous errors.", execabort},
      {"WRONGTYPE Operation against a key holding the wrong kind of value", other},
      {"NOSCRIPT No matching script. Please use EVAL.", other},
      {"ERR syntax error", other},
      {"ERR OOM", other},
      {"ERR", other},
      {"", other},
      {" READONLY", other},
      {"readonly You can't write", other},
      {"READONLYX", other},
      {"READONLY\tYou", other},
  };
  for (const auto& [text, code] : cases) {
    EXPECT_EQ(classify_error(text), code) << text;
  }
}

TEST(error_code, tells_commands_that_never_ran_from_those_that_failed_inside) {
  using enum error_code;
  EXPECT_EQ(classify_error("ERR unknown command 'foo', with args beginning with: 'a' "), unknown_command);
  EXPECT_EQ(classify_error("ERR unknown command `foo`, with args beginning with: "), unknown_command);  // 5.0, 6.x
  EXPECT_EQ(classify_error("ERR unknown subcommand 'foo'. Try XGROUP HELP."), unknown_command);
  // From inside a command that ran and is in `calls`.
  EXPECT_EQ(classify_error("ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP."),
            other);
  EXPECT_EQ(classify_error("ERR Command not allowed inside a transaction"), not_in_transaction);
  EXPECT_EQ(classify_error("ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are "
                           "allowed in this context"),
            subscribed_context);
  EXPECT_EQ(classify_error("ERR Can't"), other);
  EXPECT_EQ(classify_error("ERRunknown command"), other);
  EXPECT_EQ(classify_error("ERR  unknown command"), other);
}

TEST(error_code, knows_which_codes_are_given_instead_of_running) {
  for (int code = 0; code <= static_cast<int>(error_code::subscribed_context); ++code) {
    const auto which = static_cast<error_code>(code);
    EXPECT_EQ(refused_before_execution(which), which != error_code::none && which != error_code::other) << code;
  }
}

TEST(error_code, finds_a_failover_in_the_code_or_in_a_quoted_error) {
  for (const std::string text :
       {"READONLY You can't write against a read only replica.",
        "READONLY You can't write against a read only replica. script: 3b5c, on @user_script:1.",
        "READONLY Can not run script with write flag on readonly replica", "READONLY",
        "LOADING Redis is loading the dataset in memory", "LOADING Valkey is loading the dataset in memory",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        // Redis up to 6.2, from redis.call in a script
        "ERR Error running script (call to f_6b1b): @user_script:1: @user_script: 1: -READONLY You can't write against "
        "a read only replica. ",
        "ERR Error running script (call to f_6b1b): @user_script:1: -LOADING Redis is loading the dataset in memory ",
        "ERR Error running script (call to f_6b1b): @user_script:1: -MASTERDOWN Link with MASTER is down. ",
        "ERR -READONLY replica", "MYERR -READONLY You can't write", "ERR:-READONLY You can't write",
        // error(redis.pcall(…).err) in 7.0
        "ERR user_script:1: READONLY You can't write against a read only replica. script: 3b5c, on @user_script:1.",
        "EXECABORT Transaction discarded because of: READONLY You can't write against a read only replica.",
        "EXECABORT Transaction discarded because of: LOADING Redis is loading the dataset in memory",
        "EXECABORT Transaction discarded because of: MASTERDOWN Link with MASTER is down"}) {
    EXPECT_TRUE(tells_of_failover(text)) << text;
  }
}

TEST(error_code, takes_no_arbitrary_text_for_a_failover) {
  for (const std::string text :
       {"", "-", "ERR", "ERR READONLY", "ERR no such key READONLY in LOADING", "ERR syntax error near -READONLY",
        "ERR key:-READONLY x", "ERR x-READONLY x", "ERR -READONLYX y", "READONLYX You can't write", "-READONLY x",
        "WRONGTYPE Operation against a key holding the wrong kind of value", "ERR READONLY You can write",
        "ERR wrong number of arguments for 'readonly' command", "EXECABORT Transaction discarded because of: OOM x",
        "ERR 'READONLY You can't write'", "ERR MASTERDOWN is a word", "NOAUTH LOADING",
        // the client's own words
        "ERR unknown command 'foo', with args beginning with: ' -READONLY You can't write' ",
        "ERR unknown command ' -LOADING ', with args beginning with: "}) {
    EXPECT_FALSE(tells_of_failover(text)) << text;
  }
}

}  // namespace
}  // namespace tidegate::resp
