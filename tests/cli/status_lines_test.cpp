#include "cli/status_lines.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

namespace tidegate::cli {
namespace {

using nlohmann::ordered_json;

// Everything that a status can say at once.
ordered_json crowded() {
  ordered_json writers = ordered_json::array();
  for (const char* name : {"isales-campaign", "contact-label-sync", "order-api", "member-service", "push-gateway"}) {
    writers.push_back({{"client", name},
                       {"writes_per_second", 11'091.0},
                       {"bytes_per_second", 9'312'141.0},
                       {"share_percent", 99.4},
                       {"connections", 134}});
  }
  return ordered_json::parse(R"({"instance": "proxy-a", "at": "2026-11-22T07:19:32Z", "version": "0.1.0",
    "upstream": {"used_percent": 75.2, "used_bytes": 1868310773, "max_bytes": 2491081031, "keys": 6658630,
                 "keys_with_ttl": 4035130, "keys_without_ttl": 2623500, "evicted_keys": 1200300},
    "rates": {"evictions_per_second": 12000, "commands_per_second": 11091, "writes_per_second": 10861,
              "write_bytes_per_second": 9312141},
    "trend": {"points_a_minute": 909.49, "peak_percent": 89.4, "peak_seconds_ago": 3725},
    "limits": [{"name": "cap:isales-campaign:bytes", "delayed_per_second": 4711, "rejected_per_second": 12},
               {"name": "batch-writers", "delayed_per_second": 1, "rejected_per_second": 0}],
    "caps": [{"client": "isales-campaign", "action": "cap", "rate": "500/s", "bytes": "150KiB/s", "key": "contact:*",
              "seconds_left": 1795, "who": "olga by admin api from 127.0.0.1"}],
    "verdict": "critical",
    "because": "memory at 75.2 %, rising by 909.5 points a minute; 1,200,300 keys evicted; 39 % of the keys have no TTL",
    "next": ["tidegate cap 'isales-campaign' --bytes 150KiB/s --for 30m --why 'memory at 75 %'", "tidegate status --watch"]})")
      .patch(ordered_json::array({{{"op", "add"}, {"path", "/writers"}, {"value", std::move(writers)}}}));
}

// Code points, of which each takes a column here.
std::size_t columns_of(const std::string& line) {
  return static_cast<std::size_t>(std::ranges::count_if(line, [](char c) { return (c & '\xc0') != '\x80'; }));
}

TEST(StatusLines, FitAScreenOfEightyByTwentyFour) {
  const ordered_json forecast = ordered_json::parse(
      R"({"peak_percent": 151.7, "seconds_to": {"70": 11, "85": 102, "100": 3600}, "seconds_back": 90061})");
  std::istringstream lines(status_lines(crowded(), forecast));
  std::size_t rows = 0;
  for (std::string line; std::getline(lines, line); ++rows) {
    const bool is_to_be_pasted = line.find("tidegate cap '") != std::string::npos;
    EXPECT_LE(columns_of(line), is_to_be_pasted ? 90U : 80U) << line;
  }
  EXPECT_LE(rows, 24U);
}

TEST(StatusLines, KeepNamesWholeAndCommandsInOneLine) {
  const std::string shown = status_lines(crowded(), {});
  EXPECT_NE(shown.find("contact-label-sync "), std::string::npos);
  EXPECT_NE(shown.find("cap:isales-campaign:bytes "), std::string::npos);
  EXPECT_NE(shown.find("tidegate cap 'isales-campaign' --bytes 150KiB/s --for 30m --why 'memory at 75 %'\n"),
            std::string::npos);
  EXPECT_NE(shown.find("CRITICAL: memory at 75.2 %"), std::string::npos);
}

TEST(StatusLines, ShowAStatusThatSaysNothing) {
  EXPECT_NE(status_lines(ordered_json::object(), {}).find("verdict"), std::string::npos);
}

}  // namespace
}  // namespace tidegate::cli
