#include "config/quantity.hpp"

#include <gtest/gtest.h>

namespace tidegate::config {
namespace {

using namespace std::chrono_literals;

TEST(Duration, KnowsEveryUnit) {
  EXPECT_EQ(parse_duration("250ms").value(), 250ms);
  EXPECT_EQ(parse_duration("2s").value(), 2s);
  EXPECT_EQ(parse_duration("30m").value(), 30min);
  EXPECT_EQ(parse_duration("1h").value(), 1h);
  EXPECT_EQ(parse_duration("60d").value(), 24h * 60);
  EXPECT_EQ(parse_duration("1.5h").value(), 90min);
  EXPECT_EQ(parse_duration("0.001s").value(), 1ms);
  EXPECT_EQ(parse_duration("2 s").value(), 2s);
  EXPECT_EQ(parse_duration("0s").value(), 0s);
  EXPECT_EQ(parse_duration("36500d").value(), duration_max);
}

TEST(Duration, RefusesWhatIsNone) {
  for (const char* text :
       {"",     "s",     "2",   "-2s",   "+2s", "2S",  "2sec",    "1h30m",    "1e3s",   ".5s",
        "5.s",  "0x10s", "inf", "nan s", "2s ", " 2s", "0.0005s", "1.0001ms", "36501d", "99999999999999999999999999d",
        "2,5s", "2..5s"}) {
    EXPECT_FALSE(parse_duration(text).has_value()) << text;
  }
}

TEST(Size, KnowsEveryUnit) {
  EXPECT_EQ(parse_size("10B").value(), 10U);
  EXPECT_EQ(parse_size("150KiB").value(), 153'600U);
  EXPECT_EQ(parse_size("64MiB").value(), 64U << 20);
  EXPECT_EQ(parse_size("1GiB").value(), 1U << 30);
  EXPECT_EQ(parse_size("1024TiB").value(), size_max);
  EXPECT_EQ(parse_size("1GB").value(), 1'000'000'000U);
  EXPECT_EQ(parse_size("3kB").value(), 3'000U);
  EXPECT_EQ(parse_size("2.32GiB").value(), 2'491'081'031U);
}

TEST(Size, RefusesWhatIsNone) {
  for (const char* text : {"", "10", "B", "10b", "10kb", "10K", "-1B", "1025TiB", "1e400B", "10 Bytes", "10B/s"}) {
    EXPECT_FALSE(parse_size(text).has_value()) << text;
  }
}

TEST(Count, IsAWholeNumber) {
  EXPECT_EQ(parse_count("5000").value(), 5000U);
  EXPECT_EQ(parse_count("0").value(), 0U);
  for (const char* text : {"", "-1", "+1", "1.0", "1_000", "0x10", "1000000000001", "18446744073709551616", "1 "}) {
    EXPECT_FALSE(parse_count(text).has_value()) << text;
  }
}

TEST(Fraction, IsAShareOfOne) {
  EXPECT_DOUBLE_EQ(parse_fraction("60%").value(), 0.6);
  EXPECT_DOUBLE_EQ(parse_fraction("0.6").value(), 0.6);
  EXPECT_DOUBLE_EQ(parse_fraction("1").value(), 1);
  EXPECT_DOUBLE_EQ(parse_fraction("0%").value(), 0);
  EXPECT_DOUBLE_EQ(parse_fraction("100%").value(), 1);
  for (const char* text : {"", "%", "60", "1.01", "100.1%", "-1%", "-0.5", "60%%", "60pct", "nan"}) {
    EXPECT_FALSE(parse_fraction(text).has_value()) << text;
  }
}

TEST(Rate, IsUnitsASecond) {
  EXPECT_DOUBLE_EQ(parse_rate("2000/s")->per_second, 2000);
  EXPECT_DOUBLE_EQ(parse_rate("120/m")->per_second, 2);
  EXPECT_DOUBLE_EQ(parse_rate("0.5/s")->per_second, 0.5);
  EXPECT_DOUBLE_EQ(parse_rate("36/h")->per_second, 0.01);
  EXPECT_DOUBLE_EQ(parse_rate("150KiB/s")->per_second, 153'600);
  EXPECT_FALSE(parse_rate("2000/s")->bytes);
  EXPECT_TRUE(parse_rate("10B/s")->bytes);
  for (const char* text : {"", "/", "/s", "2000", "2000/", "2000/S", "2000/s/s", "-1/s", "0/s", "0B/s", "1e9/s",
                           "inf/s", "2000 /s", "1/10s", "99999TiB/s"}) {
    EXPECT_FALSE(parse_rate(text).has_value()) << text;
  }
}

TEST(Instant, IsADateOrATimeWithItsZone) {
  const std::chrono::sys_seconds day{std::chrono::sys_days(2026y / 12 / 31)};
  EXPECT_EQ(parse_instant("2026-12-31").value(), day);
  EXPECT_EQ(parse_instant("2026-12-31T00:00:00Z").value(), day);
  EXPECT_EQ(parse_instant("2026-12-31t18:30:15z").value(), day + 18h + 30min + 15s);
  EXPECT_EQ(parse_instant("2026-12-31 18:00:00+08:00").value(), day + 10h);
  EXPECT_EQ(parse_instant("2026-12-31T23:00:00-02:00").value(), day + 25h);
  EXPECT_EQ(parse_instant("2026-12-31T00:00:00.999Z").value(), day);
  EXPECT_EQ(parse_instant("2024-02-29").value(), std::chrono::sys_seconds{std::chrono::sys_days(2024y / 2 / 29)});
  for (const char* text :
       {"", "2026", "2026-1-1", "2026-13-01", "2026-00-10", "2026-02-30", "2026-12-31T", "2026-12-31T10:00:00",
        "2026-12-31T24:00:00Z", "2026-12-31T10:60:00Z", "2026-12-31T10:00:61Z", "2026-12-31T10:00:00.Z",
        "2026-12-31T10:00:00+8", "2026-12-31T10:00:00Zx", "20261231", "1969-12-31", "2201-01-01", "9999-12-31",
        "-026-12-31"}) {
    EXPECT_FALSE(parse_instant(text).has_value()) << text;
  }
}

TEST(Quantity, ErrorsNeverRepeatTheInput) {
  for (const char* text : {"hunter2", "12hunter2", "hunter2/s", "5hunter2/s", "9hunter2%"}) {
    for (const std::string& error :
         {parse_duration(text).error(), parse_size(text).error(), parse_count(text).error(),
          parse_fraction(text).error(), parse_rate(text).error(), parse_instant(text).error()}) {
      EXPECT_EQ(error.find("hunter2"), std::string::npos) << error;
    }
  }
}

}  // namespace
}  // namespace tidegate::config
