// The pattern of a key that no configured pattern knows; contract in pattern_set.hpp.
//
// A key is cut into sections by the strong separators (: / | { } #), which people use to structure keys, and a section
// into segments by the weak ones (. - _), which also stand inside ids: in UUIDs, dates, host addresses, base64url.
#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "attribution/pattern_set.hpp"

namespace tidegate::attribution {

namespace {

constexpr bool is_strong(char c) noexcept {
  return c == ':' || c == '/' || c == '|' || c == '{' || c == '}' || c == '#';
}
constexpr bool is_weak(char c) noexcept {
  return c == '.' || c == '-' || c == '_';
}
constexpr bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
constexpr bool is_lower(char c) noexcept {
  return c >= 'a' && c <= 'z';
}
constexpr bool is_upper(char c) noexcept {
  return c >= 'A' && c <= 'Z';
}
constexpr bool is_letter(char c) noexcept {
  return is_lower(c) || is_upper(c);
}
constexpr char lowered(char c) noexcept {
  return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c;
}

// How often a letter follows another in English identifiers and in pinyin: 0 (never) to 3 (often), two bits a pair, one
// word for each first letter, `a` in the lowest bits. Words average 2.4 a pair, random letters 1.4.
constexpr std::array<std::uint64_t, 26> pair_scores{
    0x65afcefe775fd, 0x50a6865c61657, 0x51aec76f6d767, 0x55a6965975b9b, 0xae9feefd66ffb, 0x50aa875831a56,
    0x50a6c69829756, 0x50a9875531357, 0x88afdbfd53bff, 0x00a1020120242, 0x51a6465565356, 0x70aa475d35797,
    0x50a64f653175b, 0x55af979a77bf7, 0x56bfcefe669fa, 0x61aecb5d29757, 0x00a1020420202, 0x61afcbaa367a7,
    0xa1bf9f6a3d7b7, 0xb5abcb693dba7, 0x544fcaed22a6a, 0x1005451420317, 0x00a5464425642, 0x54a94a1420656,
    0x51a64a5421656, 0x50a5421428202};

// The average score, in tenths, that a text of so many letters must reach. Short ones get the benefit of the doubt:
// they have the abbreviations (mysql, xhtml), and few of them exist.
constexpr std::size_t required_score(std::size_t letters) noexcept {
  if (letters < 5) return 0;
  if (letters == 5) return 14;
  if (letters == 6) return 17;
  return 19;
}

// Whether a text of letters reads like words (camelCase too) and not like random letters.
bool reads_like_words(std::string_view letters) noexcept {
  std::size_t score = 0, humps = 0;
  for (std::size_t i = 1; i < letters.size(); ++i) {
    if (is_lower(letters[i - 1]) && is_upper(letters[i])) {
      ++humps;  // scores nothing: random text of both cases is full of them
      continue;
    }
    const auto first = static_cast<std::size_t>(lowered(letters[i - 1]) - 'a');
    const auto second = static_cast<std::size_t>(lowered(letters[i]) - 'a');
    score += (pair_scores[first] >> (2 * second)) & 3U;
  }
  if (letters.size() < 5) return humps < 2;
  return score * 10 >= required_score(letters.size()) * (letters.size() - 1);
}

// Words that are hexadecimal too and stand in real keys. All other runs of a-f are taken for hexadecimal: the few ids
// of a family that happen to have no digit must not leave its pattern.
bool is_hexadecimal_word(std::string_view segment) noexcept {
  constexpr std::array<std::string_view, 8> words{"feed", "face", "cafe", "dead", "added", "faded", "facade", "decade"};
  std::array<char, 8> text{};
  if (segment.size() > text.size()) return false;
  std::transform(segment.begin(), segment.end(), text.begin(), lowered);
  return std::find(words.begin(), words.end(), std::string_view(text.data(), segment.size())) != words.end();
}

bool is_id(std::string_view segment) noexcept {
  if (segment.size() > segment_size_max) return true;
  if (!std::all_of(segment.begin(), segment.end(), is_letter)) return true;
  const bool hexadecimal = std::all_of(segment.begin(), segment.end(), [](char c) { return lowered(c) <= 'f'; });
  if (hexadecimal && segment.size() >= 4 && !is_hexadecimal_word(segment)) return true;
  return !reads_like_words(segment);
}

// 8-4-4-4-12 hexadecimal digits at the front. Known as a whole, since a group of it may be a word (`-cafe-`).
bool begins_with_uuid(std::string_view text) noexcept {
  if (text.size() < 36) return false;
  for (std::size_t i = 0; i < 36; ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !(is_digit(text[i]) || (lowered(text[i]) >= 'a' && lowered(text[i]) <= 'f')))
      return false;
  }
  return text.size() == 36 || is_weak(text[36]);
}

// Whether a section holds a random token in base64url, in which weak separators mean nothing: it has digits and both
// cases, and changes between them at every sixth character or more. Hexadecimal has one case and no separators.
bool holds_random_token(std::string_view section) noexcept {
  if (std::none_of(section.begin(), section.end(), is_upper) ||
      std::none_of(section.begin(), section.end(), is_lower) ||
      std::none_of(section.begin(), section.end(), is_digit)) {
    return false;
  }
  std::size_t changes = 0;
  for (std::size_t i = 1; i < section.size(); ++i) {
    const char left = section[i - 1], right = section[i];
    if (is_weak(left) || is_weak(right)) continue;
    if (is_digit(left) != is_digit(right) || (is_lower(left) && is_upper(right))) ++changes;
  }
  return changes >= 3 && changes * 6 >= section.size();
}

// Of such a section only clear words in front stay: `sess_x9-ab-Q2…` is `sess_*`.
bool is_plain_word(std::string_view segment) noexcept {
  return (segment.size() >= 3 && std::all_of(segment.begin(), segment.end(), is_lower)) ||
         (segment.size() >= 5 && std::all_of(segment.begin(), segment.end(), is_upper));
}

// The pattern as it grows: bounded, and never with two `*` side by side.
class pattern_text {
 public:
  pattern_text(char* out, std::size_t capacity) noexcept
      : out_(out), capacity_(std::min(capacity, inferred_size_max)) {}

  [[nodiscard]] bool full() const noexcept { return full_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  // Text that must come whole or not at all; one place is kept for the `*` that stands for the rest.
  void literal(std::string_view text) noexcept {
    if (full_) return;
    if (size_ + text.size() + 1 > capacity_) return cut();
    std::copy(text.begin(), text.end(), out_ + size_);
    size_ += text.size();
  }
  void wildcard() noexcept {
    if (full_ || size_ == capacity_ || ends_in_wildcard()) return;
    out_[size_++] = '*';
  }
  // `*` for whatever the key still has.
  void cut() noexcept {
    wildcard();
    full_ = true;
  }
  // Takes back a weak separator between two `*`.
  void join_wildcards() noexcept {
    if (size_ >= 2 && is_weak(out_[size_ - 1]) && out_[size_ - 2] == '*') --size_;
  }
  [[nodiscard]] bool ends_in_wildcard() const noexcept { return size_ > 0 && out_[size_ - 1] == '*'; }

 private:
  char* out_;
  std::size_t capacity_, size_ = 0;
  bool full_ = false;
};

// Writes one section, segment by segment. `segments` counts those in the pattern so far.
void write_section(std::string_view section, pattern_text& out, std::size_t& segments) noexcept {
  if (section.find('@') != std::string_view::npos || section.find("%40") != std::string_view::npos) {
    ++segments;
    return out.wildcard();
  }
  const bool random = holds_random_token(section);
  while (!out.full()) {
    const bool uuid = begins_with_uuid(section);
    const auto stop = uuid ? section.begin() + 36 : std::find_if(section.begin(), section.end(), is_weak);
    const std::string_view segment(section.begin(), stop);
    const bool id = uuid || (!segment.empty() && is_id(segment)) || (random && !is_plain_word(segment));
    if (id) out.join_wildcards();
    const bool joined = id && out.ends_in_wildcard();
    if (!joined && segments == inferred_segments_max) return out.cut();
    if (!joined) ++segments;
    id ? out.wildcard() : out.literal(segment);
    if (stop == section.end() || (id && random && !uuid)) return;
    out.literal({stop, stop + 1});
    section = std::string_view(stop + 1, section.end());
  }
}

// "session12345": the one word in front of the one number of a key without any separator; 0 if it is no such key.
std::size_t word_before_number(std::string_view key) noexcept {
  if (key.size() > segment_size_max) return 0;
  const auto digits = std::find_if_not(key.begin(), key.end(), is_letter);
  if (digits == key.end() || !std::all_of(digits, key.end(), is_digit)) return 0;
  const std::string_view word(key.begin(), digits);
  return word.size() >= 3 && !is_id(word) ? word.size() : 0;
}

}  // namespace

std::size_t infer_pattern(std::string_view key, char* out, std::size_t capacity) noexcept {
  pattern_text text(out, capacity);
  if (key.empty()) {
    text.wildcard();  // an empty label would read as "no pattern"
    return text.size();
  }
  if (const std::size_t word = word_before_number(key); word > 0) {
    text.literal(key.substr(0, word));
    text.wildcard();
    return text.size();
  }
  std::size_t segments = 0;
  while (!text.full()) {
    // Looked at no further than the bound: a key may be 512 MB long.
    const std::string_view window = key.substr(0, section_size_max + 1);
    const auto stop = std::find_if(window.begin(), window.end(), is_strong);
    const auto size = static_cast<std::size_t>(stop - window.begin());
    if (size > section_size_max) {
      text.cut();
      break;
    }
    write_section(key.substr(0, size), text, segments);
    if (size == key.size()) break;
    text.literal(key.substr(size, 1));
    key.remove_prefix(size + 1);
  }
  return text.size();
}

}  // namespace tidegate::attribution
