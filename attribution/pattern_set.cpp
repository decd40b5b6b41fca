#include "attribution/pattern_set.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>

namespace tidegate::attribution {

static_assert(std::endian::native == std::endian::little, "same_bytes() masks as little endian machines load");

// A part of by_prefix_ whose globs share the prefix of `node`, which is `depth` long.
struct pattern_set::span {
  std::uint32_t node, begin, end;
  std::size_t depth;
};

bool pattern_set::better(std::uint32_t left, std::uint32_t right) const noexcept {
  const std::size_t l = globs_[left].literal_size();
  const std::size_t r = globs_[right].literal_size();
  return l != r ? l > r : left < right;
}

pattern_set::pattern_set(const std::vector<std::string>& globs) {
  globs_.reserve(globs.size());
  for (const auto& text : globs) globs_.emplace_back(text);
  by_prefix_.resize(globs_.size());
  std::iota(by_prefix_.begin(), by_prefix_.end(), 0U);
  std::sort(by_prefix_.begin(), by_prefix_.end(), [this](std::uint32_t left, std::uint32_t right) {
    const int order = globs_[left].literal_prefix().compare(globs_[right].literal_prefix());
    return order != 0 ? order < 0 : better(left, right);
  });
  if (by_prefix_.empty()) return;

  // An explicit stack: nested prefixes (a, aa, aaa, …) would make recursion as deep as the configuration is long.
  nodes_.emplace_back();
  first_bytes_.push_back('\0');
  std::vector<span> open{{0, 0, static_cast<std::uint32_t>(by_prefix_.size()), 0}};
  while (!open.empty()) {
    const span part = open.back();
    open.pop_back();
    fill(part, open);
  }
  edges_.append(sizeof(std::uint64_t), '\0');  // see same_bytes()
  for (node& here : nodes_) {
    settle(here);
    tabulate(here);
  }
}

// Where the best glob here is `prefix*`, it matches whatever comes this far; above there may be a better one all the
// same.
void pattern_set::settle(node& here) const noexcept {
  if (here.here_count == 0) return;
  const std::uint32_t best = by_prefix_[here.here_begin];
  const glob& first = globs_[best];
  const bool takes_all = first.pattern().size() == first.literal_prefix().size() + 1 && first.pattern().back() == '*';
  if (takes_all && (here.above_best == npos || better(best, here.above_best))) here.settled = best;
}

void pattern_set::tabulate(node& here) {
  if (here.child_count <= children_without_table || here.child_count > 255) return;
  here.table = static_cast<std::uint32_t>(tables_.size());
  tables_.resize(tables_.size() + 256, 0);
  for (std::uint32_t i = 0; i < here.child_count; ++i) {
    tables_[here.table + static_cast<unsigned char>(first_bytes_[here.child_begin + i])] =
        static_cast<std::uint8_t>(i + 1);
  }
}

// Sorted, the globs that end at this node come first; the others fall into one child for each next byte.
void pattern_set::fill(const span& part, std::vector<span>& open) {
  const auto prefix = [this](std::uint32_t place) { return globs_[by_prefix_[place]].literal_prefix(); };
  std::uint32_t at = part.begin;
  while (at < part.end && prefix(at).size() == part.depth) ++at;
  nodes_[part.node].here_begin = part.begin;
  nodes_[part.node].here_count = at - part.begin;
  nodes_[part.node].child_begin = static_cast<std::uint32_t>(nodes_.size());

  const node parent = nodes_[part.node];
  const std::uint32_t above = parent.here_count > 0 ? part.node : parent.above;
  std::uint32_t best = parent.above_best;
  if (parent.here_count > 0 && (best == npos || better(by_prefix_[part.begin], best))) best = by_prefix_[part.begin];

  while (at < part.end) {
    const char byte = prefix(at)[part.depth];
    std::uint32_t end = at + 1;
    while (end < part.end && prefix(end)[part.depth] == byte) ++end;
    // Sorted, so what the first and the last share, all share.
    const std::string_view first = prefix(at), last = prefix(end - 1);
    std::size_t depth = part.depth + 1;
    while (depth < first.size() && depth < last.size() && first[depth] == last[depth]) ++depth;

    node child;
    child.edge_begin = static_cast<std::uint32_t>(edges_.size());
    child.edge_size = static_cast<std::uint32_t>(depth - part.depth);
    child.above = above;
    child.above_best = best;
    edges_.append(first.substr(part.depth, depth - part.depth));
    open.push_back({static_cast<std::uint32_t>(nodes_.size()), at, end, depth});
    nodes_.push_back(child);
    first_bytes_.push_back(byte);
    at = end;
  }
  nodes_[part.node].child_count = static_cast<std::uint32_t>(nodes_.size()) - nodes_[part.node].child_begin;
}

std::uint32_t pattern_set::child_of(const node& here, char first) const noexcept {
  if (here.table != npos) {
    const std::uint32_t found = tables_[here.table + static_cast<unsigned char>(first)];
    return found == 0 ? npos : here.child_begin + found - 1;
  }
  for (std::uint32_t i = here.child_begin; i < here.child_begin + here.child_count; ++i) {
    if (first_bytes_[i] == first) return i;
  }
  return npos;
}

// Edges are short: eight bytes at once where the key has as many, and edges_ has them always.
bool pattern_set::same_bytes(std::string_view key, const char* edge, std::uint32_t size) noexcept {
  std::uint32_t at = 0;
  for (; at < size && key.size() - at >= sizeof(std::uint64_t); at += sizeof(std::uint64_t)) {
    std::uint64_t left = 0, right = 0;
    std::memcpy(&left, key.data() + at, sizeof(left));
    std::memcpy(&right, edge + at, sizeof(right));
    const std::uint32_t rest = size - at;
    // The first byte is the lowest one (little endian); the bytes behind the edge do not count.
    const std::uint64_t counted = rest >= sizeof(left) ? ~std::uint64_t{0} : (std::uint64_t{1} << (8 * rest)) - 1;
    if (((left ^ right) & counted) != 0) return false;
  }
  while (at < size && key[at] == edge[at]) ++at;
  return at >= size;
}

// The node of the longest literal prefix that the key begins with.
std::uint32_t pattern_set::deepest(std::string_view key, std::uint32_t& steps) const noexcept {
  std::uint32_t at = 0;
  while (!key.empty()) {
    const std::uint32_t next = child_of(nodes_[at], key.front());
    if (next == npos) break;
    const node& child = nodes_[next];
    // Where it branches often an edge is the one byte that led here.
    if (key.size() < child.edge_size) break;
    if (child.edge_size > 1 && !same_bytes(key, edges_.data() + child.edge_begin, child.edge_size)) break;
    key.remove_prefix(child.edge_size);
    at = next;
    ++steps;
  }
  return at;
}

std::uint32_t pattern_set::longest(std::string_view key, std::uint32_t& steps) const noexcept {
  if (nodes_.empty()) return npos;
  std::uint32_t best = npos;
  // Deeper is not always better (`a*bcdef` against `abc*`), hence up the path until nothing above can win.
  for (std::uint32_t at = deepest(key, steps); at != npos; at = nodes_[at].above) {
    const node& here = nodes_[at];
    ++steps;
    if (best == npos && here.settled != npos) return here.settled;
    for (std::uint32_t i = 0; i < here.here_count; ++i) {
      const std::uint32_t candidate = by_prefix_[here.here_begin + i];
      if (best != npos && !better(candidate, best)) break;
      ++steps;
      if (globs_[candidate].matches(key)) {
        best = candidate;
        break;
      }
    }
    if (here.above_best == npos || (best != npos && !better(here.above_best, best))) break;
  }
  return best;
}

}  // namespace tidegate::attribution
