// Whatever a client calls itself, its keys, its values or its commands: each error that the proxy words is one frame,
// and what stands behind it in the pipeline gets its own. The long form (TIDEGATE_LONG) says a million of them.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <string>
#include <string_view>

#include "fake_world.hpp"
#include "resp/reply_framer.hpp"

namespace tidegate::session::testing_support {
namespace {

// Logins, names and rules that are refused by us.
void refuse(config::config& c) {
  c.upstream.auth = config::credentials{"proxy", "secret"};
  c.users = {{"app", "token"}};
  config::ttl_rule must;
  must.pattern = "must\r\n:*";
  must.require = true;
  c.ttl.push_back(must);
  config::limit_rule none;
  none.name = "no\r\n+more\r\n";
  none.match_key = "none:*";
  none.action = config::limit_action::reject;
  none.rate = none.burst = 1;
  c.limits.push_back(none);
}

std::string hostile(std::mt19937_64& random) {
  static constexpr std::string_view bytes("\r\n\0\xff$*-+:_ >|a9'\"\x7f\x1b", 20);
  std::string out(random() % (random() % 16 == 0 ? 400 : 24), '\0');
  for (char& c : out) c = bytes[random() % bytes.size()];
  return out;
}

// A command that is refused, or answered by us, whatever `text` is.
words refused(std::size_t kind, const std::string& text, std::mt19937_64& random) {
  switch (kind) {
    case 0:
      return {"TIDEGATE", text};
    case 1:
      return {"AUTH", text};
    case 2:
      return {"AUTH", text, text};
    case 3:
      return {"HELLO", text + "x"};
    case 4:
      return {"HELLO", "2", text};
    case 5:
      return {"HELLO", "2", "AUTH", text, text};
    case 6:
      return {"HELLO", "2", "SETNAME", text + "\n"};
    case 7:
      return {"CLIENT", "SETNAME", text};
    case 8:
      return {"SET", "must\r\n:" + text, text};
    case 9:
      return {"SET", "none:" + text, text};
    default:
      return {"TIDEGATE", "QUOTA", hostile(random)};
  }
}

constexpr std::size_t kinds = 11;

TEST(ErrorFrame, IsOneWhateverItNames) {
  const std::uint64_t rounds = std::getenv("TIDEGATE_LONG") != nullptr ? 1'000'000 / kinds + 1 : 300;
  std::mt19937_64 random(20260422);
  fake_world world(refuse);
  world.redis.passwords = {{"default", "pw"}, {"proxy", "secret"}};
  fake_socket& client = world.connect_client();
  ASSERT_EQ(world.ask(client, "AUTH app token\r\nSET none:0 v\r\n"), "+OK\r\n+OK\r\n");
  std::uint64_t errors = 0;
  for (std::uint64_t round = 0; round < rounds * kinds; ++round) {
    const words said = refused(round % kinds, hostile(random), random);
    const std::string token = std::to_string(round);
    client.send(said);
    const std::string got = world.ask(client, words{"ECHO", token});
    ASSERT_TRUE(client.open) << said[0];
    resp::reply_framer framer;
    const resp::reply_framer::result frame = framer.consume(got);
    ASSERT_EQ(frame.state, resp::reply_framer::status::complete) << said[0] << ' ' << round;
    ASSERT_EQ(got.substr(frame.bytes), bulk(token)) << said[0] << ' ' << round;
    if (framer.is_error()) {
      ++errors;
      // A client library may end a line at either of them.
      ASSERT_EQ(got.find_first_of(std::string_view("\r\n\0", 3)), frame.bytes - 2) << said[0] << ' ' << round;
    }
  }
  EXPECT_GT(errors, rounds * 8) << "most of them are refused";
  world.expect_nothing_left();
}

TEST(ErrorFrame, IsOneForEachProtocolError) {
  const std::uint64_t rounds = std::getenv("TIDEGATE_LONG") != nullptr ? 20'000 : 500;
  std::mt19937_64 random(20260423);
  std::uint64_t errors = 0;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    fake_world world;
    fake_socket& client = world.connect_client();
    static constexpr std::string_view begins[] = {"*1\r\n", "*", "*2\r\n$4\r\nECHO\r\n", "*1\r\n$", "ECHO \""};
    const std::string got = world.ask(client, std::string(begins[round % 5]) + hostile(random) + "\r\n");
    resp::reply_framer framer;
    std::size_t at = 0;
    while (at < got.size()) {
      const resp::reply_framer::result frame = framer.consume(std::string_view(got).substr(at));
      ASSERT_EQ(frame.state, resp::reply_framer::status::complete) << got;
      at += frame.bytes;
    }
    if (framer.is_error() && framer.error_text().starts_with("ERR Protocol error")) {
      ++errors;
      EXPECT_FALSE(client.open);
    }
  }
  EXPECT_GT(errors, rounds / 4);
}

}  // namespace
}  // namespace tidegate::session::testing_support
