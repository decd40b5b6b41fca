// Random rewrites: what leaves must be the request that was meant, to the byte (counts, lengths and values agree).
// The long form (TIDEGATE_LONG) makes ten million.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "resp/request_parser.hpp"
#include "ttl/rule_set.hpp"

namespace tidegate::ttl {
namespace {

void append_bulk(std::string& out, std::string_view value) {
  out += '$';
  out += std::to_string(value.size());
  out += "\r\n";
  out += value;
  out += "\r\n";
}

// Written without the encoder that is tested.
std::string framed(const std::vector<std::string>& arguments) {
  std::string out = "*" + std::to_string(arguments.size()) + "\r\n";
  for (const std::string& one : arguments) append_bulk(out, one);
  return out;
}

// Lengths around each power of ten, where a length line grows, more often than others.
std::size_t length(std::mt19937_64& random) {
  static constexpr std::size_t powers[] = {0, 1, 10, 100, 1000};
  const std::size_t around = powers[random() % 64 == 0 ? 4 : random() % 4];
  return around + random() % 3 - (around > 0 && random() % 2 == 0 ? 1 : 0);
}

std::string text(std::mt19937_64& random) {
  static constexpr std::string_view hostile("\r\n\0\xff$*0 1:EX", 12);
  std::string out(length(random), 'x');
  for (std::size_t at = random() % 4; at < out.size(); at += 1 + random() % 16) out[at] = hostile[random() % hostile.size()];
  return out;
}

TEST(append_rewritten, random_requests_become_exactly_what_was_meant) {
  const std::uint64_t rounds = std::getenv("TIDEGATE_LONG") != nullptr ? 10'000'000 : 50'000;
  std::mt19937_64 random(20260422);
  std::vector<std::string> arguments;
  std::string out;
  resp::request_parser parser;
  resp::request_parser again;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    arguments.resize(1 + random() % (random() % 32 == 0 ? 110 : 12));
    for (std::string& one : arguments) one = text(random);
    const std::string bytes = framed(arguments);
    ASSERT_EQ(parser.parse(bytes), resp::parse_status::complete) << "round " << round;

    rewrite how;
    const auto value = static_cast<std::int64_t>(random() >> (random() % 63 + 1));
    if (random() % 2 == 0) {
      how = {.kind = rewrite::what::append, .option = static_cast<std::uint8_t>(random() % 2), .value = value};
      arguments.emplace_back(how.option == 0 ? "EX" : "PX");
      arguments.push_back(std::to_string(value));
    } else {
      how.kind = rewrite::what::replace;
      how.index = static_cast<std::uint32_t>(random() % arguments.size());
      how.value = value;
      arguments[how.index] = std::to_string(value);
    }
    out.clear();
    append_rewritten(out, parser.request(), how);
    ASSERT_TRUE(out == framed(arguments)) << "round " << round;
    ASSERT_EQ(again.parse(out), resp::parse_status::complete) << "round " << round;
    ASSERT_EQ(again.request().raw.size(), out.size()) << "round " << round;
    ASSERT_EQ(again.request().size(), arguments.size()) << "round " << round;
  }
}

}  // namespace
}  // namespace tidegate::ttl
