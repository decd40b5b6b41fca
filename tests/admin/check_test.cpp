#include "cli/check.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace tidegate::cli {
namespace {

class Check : public testing::Test {
 protected:
  Check() : path_(testing::TempDir() + "tidegate-check-" + std::to_string(::getpid()) + ".yaml") {}
  ~Check() override { std::filesystem::remove(path_); }

  void write(const std::string& text) const { std::ofstream(path_) << text; }
  int run(output_format format, bool offline = false) {
    out_.str("");
    return check(
        {.config_path = path_, .format = format, .offline = offline},
        [this](const config::upstream&) {
          ++looks_;
          return sight_;
        },
        out_);
  }

  std::string path_;
  std::ostringstream out_;
  int looks_ = 0;
  std::expected<upstream_sight, std::string> sight_ = upstream_sight{};
  const std::string good_ =
      "listen:\n  - { address: \"127.0.0.1:0\" }\nupstream: { url: \"redis://127.0.0.1:6379\" }\n";
  const std::string ttl_ = "ttl:\n  - { pattern: \"a:*\", default: 60s }\n";
};

TEST_F(Check, AcceptsAGoodFileAndSaysSo) {
  write(good_);
  EXPECT_EQ(run(output_format::text), 0) << out_.str();
  EXPECT_TRUE(out_.str().ends_with(": ok\n")) << out_.str();
}

TEST_F(Check, NamesTheLineAndTheKeyOfAMistake) {
  write(good_ + "wrokers: 2\n");
  EXPECT_EQ(run(output_format::text), 1);
  EXPECT_NE(out_.str().find(path_ + ":4: wrokers"), std::string::npos) << out_.str();
  EXPECT_EQ(looks_, 0) << "what cannot be served is not tried out";
}

TEST_F(Check, TriesTheCertificatesThatServingWouldNeed) {
  const std::string pem = testing::TempDir() + "tidegate-check-" + std::to_string(::getpid()) + ".pem";
  std::ofstream(pem) << "-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n";
  std::filesystem::permissions(pem, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  write("listen:\n  - { address: \"127.0.0.1:0\" }\n  - { address: \"127.0.0.2:0\", tls: { certificate: " + pem +
        ", key: " + pem + " } }\nupstream:\n  url: \"rediss://127.0.0.1:6379?ca=" + pem + "\"\n");
  EXPECT_EQ(run(output_format::text, true), 1);
  EXPECT_NE(out_.str().find(path_ + ":3: listen[1].tls: "), std::string::npos) << out_.str();
  EXPECT_NE(out_.str().find(path_ + ":5: upstream.url: "), std::string::npos) << out_.str();
  EXPECT_EQ(looks_, 0);
  std::filesystem::remove(pem);
}

TEST_F(Check, GivesTheSameFindingsAsJson) {
  write(good_ + "wrokers: 2\n");
  EXPECT_EQ(run(output_format::json), 1);
  const nlohmann::json document = nlohmann::json::parse(out_.str());
  EXPECT_FALSE(document["ok"].get<bool>());
  ASSERT_EQ(document["mistakes"].size(), 1U);
  EXPECT_EQ(document["mistakes"][0]["line"], 4);
  EXPECT_EQ(document["mistakes"][0]["key"], "wrokers");
}

TEST_F(Check, RefusesAnUpstreamInClusterMode) {
  write(good_);
  sight_ = upstream_sight{.cluster = true, .eviction_policy = {}};
  EXPECT_EQ(run(output_format::text), 1);
  EXPECT_NE(out_.str().find("cluster mode"), std::string::npos);
  EXPECT_EQ(run(output_format::text, true), 0) << "offline it is not asked";
}

TEST_F(Check, WarnsOfAnUpstreamThatIsNotThereAndAcceptsTheFile) {
  write(good_);
  sight_ = std::unexpected(std::string("connect: refused"));
  EXPECT_EQ(run(output_format::text), 0);
  EXPECT_NE(out_.str().find("warning: "), std::string::npos);
  EXPECT_NE(out_.str().find("connect: refused"), std::string::npos);
}

TEST_F(Check, WarnsOfVolatileEvictionOnlyWhereTtlRulesAre) {
  sight_ = upstream_sight{.cluster = false, .eviction_policy = "volatile-lru"};
  write(good_);
  EXPECT_EQ(run(output_format::text), 0);
  EXPECT_EQ(out_.str().find("volatile-lru"), std::string::npos);
  write(good_ + ttl_);
  EXPECT_EQ(run(output_format::text), 0);
  EXPECT_NE(out_.str().find("volatile-lru"), std::string::npos);
}

TEST_F(Check, CallsAMissingFileAMistake) {
  EXPECT_EQ(run(output_format::text), 1);
  EXPECT_NE(out_.str().find(path_), std::string::npos);
}

}  // namespace
}  // namespace tidegate::cli
