#include "evidence/document/safe_text.hpp"

#include <array>
#include <cstdint>

namespace tidegate::document {
namespace {

constexpr std::string_view digits = "0123456789abcdef";

struct character {
  std::uint32_t code = 0;
  std::size_t bytes = 1;
  bool is_valid = false;
};

// The Unicode Standard, table 3-7: well-formed UTF-8 byte sequences.
character next_character(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(text[at]); };
  const auto follows = [&](std::size_t at) { return at < text.size() && (byte(at) & 0xC0U) == 0x80U; };
  const std::uint8_t first = byte(0);
  if (first < 0x80) return {.code = first, .is_valid = true};
  std::size_t bytes = 0;
  std::uint32_t code = 0;
  if ((first & 0xE0U) == 0xC0U) {
    bytes = 2;
    code = first & 0x1FU;
  } else if ((first & 0xF0U) == 0xE0U) {
    bytes = 3;
    code = first & 0x0FU;
  } else if ((first & 0xF8U) == 0xF0U) {
    bytes = 4;
    code = first & 0x07U;
  } else {
    return {.code = first};
  }
  for (std::size_t at = 1; at < bytes; ++at) {
    if (!follows(at)) return {.code = first};
    code = (code << 6U) | (byte(at) & 0x3FU);
  }
  constexpr std::array<std::uint32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
  if (code < least[bytes] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return {.code = first};
  return {.code = code, .bytes = bytes, .is_valid = true};
}

// C1 controls, soft hyphen, zero-width and bidirectional marks, separators, the byte order mark, tags.
bool is_hidden(std::uint32_t code) {
  return (code >= 0x7F && code <= 0x9F) || code == 0xAD || code == 0x61C || (code >= 0x200B && code <= 0x200F) ||
         (code >= 0x2028 && code <= 0x202E) || (code >= 0x2060 && code <= 0x206F) || code == 0xFEFF ||
         (code >= 0xFFF9 && code <= 0xFFFB) || (code >= 0xE0000 && code <= 0xE0FFF);
}

void append_hex(std::string& into, std::uint32_t code, int width) {
  for (int shift = (width - 1) * 4; shift >= 0; shift -= 4) into += digits[(code >> shift) & 0xFU];
}

void append_escaped(std::string& into, const character& one) {
  if (one.code == '\n') {
    into += "\\n";
  } else if (one.code == '\r') {
    into += "\\r";
  } else if (one.code == '\t') {
    into += "\\t";
  } else if (one.code < 0x100) {
    into += "\\x";
    append_hex(into, one.code, 2);
  } else {
    into += "\\u";
    append_hex(into, one.code, one.code > 0xFFFF ? 6 : 4);
  }
}

}  // namespace

std::string safe_text(std::string_view text, std::size_t characters_max) {
  std::string made;
  std::size_t count = 0;
  while (!text.empty()) {
    if (count++ == characters_max) return made + "…";
    const character one = next_character(text);
    if (!one.is_valid || one.code < 0x20 || is_hidden(one.code)) {
      append_escaped(made, one);
    } else {
      made += text.substr(0, one.bytes);
    }
    text.remove_prefix(one.bytes);
  }
  return made;
}

std::string shell_word(std::string_view text) {
  constexpr std::string_view harmless = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/@%+=,-";
  if (!text.empty() && text.front() != '-' && text.find_first_not_of(harmless) == std::string_view::npos) {
    return std::string(text);
  }
  std::string made = "'";
  for (const char each : text) {
    if (each == '\'') {
      made += "'\\''";
    } else {
      made += each;
    }
  }
  return made + "'";
}

std::string yaml_word(std::string_view text) {
  std::string made = "\"";
  for (const char each : text) {
    const auto byte = static_cast<std::uint8_t>(each);
    if (each == '"' || each == '\\') {
      made += '\\';
      made += each;
    } else if (byte < 0x20 || byte == 0x7F) {
      made += "\\x";
      append_hex(made, byte, 2);
    } else {
      made += each;
    }
  }
  return made + "\"";
}

}  // namespace tidegate::document
