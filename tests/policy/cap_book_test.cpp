#include "policy/cap_book.hpp"

#include <gtest/gtest.h>

#include "policy/snapshot.hpp"

namespace tidegate::policy {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using std::chrono::sys_seconds;
using moment = std::chrono::sys_time<milliseconds>;

constexpr sys_seconds begin{1'770'714'000s};

cap_wish wish(std::string client) {
  return {.client = std::move(client),
          .rate = "500/s",
          .bytes = {},
          .key = {},
          .lasts = "30m",
          .who = "olga",
          .why = "burst"};
}

cap made(cap_wish of) {
  const auto read = read_wish(of, begin);
  EXPECT_TRUE(read) << (read ? "" : read.error());
  return read.value_or(cap{});
}

std::string error(const cap_wish& of) {
  const auto read = read_wish(of, begin);
  return read ? "" : read.error();
}

TEST(CapWish, BecomesADelayingRulePerClientInFrontOfWhatItGrows) {
  cap_book book;
  ASSERT_TRUE(book.set(made(wish("isales-campaign"))));
  const auto rules = book.rules();
  ASSERT_EQ(rules.size(), 1U);
  EXPECT_EQ(rules[0].name, "cap:isales-campaign");
  EXPECT_EQ(rules[0].match_client, "isales-campaign");
  EXPECT_TRUE(rules[0].match_commands.empty()) << "grow commands, and scripts that may write";
  EXPECT_EQ(rules[0].per, config::limit_per::client);
  EXPECT_EQ(rules[0].action, config::limit_action::delay);
  EXPECT_EQ(rules[0].rate, 500);
  EXPECT_EQ(rules[0].burst, 50);
  EXPECT_TRUE(rules[0].begins_empty);
  EXPECT_EQ(rules[0].until, begin + 30min);
}

TEST(CapWish, LastsAtLeastWhatItSays) {
  cap_wish of = wish("a");
  of.lasts = "1500ms";
  EXPECT_EQ(read_wish(of, moment(begin) + 700ms)->until, begin + 3s);
  EXPECT_EQ(read_wish(of, moment(begin) + 700ms)->since, begin);
}

TEST(CapWish, HoldsCommandsAndBytesByTwoRulesOfDifferentNames) {
  cap_wish of = wish("a");
  of.bytes = "150KiB/s";
  of.key = "contact:*";
  cap_book book;
  ASSERT_TRUE(book.set(made(of)));
  const auto rules = book.rules();
  ASSERT_EQ(rules.size(), 2U);
  EXPECT_EQ(rules[0].name, "cap:a");
  EXPECT_EQ(rules[0].cost, config::limit_cost::command);
  EXPECT_EQ(rules[1].name, "cap:a:bytes");
  EXPECT_EQ(rules[1].cost, config::limit_cost::byte);
  EXPECT_EQ(rules[1].rate, 150 * 1024);
  for (const auto& rule : rules) EXPECT_EQ(rule.match_key, "contact:*");
  of.rate.clear();
  ASSERT_TRUE(book.set(made(of)));
  ASSERT_EQ(book.rules().size(), 1U);
  EXPECT_EQ(book.rules()[0].name, "cap:a");
}

TEST(CapWish, OfABlockRefusesEverything) {
  cap_wish of = wish("a");
  of.action = "block";
  of.rate.clear();
  cap_book book;
  ASSERT_TRUE(book.set(made(of)));
  ASSERT_EQ(book.rules().size(), 1U);
  EXPECT_EQ(book.rules()[0].name, "block:a");
  EXPECT_EQ(book.rules()[0].action, config::limit_action::block);
}

TEST(CapWish, LeavesALowRateOneCommandOfBurst) {
  cap_wish of = wish("a");
  of.rate = "5/m";
  cap_book book;
  ASSERT_TRUE(book.set(made(of)));
  EXPECT_EQ(book.rules()[0].burst, 1);
}

TEST(CapWish, IsRefusedByItsFieldAndWithTheRemedy) {
  const auto changed = [](auto change) {
    cap_wish of = wish("a");
    change(of);
    return error(of);
  };
  EXPECT_TRUE(changed([](cap_wish& w) { w.client.clear(); }).starts_with("client: "));
  EXPECT_TRUE(changed([](cap_wish& w) { w.client = "two words"; }).starts_with("client: "));
  EXPECT_TRUE(changed([](cap_wish& w) { w.client = std::string(65, 'a'); }).starts_with("client: "));
  EXPECT_TRUE(changed([](cap_wish& w) { w.rate.clear(); }).starts_with("rate: "));
  EXPECT_TRUE(changed([](cap_wish& w) { w.rate = "500"; }).starts_with("rate: "));
  EXPECT_TRUE(changed([](cap_wish& w) { w.rate = "0/s"; }).starts_with("rate: "));
  EXPECT_TRUE(changed([](cap_wish& w) { w.rate = "150KiB/s"; }).starts_with("rate: "));
  EXPECT_TRUE(changed([](cap_wish& w) { w.bytes = "500/s"; }).starts_with("bytes: "));
  EXPECT_TRUE(changed([](cap_wish& w) { w.action = "stop"; }).starts_with("action: "));
  EXPECT_TRUE(changed([](cap_wish& w) { w.action = "block"; }).starts_with("rate: "));
  EXPECT_TRUE(changed([](cap_wish& w) { w.lasts.clear(); }).starts_with("for: "));
  EXPECT_TRUE(changed([](cap_wish& w) { w.lasts = "500ms"; }).starts_with("for: "));
  EXPECT_TRUE(changed([](cap_wish& w) { w.lasts = "31d"; }).starts_with("for: "));
  EXPECT_TRUE(changed([](cap_wish& w) { w.lasts = "-30m"; }).starts_with("for: "));
  EXPECT_TRUE(changed([](cap_wish& w) { w.key = "a\nb"; }).starts_with("key: "));
  EXPECT_TRUE(changed([](cap_wish& w) { w.why = std::string(501, 'x'); }).starts_with("why: "));
  for (const char* fine : {"unnamed@10.0.0.1", "unnamed@fd00::1", "isales-*", "?", "*"})
    EXPECT_EQ(error(wish(fine)), "") << fine;
}

TEST(CapBook, KeepsTheLastWordOnEachClient) {
  cap_book book;
  ASSERT_TRUE(book.set(made(wish("a"))));
  ASSERT_TRUE(book.set(made(wish("b"))));
  cap_wish block = wish("a");
  block.action = "block";
  block.rate.clear();
  ASSERT_TRUE(book.set(made(block)));
  ASSERT_EQ(book.all().size(), 2U);
  EXPECT_EQ(book.all()[0].client, "b");
  EXPECT_EQ(book.all()[1].action, cap_action::block);
  EXPECT_EQ(book.lift("a")->action, cap_action::block);
  EXPECT_FALSE(book.lift("a"));
  EXPECT_EQ(book.all().size(), 1U);
}

TEST(CapBook, EndsWhatHasEndedAndKnowsWhatEndsNext) {
  cap_book book;
  EXPECT_FALSE(book.next_end());
  cap_wish first = wish("a");
  first.lasts = "10m";
  ASSERT_TRUE(book.set(made(wish("b"))));
  ASSERT_TRUE(book.set(made(first)));
  EXPECT_EQ(book.next_end(), begin + 10min);
  EXPECT_TRUE(book.end(begin + 10min - 1s).empty());
  const auto ended = book.end(begin + 10min);
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].client, "a");
  EXPECT_EQ(book.next_end(), begin + 30min);
}

TEST(CapBook, IsFullAtItsBoundButStillReplaces) {
  cap_book book;
  for (std::size_t i = 0; i < caps_max; ++i) ASSERT_TRUE(book.set(made(wish("c" + std::to_string(i)))));
  EXPECT_FALSE(book.set(made(wish("one-more"))));
  EXPECT_TRUE(book.set(made(wish("c0"))));
  EXPECT_EQ(book.all().size(), caps_max);
}

TEST(CapDocument, GivesBackWhatWasWritten) {
  cap_wish both = wish("isales-*");
  both.bytes = "150KiB/s";
  both.key = "contact:*";
  cap_wish block = wish("b");
  block.action = "block";
  block.rate.clear();
  const std::vector<cap> caps{made(both), made(block)};
  const auto read = read_caps(write_caps(caps));
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(write_caps(*read), write_caps(caps));
  ASSERT_EQ(read->size(), 2U);
  EXPECT_EQ((*read)[0].until, begin + 30min);
  EXPECT_EQ((*read)[0].bytes, 150 * 1024);
  EXPECT_EQ((*read)[1].action, cap_action::block);
}

TEST(CapDocument, IsReadWholeOrNotAtAll) {
  const std::string good = write_caps({made(wish("a"))});
  const auto replaced = [&](std::string_view what, std::string_view with) {
    std::string text = good;
    text.replace(text.find(what), what.size(), with);
    return text;
  };
  for (const std::string& broken :
       {std::string(), std::string("[]"), good.substr(0, good.size() / 2), replaced("\"version\": 1", "\"version\": 2"),
        replaced("\"a\"", "\"two words\""), replaced("500/s", "500"), replaced("\"until\"", "\"untill\"")}) {
    EXPECT_FALSE(read_caps(broken)) << broken;
  }
}

TEST(Snapshot, HasTheCapsInFrontOfTheConfiguredRules) {
  config::config config;
  config::limit_rule configured;
  configured.name = "configured";
  configured.rate = configured.burst = 10;
  config.limits.assign(256, configured);
  for (std::size_t i = 0; i < config.limits.size(); ++i) config.limits[i].name += std::to_string(i);
  cap_book book;
  for (std::size_t i = 0; i < caps_max; ++i) {
    cap_wish of = wish("c" + std::to_string(i));
    of.bytes = "1KiB/s";
    ASSERT_TRUE(book.set(made(of)));
  }
  const auto made_of = make_snapshot(std::make_shared<const config::config>(config),
                                     {.registry = std::make_shared<attribution::registry>(),
                                      .buckets = limiter::make_bucket_store(),
                                      .commands = resp::command_table::builtin(),
                                      .expire_options = true},
                                     2, 0, book.rules());
  const auto rules = made_of->limits->rules();
  ASSERT_EQ(rules.size(), caps_max * cap_rules_each + 256) << "the last configured rule is in force too";
  EXPECT_EQ(rules.front().name, "cap:c0");
  EXPECT_EQ(rules.back().name, "configured255");
}

}  // namespace
}  // namespace tidegate::policy
