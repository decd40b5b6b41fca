#include "evidence/simulate/books.hpp"

#include <algorithm>

#include "evidence/simulate/simulator.hpp"

namespace tidegate::simulate {
namespace {

template <class Map, class Line>
void move_sorted(Map& from, std::vector<Line>& to, auto weight) {
  for (auto& [key, line] : from) to.push_back(std::move(line));
  std::ranges::stable_sort(to, std::greater<>(), weight);
}

}  // namespace

client_line& books::of_client(std::string_view client) {
  auto found = clients_.find(client);
  if (found == clients_.end()) {
    found = clients_.emplace(std::string(client), client_line{}).first;
    found->second.client = client;
  }
  return found->second;
}

limit_line& books::of_limit(std::string_view client, std::string_view rule) {
  limit_line& line = limits_[{std::string(client), std::string(rule)}];
  if (line.rule.empty()) {
    line.client = client;
    line.rule = rule;
  }
  return line;
}

void books::came(std::string_view client, std::uint64_t bytes, std::int64_t at_ms) {
  if (sums_.commands == 0) sums_.from_ms = at_ms;
  sums_.until_ms = std::max(sums_.until_ms, at_ms);
  ++sums_.commands;
  sums_.bytes += bytes;
  client_line& line = of_client(client);
  ++line.commands;
  line.bytes += bytes;
}

void books::limited(std::string_view client, std::string_view rule, limit_word what) {
  limit_line& line = of_limit(client, rule);
  switch (what) {
    case limit_word::delayed:
      ++line.delayed;
      ++sums_.delayed;
      break;
    case limit_word::rejected:
      ++line.rejected;
      ++sums_.rejected;
      break;
    case limit_word::observed:
      ++line.observed;
      ++sums_.observed;
      break;
  }
}

void books::waited(std::string_view client, std::string_view rule, double seconds) {
  limit_line& line = of_limit(client, rule);
  line.waited_seconds += seconds;
  line.longest_seconds = std::max(line.longest_seconds, seconds);
  of_client(client).waited_seconds += seconds;
  sums_.waited_seconds += seconds;
}

void books::ended(std::string_view client, double seconds_late) {
  client_line& line = of_client(client);
  line.ends_later_seconds = std::max(line.ends_later_seconds, seconds_late);
}

void books::timed(std::string_view pattern, std::string_view command, ttl_word what) {
  ttl_line& line = ttl_[{std::string(pattern), std::string(command)}];
  if (line.pattern.empty()) {
    line.pattern = pattern;
    line.command = command;
  }
  switch (what) {
    case ttl_word::injected:
      ++line.injected;
      ++sums_.injected;
      break;
    case ttl_word::capped:
      ++line.capped;
      ++sums_.capped;
      break;
    case ttl_word::observed:
      ++line.observed;
      ++sums_.ttl_observed;
      break;
    case ttl_word::refused:
      ++line.refused;
      ++sums_.refused;
      break;
  }
}

void books::remember(std::int64_t at_ms, double before, double after) {
  if (before > sums_.peak_before || sums_.memory.empty()) {
    sums_.peak_before = before;
    sums_.peak_before_ms = at_ms;
  }
  if (after > sums_.peak_after || sums_.memory.empty()) {
    sums_.peak_after = after;
    sums_.peak_after_ms = at_ms;
  }
  if (seen_++ % every_ != 0) return;
  sums_.memory.push_back({at_ms, before, after});
  if (sums_.memory.size() < memory_points_max) return;
  // Every other point goes, and from now on half as many come.
  for (std::size_t i = 0; 2 * i < sums_.memory.size(); ++i) sums_.memory[i] = sums_.memory[2 * i];
  sums_.memory.resize((sums_.memory.size() + 1) / 2);
  every_ *= 2;
}

outcome books::close() {
  move_sorted(clients_, sums_.clients, &client_line::bytes);
  move_sorted(limits_, sums_.limits, [](const limit_line& one) { return one.delayed + one.rejected + one.observed; });
  move_sorted(ttl_, sums_.ttl,
              [](const ttl_line& one) { return one.injected + one.capped + one.observed + one.refused; });
  return std::move(sums_);
}

}  // namespace tidegate::simulate
