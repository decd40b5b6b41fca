// What the next reply must be, and the judge of it as its bytes come in.
//
// Every value names its key, its owner and its number, and is otherwise made of noise that only that number gives: a
// reply that belongs to another command or client differs in its first bytes, one that was mixed up in the middle
// further on. Large values are compared as they arrive and never kept.
//
// Thread safety: none.
// Ownership: values.
// Invariants: a reply is right, an error that the case allows, or wrong; nothing is skipped.
// Cost: one comparison a byte.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tidegate::torture {

// A value is its head (who, which key, what number, how long) and then noise.
struct value {
  std::string head;
  std::uint32_t noise_from = 0;
  std::size_t noise_bytes = 0;

  [[nodiscard]] std::size_t size() const { return head.size() + noise_bytes; }
};
[[nodiscard]] value make_value(std::string_view key, std::uint64_t number, std::size_t bytes);
// Appends it as a bulk string.
void append_bulk(std::string& out, const value& what);
void append_bulk(std::string& out, std::string_view text);

// The bytes of one true answer, in parts.
class answer {
 public:
  answer& text(std::string_view bytes);
  answer& bulk(const value& what);
  answer& bulk(std::string_view bytes);

  // How many of `bytes`, which come at offset `at` of the reply, agree: all, or fewer where they differ or it ends.
  [[nodiscard]] std::size_t agree(std::size_t at, std::string_view bytes) const;
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::string excerpt() const;

 private:
  struct part {
    std::string literal;
    std::uint32_t noise_from = 0;
    std::size_t noise_bytes = 0;
    std::size_t begins = 0;
  };
  std::vector<part> parts_;
  std::size_t size_ = 0;
};

}  // namespace tidegate::torture
