#include "evidence/simulate/suggestion.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace tidegate::simulate {
namespace {

constexpr std::size_t clients_max = 8;  // more budgets than this are no plan
constexpr double rate_least = 1024, rate_most = 1e9;
constexpr double narrow_enough = 1.03;  // of the bisection: 3 %
constexpr double pressure_margin = 0.10;
constexpr double delay_ceiling = 86'400;

struct plan {
  std::vector<std::string> clients;
  double rate = 0;
  bool pressed = false;
  double from = 0, to = 0;
  double max_delay = delay_ceiling;
};

// A client's name is text, a match is a glob: there is no escape, so its own stars match themselves among others.
config::limit_rule rule_for(const plan& how, const std::string& client, std::size_t number) {
  config::limit_rule rule;
  rule.name = "budget-" + std::to_string(number + 1);
  rule.match_client = client;
  rule.cost = config::limit_cost::byte;
  rule.per = config::limit_per::client;
  rule.rate = how.rate;
  rule.burst = std::max(how.rate, 1.0);
  rule.max_delay = std::chrono::milliseconds(std::llround(how.max_delay * 1000));
  if (how.pressed) rule.memory = config::memory_pressure{.from = how.from, .to = how.to, .floor = 0.1};
  return rule;
}

std::string yaml_of(const plan& how) {
  std::string out = "limits:\n";
  for (std::size_t i = 0; i < how.clients.size(); ++i) {
    std::string quoted;
    for (const char one : how.clients[i]) {
      if (one == '"' || one == '\\') quoted += '\\';
      quoted += one;
    }
    std::array<char, 512> text{};
    std::snprintf(text.data(), text.size(),
                  "  - name: budget-%zu\n    match: { client: \"%s\" }\n    cost: byte\n    rate: %lldB/s\n"
                  "    burst: %lldB\n    max_delay: %llds\n",
                  i + 1, quoted.c_str(), std::llround(how.rate), std::llround(how.rate), std::llround(how.max_delay));
    out += text.data();
    if (how.pressed) {
      std::snprintf(text.data(), text.size(), "    memory: { from: %.1f%%, to: %.1f%%, floor: 10%% }\n", 100 * how.from,
                    100 * how.to);
      out += text.data();
    }
  }
  return out;
}

class search {
 public:
  search(const traffic& from, std::shared_ptr<const config::config> base, const memory_facts& memory, double limit)
      : from_(from), base_(std::move(base)), memory_(memory), limit_(limit) {}

  [[nodiscard]] std::expected<outcome, std::string> run(const plan& how) const {
    auto with = std::make_shared<config::config>(*base_);
    for (std::size_t i = 0; i < how.clients.size(); ++i) with->limits.push_back(rule_for(how, how.clients[i], i));
    return simulate(from_, with, memory_);
  }
  [[nodiscard]] std::expected<bool, std::string> holds(const plan& how) const {
    const auto told = run(how);
    if (!told) return std::unexpected(told.error());
    return told->peak_after <= limit_;
  }
  // Widens the plan's rate as far as it holds; it holds at rate_least.
  [[nodiscard]] std::expected<void, std::string> widen(plan& how) const {
    double low = rate_least, high = rate_most;
    while (high / low > narrow_enough) {
      how.rate = std::sqrt(low * high);
      const auto held = holds(how);
      if (!held) return std::unexpected(held.error());
      (*held ? low : high) = how.rate;
    }
    how.rate = std::floor(low);
    return {};
  }

 private:
  const traffic& from_;
  std::shared_ptr<const config::config> base_;
  memory_facts memory_;
  double limit_;
};

std::string percent_text(double share) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f %%", 100 * share);
  return text.data();
}

}  // namespace

std::expected<suggestion, std::string> suggest(const traffic& from, std::shared_ptr<const config::config> base,
                                               const memory_facts& memory, double under) {
  if (memory.maxmemory == 0 || memory.used_before <= 0) {
    return std::unexpected(
        "what is under what is not known: give --maxmemory and --used-before, or a ledger that saw the same time");
  }
  const double limit = under * static_cast<double>(memory.maxmemory);
  if (memory.used_before > limit) {
    return std::unexpected("the upstream used " +
                           percent_text(memory.used_before / static_cast<double>(memory.maxmemory)) +
                           " before the first of these writes: no limit on them keeps it under " + percent_text(under));
  }
  const search with(from, base, memory, limit);
  auto bare = with.run({});
  if (!bare) return std::unexpected(bare.error());
  suggestion made;
  made.before = *bare;
  made.after = std::move(*bare);
  if (made.after.peak_after <= limit) {
    made.needed = false;
    return made;
  }
  plan flat;
  flat.rate = rate_least;
  bool held = false;
  for (std::size_t i = 0; i < std::min(made.before.clients.size(), clients_max) && !held; ++i) {
    flat.clients.push_back(made.before.clients[i].client);
    const auto enough = with.holds(flat);
    if (!enough) return std::unexpected(enough.error());
    held = *enough;
  }
  if (!held) {
    return std::unexpected("budgets for the " + std::to_string(flat.clients.size()) +
                           " largest writers do not keep it under " + percent_text(under) +
                           ": the growth comes from many, or from elsewhere");
  }
  plan pressed = flat;
  pressed.pressed = true;
  pressed.to = under;
  pressed.from = std::max(under - pressure_margin, 0.01);
  std::vector<std::pair<plan, outcome>> found;
  for (plan* one : {&flat, &pressed}) {
    if (const auto done = with.widen(*one); !done) return std::unexpected(done.error());
    auto told = with.run(*one);
    if (!told) return std::unexpected(told.error());
    if (told->peak_after <= limit) found.emplace_back(*one, std::move(*told));
  }
  if (found.empty()) return std::unexpected("no budget that holds was found between 1 KiB/s and 1 GB/s");
  auto& best = *std::ranges::min_element(found, {}, [](const auto& one) { return one.second.waited_seconds; });
  // So that nobody is refused whom the budget would have let through in time.
  double longest = 0;
  for (const limit_line& one : best.second.limits) longest = std::max(longest, one.longest_seconds);
  best.first.max_delay = std::clamp(std::ceil(longest * 1.5), 2.0, delay_ceiling);
  made.clients = best.first.clients;
  made.bytes_per_second = best.first.rate;
  made.by_pressure = best.first.pressed;
  made.pressure_from = best.first.from;
  made.pressure_to = best.first.to;
  made.max_delay_seconds = best.first.max_delay;
  made.after = std::move(best.second);
  made.yaml = yaml_of(best.first);
  return made;
}

}  // namespace tidegate::simulate
