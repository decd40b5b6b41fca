#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "cli/top/console.hpp"
#include "cli/top/model.hpp"
#include "cli/top/page.hpp"
#include "cli/top/text.hpp"

namespace tidegate::cli::top {
namespace {

using nlohmann::json;

// A proxy `seconds` after the first look: `batch-job` writes 100/s of 1 KiB, every fourth with a TTL given; `order-api`
// 10/s.
answers after(int seconds, std::int64_t started_at = 1) {
  const auto n = static_cast<std::int64_t>(seconds);
  const auto client = [](const char* name, std::int64_t writes, std::int64_t size, std::int64_t without,
                         std::int64_t held) {
    return json{{"client", name},
                {"writes", writes},
                {"elements", writes},
                {"bytes", writes * size},
                {"without_ttl", without},
                {"connections", 3},
                {"connections_opened", 3 + writes / 100},
                {"delayed", held},
                {"rejected", 0},
                {"observed", 0}};
  };
  const auto write = [](const char* name, const char* pattern, std::int64_t writes, std::int64_t size) {
    return json{{"client", name},   {"pattern", pattern},     {"command", "set"},
                {"writes", writes}, {"bytes", writes * size}, {"without_ttl", 0}};
  };
  answers got;
  got.live = json{
      {"at", 1'000'000 + n * 1000},
      {"started_at", started_at},
      {"instance", "proxy-a"},
      {"version", "1.0"},
      {"ready", true},
      {"reason", ""},
      {"upstream",
       {{"up", true},
        {"info_stale", false},
        {"used_bytes", 70'000'000 + n * 1024},
        {"max_bytes", 100'000'000},
        {"keys", 1000},
        {"keys_with_ttl", 600},
        {"evicted_keys", 0}}},
      {"clients", {client("batch-job", n * 100, 1024, n * 100, n * 7), client("order-api", 500 + n * 10, 100, 0, 0)}},
      {"patterns", {{{"pattern", "job:*"}, {"injected", n * 25}}}},
      {"limits",
       {{{"name", "slow-lane"},
         {"action", "delay"},
         {"in_force", true},
         {"delayed", n * 7},
         {"rejected", 0},
         {"observed",
          0}}}}}.dump();
  got.writes = json{{"writes",
                     {write("batch-job", "job:*", n * 90, 1024), write("batch-job", "tail:*", n * 10, 1024),
                      write("order-api", "goods:*", 500 + n * 10, 100)}}}
                   .dump();
  got.caps = R"({"caps":[{"client":"batch-job","action":"cap","rate":"500/s","bytes":null,"key":null,"who":"me",)"
             R"("why":"in the way","seconds_left":1790}]})";
  got.forecast = R"({"known":false,"why_unknown":"too little was seen","seconds_to":{"70":null}})";
  return got;
}

view looked(order by = order::bytes, std::string_view filter = {}, int seconds = 2) {
  model figures;
  EXPECT_TRUE(figures.take(after(0)));
  EXPECT_TRUE(figures.take(after(seconds)));
  return figures.look(by, filter);
}

std::string joined(const std::vector<line>& lines) {
  std::string text;
  for (const line& each : lines) text += each.text + '\n';
  return text;
}

bool has(const std::vector<line>& lines, std::string_view part) {
  return joined(lines).find(part) != std::string::npos;
}

TEST(TopModel, TurnsCountersIntoRates) {
  const view seen = looked();
  EXPECT_DOUBLE_EQ(seen.seconds, 2);
  ASSERT_EQ(seen.writers.size(), 2U);
  const writer_row& batch = seen.writers[0];
  EXPECT_EQ(batch.name, "batch-job");
  EXPECT_DOUBLE_EQ(batch.rates.writes, 100);
  EXPECT_DOUBLE_EQ(batch.rates.bytes, 102'400);
  EXPECT_DOUBLE_EQ(batch.rates.held, 7);
  EXPECT_DOUBLE_EQ(batch.rates.opened, 1);
  EXPECT_NEAR(batch.share, 102'400 / 103'400.0, 1e-9);
  EXPECT_DOUBLE_EQ(seen.total.writes, 110);
  EXPECT_DOUBLE_EQ(seen.left_without_ttl, 75);
  EXPECT_DOUBLE_EQ(seen.memory.trend.value(), 1024);
  ASSERT_EQ(seen.limits.size(), 1U);
  EXPECT_DOUBLE_EQ(seen.limits[0].held, 7);
}

TEST(TopModel, GivesEachWriterItsPatternsBusiestFirst) {
  const view seen = looked();
  ASSERT_EQ(seen.writers[0].patterns.size(), 2U);
  EXPECT_EQ(seen.writers[0].patterns[0].pattern, "job:*");
  EXPECT_DOUBLE_EQ(seen.writers[0].patterns[0].rates.writes, 90);
  EXPECT_EQ(seen.writers[1].patterns[0].pattern, "goods:*");
}

TEST(TopModel, HasNoRatesAtTheFirstLookNorAcrossARestart) {
  model figures;
  ASSERT_TRUE(figures.take(after(0)));
  EXPECT_DOUBLE_EQ(figures.look(order::bytes, {}).seconds, 0);
  EXPECT_DOUBLE_EQ(figures.look(order::bytes, {}).writers[0].rates.writes, 0);
  ASSERT_TRUE(figures.take(after(5)));
  ASSERT_TRUE(figures.take(after(6, 2)));
  EXPECT_DOUBLE_EQ(figures.look(order::bytes, {}).seconds, 0);
  EXPECT_DOUBLE_EQ(figures.look(order::bytes, {}).total.writes, 0);
}

TEST(TopModel, ForgetsWhatIsOlderThanItsSamples) {
  model figures;
  for (int second = 0; second < 20; ++second) ASSERT_TRUE(figures.take(after(second)));
  EXPECT_DOUBLE_EQ(figures.look(order::bytes, {}).seconds, samples_kept - 1);
}

TEST(TopModel, SortsAndFilters) {
  EXPECT_EQ(looked(order::name).writers[0].name, "batch-job");
  EXPECT_EQ(looked(order::bytes, "order").writers.size(), 1U);
  EXPECT_EQ(looked(order::bytes, "tail:").writers.front().name, "batch-job");  // by a pattern's name too
  EXPECT_TRUE(looked(order::bytes, "nothing").writers.empty());
  EXPECT_EQ(looked(order::bytes, "nothing").writers_in_all, 2U);
}

TEST(TopModel, RefusesWhatItDoesNotUnderstandInWords) {
  for (const char* wrong : {"", "nonsense", "[]", "{}", R"({"at":"x"})", R"({"at":1,"started_at":1,"upstream":{}})"}) {
    model figures;
    answers got = after(0);
    got.live = wrong;
    const auto taken = figures.take(got);
    ASSERT_FALSE(taken) << wrong;
    EXPECT_NE(taken.error().find("version"), std::string::npos);
  }
  model figures;
  answers got = after(0);
  got.caps = "nonsense";  // served by a newer or older proxy: not the end
  got.forecast = "";
  EXPECT_TRUE(figures.take(got));
}

TEST(TopPage, FitsEveryScreenWithoutWrapping) {
  const view seen = looked();
  for (std::size_t width : {1U, 20U, 40U, 60U, 79U, 80U, 100U, 132U, 250U}) {
    for (std::size_t height : {1U, 3U, 8U, 10U, 24U, 60U}) {
      for (bool detail : {false, true}) {
        choices set;
        set.detail = detail;
        const std::vector<line> lines = draw(seen, set, {width, height});
        ASSERT_LE(lines.size(), height) << width << 'x' << height;
        for (const line& each : lines) ASSERT_LE(columns_of(each.text), width) << width << 'x' << height << each.text;
      }
    }
  }
}

TEST(TopPage, ShowsAllThatMattersIn80By24) {
  const std::vector<line> lines = draw(looked(), {}, {80, 24});
  EXPECT_EQ(lines.size(), 24U);
  for (const char* part :
       {"proxy-a", "70.0 %", "+60 KiB/min", "left without TTL 75/s", ">batch-job", " order-api", "100 KiB", "99.0 %",
        "limit slow-lane  holds 7.0/s", "cap batch-job  at most 500/s  29m 50s left  in the way",
        "forecast not known yet: too little was seen", "q:quit"}) {
    EXPECT_TRUE(has(lines, part)) << part << '\n' << joined(lines);
  }
}

TEST(TopPage, KeepsTheChosenRowInSight) {
  view seen = looked();
  const writer_row row = seen.writers[0];
  seen.writers.clear();
  for (int i = 0; i < 100; ++i) {
    seen.writers.push_back(row);
    seen.writers.back().name = "client-" + std::to_string(i);
  }
  choices set;
  set.chosen = "client-77";
  const std::vector<line> lines = draw(seen, set, {80, 24});
  EXPECT_TRUE(has(lines, ">client-77"));
  EXPECT_FALSE(has(lines, "client-99"));
}

TEST(TopPage, ShowsAWritersPatterns) {
  choices set;
  set.detail = true;
  const std::vector<line> lines = draw(looked(), set, {80, 24});
  EXPECT_TRUE(has(lines, "tail:*"));
  EXPECT_TRUE(has(lines, "set"));
  EXPECT_TRUE(has(lines, "writer batch-job"));
}

TEST(TopPage, SaysWhatIsWrong) {
  view seen = looked();
  seen.reason = "the upstream is gone";
  EXPECT_TRUE(has(draw(seen, {}, {80, 24}), "NOT READY: the upstream is gone"));
  choices set;
  set.trouble = "connection refused";
  EXPECT_TRUE(has(draw(seen, set, {80, 24}), "NO ANSWER: connection refused"));
  EXPECT_TRUE(has(draw(view{}, {}, {80, 24}), "memory not known"));
}

TEST(TopPage, PrintsEverythingWhereThereIsNoScreen) {
  const std::string text = plain_text(looked(), true);
  EXPECT_NE(text.find("batch-job"), std::string::npos);
  EXPECT_NE(text.find("goods:*"), std::string::npos);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  const json document = json::parse(json_text(looked()));
  EXPECT_EQ(document["writers"][0]["client"], "batch-job");
  EXPECT_DOUBLE_EQ(document["writers"][0]["writes_per_second"].get<double>(), 100);
  EXPECT_EQ(document["writers"][0]["patterns"].size(), 2U);
  EXPECT_EQ(document["memory"]["trend_bytes_per_second"], 1024);
  EXPECT_EQ(document["caps"][0]["held_to"], "at most 500/s");
}

TEST(TopText, LetsNoNameReachTheTerminalAsMoreThanText) {
  const std::string hostile =
      "a\x1b[2J\x07\r\n\t\x7f\xc2\x9b\x33\xe2\x80\xae"
      "b\xff\xc3(\xed\xa0\x80\xf4\x90\x80\x80\xcc\x81z";
  const std::string shown = printed_name(hostile, 200, false);
  for (const char c : shown) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << static_cast<int>(c);
  EXPECT_EQ(shown.front(), 'a');
  EXPECT_EQ(shown.back(), 'z');
  view seen = looked();
  seen.instance = seen.reason = seen.version = hostile;
  seen.writers[0].name = hostile;
  seen.writers[0].patterns[0].pattern = seen.writers[0].patterns[0].command = hostile;
  seen.limits[0].name = hostile;
  seen.caps[0] = {hostile, hostile, "1s", hostile, hostile};
  seen.forecast.why_unknown = hostile;
  choices set;
  set.message = set.trouble = set.filter = hostile;
  for (bool detail : {false, true}) {
    set.detail = detail;
    for (const line& each : draw(seen, set, {200, 40})) {
      for (const char c : each.text) ASSERT_TRUE(c >= 0x20 && c < 0x7f) << each.text;
    }
  }
  for (const char c : plain_text(seen, false)) ASSERT_TRUE(c == '\n' || (c >= 0x20 && c < 0x7f));
  for (const char c : json_text(seen)) ASSERT_TRUE(c >= 0x20 && c < 0x7f);
}

TEST(TopText, CutsByColumnsNotBytes) {
  EXPECT_EQ(printed_name("abcdef", 6, false), "abcdef");
  EXPECT_EQ(printed_name("abcdef", 5, false), "abcd~");
  EXPECT_EQ(printed_name("优惠券", 6, false), "优惠券");
  EXPECT_EQ(printed_name("优惠券", 5, false), "优惠~");
  EXPECT_EQ(printed_name("优惠券", 4, false), "优~");
  EXPECT_EQ(printed_name("优惠券", 5, true), "???");
  EXPECT_EQ(printed_name("abc", 0, false), "");
  EXPECT_EQ(columns_of("优a"), 3U);
  EXPECT_EQ(right("优", 4), "  优");
}

TEST(TopText, WritesFiguresShort) {
  EXPECT_EQ(count_text(0), "0");
  EXPECT_EQ(count_text(7.25), "7.2");
  EXPECT_EQ(count_text(11'091), "11,091");
  EXPECT_EQ(count_text(343'149), "343k");
  EXPECT_EQ(count_text(6'331'293), "6.3M");
  EXPECT_EQ(size_text(1023), "1023 B");
  EXPECT_EQ(size_text(153'600), "150 KiB");
  EXPECT_EQ(size_text(-1536), "-1.5 KiB");
  EXPECT_EQ(clock_text(45'296'000), "12:34:56Z");
  EXPECT_EQ(seconds_text(600), "10m");
}

struct at_the_keys {
  view seen = looked();
  console desk;
  std::optional<change> type(const std::string& keys) {
    std::optional<change> last;
    for (const char c : keys) last = desk.press(c == '\n' ? key::enter : c, seen);
    return last;
  }
};

TEST(TopConsole, AsksForTheRateTheTimeAndTheReason) {
  at_the_keys user;
  EXPECT_FALSE(user.type("c"));
  EXPECT_EQ(user.desk.set().question, "cap batch-job at (500/s, 150KiB/s or both): _");
  EXPECT_FALSE(user.type("500/s 150KiB/s\n"));
  EXPECT_FALSE(user.type("15m\n"));
  const auto wanted = user.type("in the way\n");
  ASSERT_TRUE(wanted);
  EXPECT_EQ(wanted->what, change::kind::cap);
  EXPECT_EQ(wanted->client, "batch-job");
  EXPECT_EQ(wanted->rate, "500/s");
  EXPECT_EQ(wanted->bytes, "150KiB/s");
  EXPECT_EQ(wanted->duration, "15m");
  EXPECT_EQ(wanted->why, "in the way");
  EXPECT_TRUE(user.desk.set().question.empty());
}

TEST(TopConsole, BlocksForHalfAnHourWhereNothingIsSaid) {
  at_the_keys user;
  const auto wanted = user.type("b\n\n");
  ASSERT_TRUE(wanted);
  EXPECT_EQ(wanted->what, change::kind::block);
  EXPECT_EQ(wanted->duration, "30m");
}

TEST(TopConsole, LiftsACapOnlyAfterAYes) {
  at_the_keys user;
  EXPECT_FALSE(user.type("u\n"));
  EXPECT_FALSE(user.type("un\n"));
  const auto wanted = user.type("uy\n");
  ASSERT_TRUE(wanted);
  EXPECT_EQ(wanted->what, change::kind::uncap);
}

TEST(TopConsole, TakesNothingThatIsNoRateAndNoTime) {
  for (const char* wrong : {"", "fast", "500", "500/s 600/s", "-1/s", "150KiB"}) {
    at_the_keys user;
    EXPECT_FALSE(user.type(std::string("c") + wrong + "\n")) << wrong;
    EXPECT_TRUE(user.desk.set().message_is_bad) << wrong;
    EXPECT_TRUE(user.desk.set().question.empty()) << wrong;
  }
  at_the_keys user;
  EXPECT_FALSE(user.type("c500/s\nsoon\n"));
  EXPECT_TRUE(user.desk.set().message_is_bad);
}

TEST(TopConsole, TakesEveryQuestionBackOnEscape) {
  for (const char* begun : {"c", "c500/s\n", "c500/s\n1m\n", "b", "u", "/"}) {
    at_the_keys user;
    user.type(begun);
    EXPECT_FALSE(user.desk.press(key::escape, user.seen));
    EXPECT_TRUE(user.desk.set().question.empty());
    EXPECT_FALSE(user.type("\n"));  // Enter now opens the detail and asks for nothing
  }
}

TEST(TopConsole, MeansTheWriterThatWasChosenWhenItWasAsked) {
  at_the_keys user;
  user.type("c");
  std::swap(user.seen.writers[0], user.seen.writers[1]);  // the order changed meanwhile
  const auto wanted = user.type("500/s\n\n\n");
  ASSERT_TRUE(wanted);
  EXPECT_EQ(wanted->client, "batch-job");
}

TEST(TopConsole, MovesSortsFiltersAndQuits) {
  at_the_keys user;
  user.type("j");
  EXPECT_EQ(user.desk.set().chosen, "order-api");
  user.type("jj");
  EXPECT_EQ(user.desk.set().chosen, "order-api");
  EXPECT_FALSE(user.desk.press(key::up, user.seen));
  EXPECT_EQ(user.desk.set().chosen, "batch-job");
  user.type("s");
  EXPECT_EQ(user.desk.set().by, order::writes);
  user.type("sssss");
  EXPECT_EQ(user.desk.set().by, order::bytes);
  user.type("/ordx");
  EXPECT_FALSE(user.desk.press(key::backspace, user.seen));
  user.type("\n");
  EXPECT_EQ(user.desk.set().filter, "ord");
  user.type(" ");
  EXPECT_TRUE(user.desk.set().paused);
  EXPECT_FALSE(user.desk.wants_to_quit());
  user.type("q");
  EXPECT_TRUE(user.desk.wants_to_quit());
}

TEST(TopConsole, SaysThatThereIsNobodyToCap) {
  at_the_keys user;
  user.seen.writers.clear();
  EXPECT_FALSE(user.type("c"));
  EXPECT_TRUE(user.desk.set().message_is_bad);
  EXPECT_FALSE(user.type("\n"));
}

TEST(TopConsole, BoundsWhatIsTyped) {
  at_the_keys user;
  user.type("/" + std::string(5000, 'x'));
  user.type("\n");
  EXPECT_EQ(user.desk.set().filter.size(), typed_max);
}

}  // namespace
}  // namespace tidegate::cli::top
