#include "evidence/audit/audit_log.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace tidegate::audit {
namespace {

using namespace std::chrono_literals;

class AuditLog : public testing::Test {
 protected:
  AuditLog() : folder_(testing::TempDir() + "tidegate-audit-" + std::to_string(::getpid())) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~AuditLog() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::string path() const { return folder_ + "/a.audit.jsonl"; }
  static entry change(std::string what) {
    entry one{.at = std::chrono::sys_time<std::chrono::milliseconds>(1'770'904'800'500ms),
              .what = std::move(what),
              .who = "olga",
              .cap = {}};
    one.cap.client = "isales-campaign";
    one.cap.rate_text = "500/s";
    one.cap.why = "burst \"of\"\n14:00\xff";
    one.cap.who = "ivan";
    one.cap.since = std::chrono::sys_seconds(1'770'904'800s);
    one.cap.until = std::chrono::sys_seconds(1'770'906'600s);
    return one;
  }
  static std::vector<nlohmann::json> lines(const std::string& path) {
    std::ifstream in(path);
    std::vector<nlohmann::json> out;
    for (std::string line; std::getline(in, line);) out.push_back(nlohmann::json::parse(line));
    return out;
  }

  std::string folder_;
};

TEST_F(AuditLog, WritesALineForEachChangeThatAnyReaderOfJsonTakes) {
  const audit_log log(path());
  ASSERT_TRUE(log.append(change("cap")));
  ASSERT_TRUE(log.append(change("uncap")));
  const auto read = lines(path());
  ASSERT_EQ(read.size(), 2U);
  EXPECT_EQ(read[0]["time"], "2026-02-12T14:00:00Z");
  EXPECT_EQ(read[0]["what"], "cap");
  EXPECT_EQ(read[0]["who"], "olga");
  EXPECT_EQ(read[0]["set_by"], "ivan");
  EXPECT_EQ(read[0]["client"], "isales-campaign");
  EXPECT_EQ(read[0]["rate"], "500/s");
  EXPECT_TRUE(read[0]["bytes"].is_null());
  EXPECT_EQ(read[0]["until"], "2026-02-12T14:30:00Z");
  EXPECT_EQ(read[1]["what"], "uncap");
}

TEST_F(AuditLog, HoldsWhatWasToldAndWhoWasRefused) {
  const audit_log log(path());
  const std::chrono::sys_time<std::chrono::milliseconds> at(1'770'904'800'500ms);
  ASSERT_TRUE(log.append(told{.at = at, .what = "ttl fix", .who = "olga", .detail = "begins\n"}));
  ASSERT_TRUE(log.append(refusal{.at = at,
                                 .who = "admin api from 10.0.0.9",
                                 .method = "POST",
                                 .path = "/api/v1/caps",
                                 .status = 403,
                                 .not_written = 7}));
  const auto read = lines(path());
  ASSERT_EQ(read.size(), 2U);
  EXPECT_EQ(read[0]["detail"], "begins\n");
  EXPECT_EQ(read[1]["what"], "refused");
  EXPECT_EQ(read[1]["time"], "2026-02-12T14:00:00Z");
  EXPECT_EQ(read[1]["path"], "/api/v1/caps");
  EXPECT_EQ(read[1]["status"], 403);
  EXPECT_EQ(read[1]["not_written"], 7);
}

TEST_F(AuditLog, IsReadableByItsOwnerAlone) {
  ASSERT_TRUE(audit_log(path()).append(change("cap")));
  struct stat seen{};
  ASSERT_EQ(::stat(path().c_str(), &seen), 0);
  EXPECT_EQ(seen.st_mode & 0777U, 0600U);
}

TEST_F(AuditLog, BecomesASecondFileBeforeItOutgrowsItsBound) {
  std::ofstream(path()) << std::string(file_bytes_max - 10, ' ');
  ASSERT_TRUE(audit_log(path()).append(change("cap")));
  EXPECT_EQ(std::filesystem::file_size(path() + ".1"), file_bytes_max - 10);
  EXPECT_EQ(lines(path()).size(), 1U);
}

TEST_F(AuditLog, SaysWhichFileCannotBeWritten) {
  const auto done = audit_log(folder_ + "/none/a.jsonl").append(change("cap"));
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().find("/none/a.jsonl"), std::string::npos);
}

}  // namespace
}  // namespace tidegate::audit
