// A YAML text as a bounded tree that keeps what a checker needs: the line of every key, and keys that stand twice.
//
// Thread safety: parse_document is reentrant; a document is immutable afterwards. Ownership: nodes live in the
// document. Invariants: (1) at most `nodes_max` nodes with every alias expanded, at most `depth_max` levels, one
// document; (2) every key is a scalar; (3) errors quote no value, which might be a secret. Cost: linear in the text.
#pragma once

#include <cstdint>
#include <deque>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace tidegate::config {

inline constexpr std::size_t text_bytes_max = 4U << 20;
inline constexpr std::uint64_t nodes_max = 100'000;
inline constexpr std::size_t depth_max = 32;

enum class node_kind : std::uint8_t { null, scalar, sequence, mapping };

struct node {
  struct entry {
    std::string key;
    std::uint32_t line = 0;
    const node* value = nullptr;
  };
  node_kind kind = node_kind::null;
  std::uint32_t line = 0;    // 1-based
  std::uint64_t weight = 1;  // nodes at and below this one, aliases expanded
  std::string text;
  std::vector<const node*> items;
  std::vector<entry> entries;
};

struct document {
  std::deque<node> nodes;
  const node* root = nullptr;  // null: the text holds nothing
};

struct syntax_mistake {
  std::uint32_t line = 0;
  std::string text;
};

[[nodiscard]] std::expected<document, syntax_mistake> parse_document(std::string_view yaml);

}  // namespace tidegate::config
