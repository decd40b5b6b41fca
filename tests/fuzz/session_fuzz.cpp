// Eight clients, a model of the upstream and a clock, led by the bytes: whatever they do, the machine neither breaks
// its own rules nor keeps anything of a client that is gone, and unless the upstream itself talked nonsense the books
// hold what it ran.
//
// The input: a byte that chooses the configuration, a byte that seeds splits and delays, then events, each an opcode
// byte with its operands (see `step`). Seeds are written by seeds.cpp.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "fake_world.hpp"

namespace tidegate::session::testing_support {
namespace {

constexpr std::size_t clients_max = 8;
constexpr int events_max = 400;  // then the input has said enough

class driver {
 public:
  driver(std::string_view input)
      : left_(input.substr(2)),
        variant_(static_cast<std::uint8_t>(input[0])),
        world_([this](config::config& c) { configure(c, variant_); }, static_cast<std::uint8_t>(input[1])) {
    world_.chaotic = (variant_ & 0x80) != 0;
  }

  void run() {
    for (int i = 0; i < events_max && !left_.empty(); ++i) step();
    world_.refuse_connects = world_.hold_connects = world_.hold_replies = false;
    for (auto& client : world_.clients) world_.give_room(*client, SIZE_MAX);
    world_.expect_nothing_left();
  }

 private:
  std::uint8_t byte() {
    if (left_.empty()) return 0;
    const auto value = static_cast<std::uint8_t>(left_[0]);
    left_.remove_prefix(1);
    return value;
  }

  std::string_view text() {
    const std::size_t size = std::min<std::size_t>(byte(), left_.size());
    const std::string_view found = left_.substr(0, size);
    left_.remove_prefix(size);
    return found;
  }

  static void configure(config::config& c, std::uint8_t variant) {
    if ((variant & 1) != 0) c.upstream.pooling = config::pooling::session;
    if ((variant & 2) != 0) {
      config::limit_rule rule;
      rule.name = "few";
      rule.rate = 100;
      rule.burst = 5;
      rule.match_commands = {"write"};
      rule.action = (variant & 4) != 0 ? config::limit_action::reject : config::limit_action::delay;
      c.limits.push_back(rule);
    }
    if ((variant & 8) != 0) {
      c.ttl.push_back({.pattern = "k*",
                       .default_ttl = std::chrono::milliseconds(60'000),
                       .max_ttl = std::chrono::milliseconds(600'000),
                       .jitter = 0.1,
                       .require = (variant & 16) != 0,
                       .mode = config::ttl_mode::enforce,
                       .line = 1});
    }
    if ((variant & 32) != 0) c.users.push_back({.name = "job", .password = "secret"});
    if ((variant & 32) != 0) c.upstream.auth = config::credentials{};
    if ((variant & 64) != 0) c.memory.session = 4096;
  }

  fake_socket& client(std::size_t index) {
    fake_socket*& found = clients_[index % clients_max];
    if (found == nullptr || !found->open) found = &world_.connect_client("10.0.0." + std::to_string(1 + index % 3));
    return *found;
  }

  // A command of the table with arguments that other commands use too.
  void say_command(fake_socket& from) {
    const auto all = resp::builtin_commands();
    const std::size_t id = (byte() | static_cast<std::size_t>(byte()) << 8U) % all.size();
    static constexpr std::array<std::string_view, 16> pool{"k1", "k2",  "k3",    "1",  "0",   "v",   "EX",    "10",
                                                           "NX", "GET", "BLOCK", "ON", "OFF", "1.5", "STORE", ""};
    words args;
    std::string_view name = all[id].name;
    while (!name.empty()) {
      const std::size_t bar = std::min(name.find('|'), name.size());
      args.emplace_back(name.substr(0, bar));
      name.remove_prefix(std::min(bar + 1, name.size()));
    }
    if (args.empty()) args.emplace_back("nonsense");
    for (std::size_t n = byte() % 8U; n-- > 0;) args.emplace_back(pool[byte() % pool.size()]);
    from.send(args);
  }

  void step() {
    const std::uint8_t op = byte();
    if (op < 0x80) {
      act(client(op & 7U), op >> 3U);
    } else {
      happen(op & 31U);
    }
  }

  void act(fake_socket& who, unsigned what) {
    if (what < 4) return who.send(text());
    if (what < 12) return say_command(who);
    if (what == 12) return who.half_close();
    if (what == 13) return who.abort();
    world_.give_room(who, what == 14 ? byte() * std::size_t{16} : SIZE_MAX);
  }

  void happen(unsigned what) {
    const std::size_t upstreams = world_.upstreams();
    if (what < 8) {
      for (unsigned n = 0; n <= what; ++n) (void)world_.turn();
    } else if (what < 12) {
      world_.advance(millisecond << (3U * (what - 8)));
    } else if (what == 12) {
      world_.advance(20 * second);
    } else if (what == 13 && upstreams > 0) {
      const std::size_t index = byte() % upstreams;
      world_.lose_upstream(index, (byte() & 1U) != 0);
    } else if (what == 14) {
      world_.lose_all_upstreams();
    } else if (what == 15) {
      world_.refuse_connects = !world_.refuse_connects;
    } else if (what == 16) {
      world_.hold_connects = !world_.hold_connects;
    } else if (what == 17) {
      world_.hold_replies = !world_.hold_replies;
    } else if (what == 18) {
      world_.reload([variant = byte()](config::config& c) { configure(c, variant); });
    } else if (what == 19 && upstreams > 0) {
      talk_nonsense(world_.upstream(byte() % upstreams));
    } else if (what == 20) {
      world_.state->address_generation.fetch_add(1);
    } else if (what == 21) {
      world_.engine->post_drain();
    }
  }

  // Bytes that no command of anybody asked for.
  void talk_nonsense(fake_socket& upstream) {
    const std::string_view nonsense = text();
    if (upstream.open) world_.redis.at(upstream.link).out += nonsense;
  }

  std::string_view left_;
  std::uint8_t variant_;
  fake_world world_;
  std::array<fake_socket*, clients_max> clients_{};
};

// What the model's expectations find wrong becomes the fuzzer's finding.
class abort_on_failure : public testing::EmptyTestEventListener {
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (!result.failed()) return;
    std::fprintf(stderr, "%s:%d: %s\n", result.file_name(), result.line_number(), result.message());
    std::abort();
  }
};

bool listen_for_failures() {
  testing::UnitTest::GetInstance()->listeners().Append(new abort_on_failure);
  return true;
}

}  // namespace
}  // namespace tidegate::session::testing_support

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  [[maybe_unused]] static const bool listening = tidegate::session::testing_support::listen_for_failures();
  if (size < 3) return 0;
  tidegate::session::testing_support::driver({reinterpret_cast<const char*>(bytes), size}).run();
  return 0;
}
