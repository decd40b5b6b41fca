#include "evidence/audit/cap_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace tidegate::audit {
namespace {

using namespace std::chrono_literals;

class CapFile : public testing::Test {
 protected:
  CapFile() : folder_(testing::TempDir() + "tidegate-caps-" + std::to_string(::getpid())) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~CapFile() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::string path() const { return folder_ + "/a.caps.json"; }
  static policy::cap block(const std::string& client) {
    return policy::read_wish({.client = client,
                              .action = "block",
                              .rate = {},
                              .bytes = {},
                              .key = {},
                              .lasts = "30m",
                              .who = "olga",
                              .why = {}},
                             std::chrono::sys_seconds(1'770'904'800s))
        .value();
  }

  std::string folder_;
};

TEST_F(CapFile, GivesBackWhatWasSavedLast) {
  ASSERT_TRUE(save_caps(path(), {block("a"), block("b")}));
  ASSERT_TRUE(save_caps(path(), {block("c")}));
  const auto loaded = load_caps(path());
  ASSERT_TRUE(loaded) << loaded.error();
  ASSERT_EQ(loaded->size(), 1U);
  EXPECT_EQ(loaded->front().client, "c");
  struct stat seen{};
  ASSERT_EQ(::stat(path().c_str(), &seen), 0);
  EXPECT_EQ(seen.st_mode & 0777U, 0600U);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1) << "nothing is left beside it";
}

TEST_F(CapFile, ThatIsNotThereHoldsNoCaps) {
  const auto loaded = load_caps(path());
  ASSERT_TRUE(loaded);
  EXPECT_TRUE(loaded->empty());
}

TEST_F(CapFile, ThatIsBrokenIsMovedAsideAndNotInForce) {
  std::ofstream(path()) << "{\"version\": 1, \"caps\": [";
  const auto loaded = load_caps(path());
  ASSERT_FALSE(loaded);
  EXPECT_NE(loaded.error().find("a.caps.json.broken"), std::string::npos) << loaded.error();
  EXPECT_TRUE(std::filesystem::exists(path() + ".broken"));
  EXPECT_TRUE(load_caps(path())) << "the next start is a clean one";
}

TEST_F(CapFile, SaysWhatCannotBeWrittenAndLeavesWhatWasThere) {
  const auto done = save_caps(folder_ + "/none/a.caps.json", {block("a")});
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().find("/none/a.caps.json"), std::string::npos);
}

TEST(CapPaths, AreBesideTheLedgerAndElseBesideTheConfiguration) {
  config::config config;
  config.path = "/etc/tidegate/proxy.yaml";
  config.ledger.path = "/var/lib/tidegate/a.db";
  EXPECT_EQ(paths_of(config).caps, "/var/lib/tidegate/a.caps.json");
  EXPECT_EQ(paths_of(config).log, "/var/lib/tidegate/a.audit.jsonl");
  config.ledger.enabled = false;
  EXPECT_EQ(paths_of(config).caps, "/etc/tidegate/proxy.caps.json");
}

}  // namespace
}  // namespace tidegate::audit
