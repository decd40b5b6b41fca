// Random clients against a random upstream, from a seed: whatever happens, a reply reaches its own command and client,
// each command ends in exactly one of {reply, error, close}, the books agree with what ran, and nothing is left.
//
// A failure names its seed; TIDEGATE_SEED=n runs that one alone. The long form (TIDEGATE_LONG) runs seeds until each of
// the four ways has had its share of ten million exchanges; ctest runs the ways side by side.
#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <iostream>

#include "fake_world.hpp"
#include "resp/reply_framer.hpp"

namespace tidegate::session::testing_support {
namespace {

const std::string lost_error = "-ERR upstream connection lost; the command may have been applied\r\n";
const std::string unavailable_error = "-ERR upstream unavailable\r\n";

struct expectation {
  std::string exact;  // the only true reply; empty = any reply whose first byte is in `kinds`
  std::string kinds;
  bool queued = false;    // inside MULTI: QUEUED, or an error
  bool executes = false;  // EXEC: an array of `texts` elements, in order, or nil, or an error
  std::vector<std::string> texts;
};

struct actor {
  fake_socket* socket = nullptr;
  int number = 0;
  std::deque<expectation> due;
  resp::reply_framer framer;
  std::string frame;  // of the reply that is arriving
  bool in_multi = false, quits = false;
  std::vector<std::string> texts;  // of the open transaction
  std::uint64_t sent = 0;
};

struct way {
  const char* name;
  bool losses = false;   // connections are lost, connects refused, the upstream moves
  bool rejects = false;  // a limit rejects some, delays others, and reloads change it
};

class simulation {
 public:
  simulation(std::uint64_t seed, const way& how)
      : losses_(how.losses),
        rejects_(how.rejects),
        seed_(seed),
        world_([&](config::config& c) { configure(c, seed, rejects_, 0); }, seed) {
    world_.chaotic = true;
  }

  [[nodiscard]] std::uint64_t rejected() const { return rejected_; }

  // Exchanges that were answered.
  std::uint64_t run(int steps) {
    for (int i = 0; i < 6; ++i) add_actor();
    for (int step = 0; step < steps && !testing::Test::HasFailure(); ++step) one_step();
    world_.refuse_connects = world_.hold_connects = false;
    world_.advance(20 * second);
    for (actor& a : actors_) check_received(a);
    feed_blocked();
    if (testing::Test::HasFailure()) return answered_;
    for (const actor& a : actors_) {
      if (a.socket->open) {
        EXPECT_TRUE(a.due.empty()) << "client " << a.number << " still waits for " << a.due.size() << " of " << a.sent
                                   << " replies";
      }
    }
    const std::uint64_t unknown = world_.engine->stats().writes_unknown.load();
    world_.expect_nothing_left();
    EXPECT_EQ(world_.booking_difference(unknown), "");
    return answered_;
  }

 private:
  std::uint64_t pick(std::uint64_t n) { return world_.random() % n; }

  // Whoever is blocked for an item gets one, until nobody is.
  void feed_blocked() {
    fake_socket& feeder = world_.connect_client("10.0.0.9");
    for (int round = 0; round < 500; ++round) {
      bool waiting = false;
      for (const actor& a : actors_) waiting = waiting || (a.socket->open && !a.due.empty());
      if (!waiting) return;
      for (int db = 0; db < 3; ++db) {
        feeder.send("SELECT " + std::to_string(db) + "\r\nRPUSH q0 x\r\nRPUSH q1 x\r\nRPUSH q2 x\r\n");
      }
      world_.advance(50 * millisecond);
      for (actor& a : actors_) check_received(a);
    }
  }

  static void configure(config::config& c, std::uint64_t seed, bool rejects, std::uint64_t reload) {
    if (rejects) {
      config::limit_rule rule;
      rule.name = "third";
      rule.rate = 300 + 500 * static_cast<double>(reload % 4);
      rule.burst = 20;
      rule.action = config::limit_action::reject;
      rule.match_commands = {"set", "sadd"};
      if (reload % 5 != 4) c.limits.push_back(rule);  // … and now and then there is none
    }
    if (seed % 3 == 0) {
      config::limit_rule rule;
      rule.name = "cap";
      rule.rate = 2000;
      rule.burst = 50;
      rule.max_delay = std::chrono::milliseconds(60'000);
      rule.match_commands = {"incr", "append"};
      c.limits.push_back(rule);
    }
    if (seed % 4 == 1) c.upstream.pooling = config::pooling::session;
    c.upstream.lanes = 1 + static_cast<std::uint32_t>(seed % 2);
    c.upstream.idle_dedicated = seed % 5 == 0 ? 1 : 32;
  }

  void add_actor() {
    actors_.emplace_back();
    actor& a = actors_.back();
    a.socket = &world_.connect_client("10.0.0." + std::to_string(1 + pick(5)));
    a.number = static_cast<int>(actors_.size());
  }

  void one_step() {
    for (actor& a : actors_) {
      if (a.socket->open && !a.socket->fin && !a.quits && a.due.size() < 300 && pick(3) == 0) {
        for (std::uint64_t n = 1 + pick(12); n-- > 0 && !a.quits;) speak(a);
      }
      if (a.socket->open && pick(700) == 0) a.socket->half_close();
      if (a.socket->open && pick(900) == 0) a.socket->abort();
    }
    if (losses_ && pick(150) == 0 && world_.upstreams() > 0)
      world_.lose_upstream(pick(world_.upstreams()), pick(2) == 0);
    if (losses_ && pick(400) == 0) world_.refuse_connects = !world_.refuse_connects;
    if (losses_ && pick(500) == 0) world_.state->address_generation.fetch_add(1);
    if (rejects_ && pick(250) == 0) {
      world_.reload([this](config::config& c) { configure(c, seed_, true, ++reloads_); });
    }
    const std::uint64_t turns = pick(4);
    for (std::uint64_t n = 0; n < turns; ++n) (void)world_.turn();
    if (pick(4) == 0) world_.now += static_cast<steady_ns>(pick(5 * millisecond));
    if (pick(200) == 0) world_.advance(static_cast<steady_ns>(pick(300 * millisecond)));
    for (actor& a : actors_) check_received(a);
    std::size_t open = 0;
    for (const actor& a : actors_) open += a.socket->open ? 1U : 0U;
    if (open < 6 && actors_.size() < 400) add_actor();
  }

  void say(actor& a, const words& args, expectation what) {
    ++a.sent;
    a.socket->send(args);
    a.due.push_back(std::move(what));
  }

  // A command whose reply can be no other command's: the text in it is this client's and this moment's.
  void say_unique(actor& a) {
    const std::string text = "c" + std::to_string(a.number) + "-" + std::to_string(a.sent) + std::string(pick(40), '.');
    const bool script = pick(12) == 0;
    const words args = script ? words{"EVAL", "x", "0", text} : words{"ECHO", text};
    if (a.in_multi) {
      a.texts.push_back(bulk(text));
      say(a, args, {.exact = {}, .kinds = {}, .queued = true, .executes = false, .texts = {}});
    } else {
      say(a, args, {.exact = bulk(text), .kinds = {}, .queued = false, .executes = false, .texts = {}});
    }
  }

  void say_write(actor& a) {
    const std::string key = "k" + std::to_string(pick(20));
    static const std::vector<words> writes{
        {"SET", "", "v"}, {"INCR", ""}, {"APPEND", "", "x"}, {"SADD", "", "m"}, {"DEL", ""}};
    words args = writes[pick(writes.size())];
    args[1] = key;
    if (a.in_multi) {
      a.texts.emplace_back();
      say(a, args, {.exact = {}, .kinds = {}, .queued = true, .executes = false, .texts = {}});
    } else {
      say(a, args, {.exact = {}, .kinds = ":+-", .queued = false, .executes = false, .texts = {}});
    }
  }

  void speak(actor& a) {
    switch (const std::uint64_t what = pick(40); what) {
      case 0:
        if (!a.in_multi) {
          say(a, {"MULTI"}, {.exact = "+OK\r\n", .kinds = {}, .queued = false, .executes = false, .texts = {}});
          a.in_multi = true;
          a.texts.clear();
          return;
        }
        [[fallthrough]];
      case 1:
      case 2:
        if (a.in_multi) {
          const bool runs = pick(4) != 0;
          a.in_multi = false;
          if (runs) {
            say(a, {"EXEC"}, {.exact = {}, .kinds = {}, .queued = false, .executes = true, .texts = a.texts});
          } else {
            say(a, {"DISCARD"}, {.exact = "+OK\r\n", .kinds = {}, .queued = false, .executes = false, .texts = {}});
          }
          return;
        }
        return say_unique(a);
      case 3:
        if (a.in_multi) return say_unique(a);
        return say(a, {"SELECT", std::to_string(pick(3))},
                   {.exact = "+OK\r\n", .kinds = {}, .queued = false, .executes = false, .texts = {}});
      case 4:
        if (a.in_multi) return say_unique(a);
        return say(a, {"WATCH", "k1"},
                   {.exact = "+OK\r\n", .kinds = {}, .queued = false, .executes = false, .texts = {}});
      case 5:
        if (a.in_multi) return say_unique(a);
        return say(a, {"UNWATCH"}, {.exact = "+OK\r\n", .kinds = {}, .queued = false, .executes = false, .texts = {}});
      case 6:
        if (a.in_multi) return say_unique(a);
        return say(a, {"CLIENT", "SETNAME", "n" + std::to_string(pick(4))},
                   {.exact = "+OK\r\n", .kinds = {}, .queued = false, .executes = false, .texts = {}});
      case 7:
        if (a.in_multi) return say_unique(a);
        return say(a, {"BLPOP", "q" + std::to_string(pick(3)), "0"},
                   {.exact = {}, .kinds = "*", .queued = false, .executes = false, .texts = {}});
      case 8:
      case 9:
      case 10:
        if (a.in_multi) return say_unique(a);
        return say(a, {"RPUSH", "q" + std::to_string(pick(3)), "x"},
                   {.exact = {}, .kinds = ":", .queued = false, .executes = false, .texts = {}});
      case 11:
        a.socket->send(pick(2) == 0 ? "\r\n" : "*0\r\n");
        return;
      case 12:
        if (pick(30) != 0) return say_unique(a);
        a.quits = true;
        return say(a, {"QUIT"}, {.exact = "+OK\r\n", .kinds = {}, .queued = false, .executes = false, .texts = {}});
      case 13:
        if (a.in_multi) return say_unique(a);
        return say(a, {"NONSENSE"}, {.exact = {}, .kinds = "-", .queued = false, .executes = false, .texts = {}});
      default:
        return what % 2 == 0 ? say_unique(a) : say_write(a);
    }
  }

  void check_received(actor& a) {
    std::string bytes = a.socket->take();
    std::string_view rest = bytes;
    while (!rest.empty()) {
      const auto found = a.framer.consume(rest);
      a.frame += rest.substr(0, found.bytes);
      rest.remove_prefix(found.bytes);
      if (found.state == resp::reply_framer::status::malformed) {
        ADD_FAILURE() << "client " << a.number << " got bytes that are no reply";
        return;
      }
      if (found.state == resp::reply_framer::status::incomplete) return;
      check_reply(a, std::exchange(a.frame, {}));
    }
  }

  void check_reply(actor& a, const std::string& reply) {
    if (a.due.empty()) {
      ADD_FAILURE() << "client " << a.number << " got a reply to nothing: " << reply;
      return;
    }
    const expectation want = std::move(a.due.front());
    a.due.pop_front();
    ++answered_;
    if (rejects_ && (reply.starts_with("-THROTTLED ") || (want.executes && reply.starts_with("-EXECABORT ")))) {
      ++rejected_;
      return;
    }
    const bool ours = reply == lost_error || reply == unavailable_error;
    if (ours) {
      EXPECT_TRUE(losses_) << reply;
      return;
    }
    const std::string about =
        "client " + std::to_string(a.number) + " wanted '" + want.exact + want.kinds + "', got " + reply;
    if (!want.exact.empty()) {
      // A MULTI that met no upstream leaves its commands to run by themselves, and EXEC and DISCARD to fail.
      EXPECT_TRUE(reply == want.exact || (losses_ && reply[0] == '-')) << about;
    } else if (want.queued) {
      EXPECT_TRUE(reply == "+QUEUED\r\n" || losses_) << about;
    } else if (want.executes) {
      if (reply[0] != '*') {
        EXPECT_TRUE(reply[0] == '-') << about;
        return;
      }
      if (reply == "*-1\r\n") return;
      std::size_t from = 0;
      for (const std::string& text : want.texts) {
        if (text.empty()) continue;
        const std::size_t at = reply.find(text, from);
        EXPECT_NE(at, std::string::npos) << about << " without " << text;
        from = at;
      }
    } else {
      EXPECT_NE(want.kinds.find(reply[0]), std::string::npos) << about;
    }
  }

  bool losses_, rejects_;
  std::uint64_t seed_ = 0, reloads_ = 0, rejected_ = 0;
  fake_world world_;
  std::deque<actor> actors_;
  std::uint64_t answered_ = 0;
};

constexpr std::uint64_t seeds_short = 12;
constexpr std::uint64_t exchanges_long = 2'500'000;  // of each way

class Simulation : public testing::TestWithParam<way> {};

TEST_P(Simulation, EveryReplyIsItsCommandsAndTheBooksAgree) {
  const char* only = std::getenv("TIDEGATE_SEED");
  const bool is_long = std::getenv("TIDEGATE_LONG") != nullptr;
  std::uint64_t answered = 0;
  std::uint64_t rejected = 0;
  const std::uint64_t first = only != nullptr ? std::strtoull(only, nullptr, 10) : 1;
  std::uint64_t seed = first;
  for (; only != nullptr ? seed == first : is_long ? answered < exchanges_long : seed <= seeds_short; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    simulation one(seed, GetParam());
    answered += one.run(1'200);
    rejected += one.rejected();
    ASSERT_FALSE(HasFailure()) << "TIDEGATE_SEED=" << seed;
  }
  RecordProperty("exchanges", std::to_string(answered));
  if (is_long) std::cout << answered << " exchanges, " << seed - first << " seeds, " << rejected << " rejected\n";
  if (only != nullptr) return;
  EXPECT_GE(answered, is_long ? exchanges_long : 60'000U) << "the simulator became too quiet to prove anything";
  EXPECT_EQ(rejected > 0, GetParam().rejects);
}

INSTANTIATE_TEST_SUITE_P(Upstream, Simulation,
                         testing::Values(way{"ThatStays"}, way{"ThatIsLostAtTimes", true},
                                         way{"ThatStaysBehindALimitThatRejects", false, true},
                                         way{"ThatIsLostAtTimesBehindALimitThatRejects", true, true}),
                         [](const auto& how) { return how.param.name; });

}  // namespace
}  // namespace tidegate::session::testing_support
