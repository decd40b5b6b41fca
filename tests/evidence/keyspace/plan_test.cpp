#include "evidence/keyspace/plan.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace tidegate::keyspace {
namespace {

plan a_plan() {
  return {.target = "10.0.0.1:6379/0",
          .made_by = "anna",
          .made_at = "2026-02-12T15:00:00Z",
          .rate = 5000,
          .rules = {{.pattern = "a:*",
                     .default_ttl = std::chrono::hours(24),
                     .max_ttl = std::chrono::hours(48),
                     .jitter = 0.1},
                    {.pattern = std::string("\xff%\0*", 4),
                     .default_ttl = std::chrono::hours(1),
                     .max_ttl = std::nullopt,
                     .jitter = 0}},
          .expected = {{.pattern = "a:*", .keys = 10, .give = 4, .cut = 1, .bytes = 1000}},
          .approved = std::nullopt};
}

plan approved(std::string by = "ben") {
  plan made = a_plan();
  made.approved = approval{.by = std::move(by), .at = "2026-02-12T16:00:00Z", .digest = made.digest()};
  return made;
}

TEST(Plan, ComesBackAsItWasWritten) {
  const auto read = read_plan(write_plan(approved()));
  ASSERT_TRUE(read.has_value()) << read.error();
  EXPECT_EQ(read->rules, a_plan().rules);
  EXPECT_EQ(read->expected, a_plan().expected);
  EXPECT_EQ(read->digest(), a_plan().digest());
  EXPECT_EQ(wrong_with(*read, "10.0.0.1:6379/0"), "");
}

TEST(Plan, IsRefusedUntilASecondPersonApprovedIt) {
  EXPECT_NE(wrong_with(a_plan(), "10.0.0.1:6379/0").find("nobody has approved"), std::string::npos);
  EXPECT_NE(wrong_with(approved("anna"), "10.0.0.1:6379/0").find("second person"), std::string::npos);
}

TEST(Plan, IsRefusedForAnotherTarget) {
  EXPECT_NE(wrong_with(approved(), "10.0.0.1:6379/1").find("made for 10.0.0.1:6379/0"), std::string::npos);
}

TEST(Plan, IsRefusedWhenEditedWhateverWasEdited) {
  const std::string text = write_plan(approved());
  const std::vector<std::pair<std::string, std::string>> edits{
      {"86400000", "86400001"}, {"\"a:*\"", "\"b:*\""}, {"10.0.0.1:6379/0", "10.0.0.2:6379/0"},
      {"5000", "50000"},        {"anna", "carl"},       {"\"keys\": 10", "\"keys\": 11"}};
  for (const auto& [from, to] : edits) {
    std::string edited = text;
    const std::size_t at = edited.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    edited.replace(at, from.size(), to);
    const auto read = read_plan(edited);
    ASSERT_FALSE(read.has_value()) << from;
    EXPECT_NE(read.error().find("edited"), std::string::npos);
  }
}

TEST(Plan, MadeAnewAfterTheApprovalIsNotApproved) {
  plan made = approved();
  made.rules.front().jitter = 0.2;
  const auto read = read_plan(write_plan(made));  // the digest fits, the approval's does not
  ASSERT_TRUE(read.has_value());
  EXPECT_NE(wrong_with(*read, made.target).find("changed after ben"), std::string::npos);
}

TEST(Plan, IsNotReadFromSomethingElse) {
  for (const char* text : {"", "{}", "[]", "\xff", R"({"tidegate_plan":1})", R"({"tidegate_plan":2})"}) {
    EXPECT_FALSE(read_plan(text).has_value()) << text;
  }
}

TEST(RunState, ComesBackAndBelongsToItsRulesAndTarget) {
  const run_state state{.digest = digest_of(a_plan().rules, "h:1/0"),
                        .run_id = "abc",
                        .cursor = ~0ULL,
                        .looked_at = 10,
                        .given = 5,
                        .cut = 2,
                        .saved_at = "2026-02-12T16:00:00Z"};
  const auto read = read_state(write_state(state));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->cursor, ~0ULL) << "all 64 bits";
  EXPECT_EQ(read->digest, state.digest);
  EXPECT_EQ(read->run_id, "abc");
  EXPECT_NE(digest_of(a_plan().rules, "h:1/1"), state.digest);
  EXPECT_FALSE(read_state("{}").has_value());
}

TEST(ReplaceFile, LeavesTheWholeFileAndNoOther) {
  std::string folder = (std::filesystem::temp_directory_path() / "tidegate-plan-XXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string path = folder + "/state";
  EXPECT_EQ(replace_file(path, "first"), "");
  EXPECT_EQ(replace_file(path, "second"), "");
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_EQ(text.str(), "second");
  struct stat seen{};
  ASSERT_EQ(::stat(path.c_str(), &seen), 0);
  EXPECT_EQ(seen.st_mode & 0777U, 0600U);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
  EXPECT_NE(replace_file(folder + "/no/such/folder", "x"), "");
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace tidegate::keyspace
