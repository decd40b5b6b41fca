#include <algorithm>
#include <numeric>

#include "config/reading.hpp"

namespace tidegate::config {
namespace {

constexpr std::size_t compared_max = 40;  // keys of ours are shorter: a longer one is near none of them

char folded(char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
  return c == '-' ? '_' : c;
}

// Edits (insert, delete, change, swap of neighbours) that turn one into the other.
std::size_t distance(std::string_view a, std::string_view b) {
  std::array<std::size_t, compared_max + 1> before{}, last{}, now{};
  std::iota(last.begin(), last.begin() + static_cast<std::ptrdiff_t>(b.size()) + 1, std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = folded(a[i - 1]) == folded(b[j - 1]);
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + (same ? 0U : 1U)});
      if (i > 1 && j > 1 && folded(a[i - 1]) == folded(b[j - 2]) && folded(a[i - 2]) == folded(b[j - 1])) {
        now[j] = std::min(now[j], before[j - 2] + 1);
      }
    }
    before = last;
    last = now;
  }
  return last[b.size()];
}

}  // namespace

std::string_view nearest(std::string_view name, std::span<const std::string_view> known) {
  if (name.empty() || name.size() > compared_max) return {};
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(1, name.size() / 3) + 1;
  for (const std::string_view one : known) {
    if (one.size() > compared_max) continue;
    const std::size_t d = distance(name, one);
    if (d < best_distance) {
      best_distance = d;
      best = one;
    }
  }
  if (!best.empty()) return best;
  // `cert` for certificate, `pass` for password
  for (const std::string_view one : known) {
    if (name.size() >= 3 && (one.starts_with(name) || name.starts_with(one))) return one;
  }
  return {};
}

}  // namespace tidegate::config
