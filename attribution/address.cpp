// Addresses as text. By hand and not by inet_pton/inet_ntop, whose headers are those of sockets: this folder has none.
#include <algorithm>
#include <charconv>
#include <optional>

#include "attribution/identity.hpp"

namespace tidegate::attribution {

namespace {

constexpr std::size_t groups = 8;  // of 16 bits, in an IPv6 address

std::optional<std::array<std::uint8_t, 4>> parse_v4(std::string_view text) noexcept {
  std::array<std::uint8_t, 4> bytes{};
  const char* at = text.data();
  const char* const end = at + text.size();
  for (std::size_t i = 0; i < 4; ++i) {
    if (i > 0 && (at == end || *at++ != '.')) return std::nullopt;
    const auto [stop, error] = std::from_chars(at, end, bytes[i]);
    // "010" is 8 to some and 10 to others: nobody's address.
    if (error != std::errc() || stop - at > 3 || (*at == '0' && stop - at > 1)) return std::nullopt;
    at = stop;
  }
  return at == end ? std::optional(bytes) : std::nullopt;
}

// Groups of an address up to `::` or its end; returns their count, or nullopt. An IPv4 tail counts as two groups.
std::optional<std::size_t> parse_groups(std::string_view text, bool tail,
                                        std::array<std::uint16_t, groups>& out) noexcept {
  std::size_t count = 0;
  while (!text.empty()) {
    if (count == groups) return std::nullopt;
    const std::size_t colon = text.find(':');
    const std::string_view part = text.substr(0, colon);
    if (tail && colon == std::string_view::npos && part.find('.') != std::string_view::npos) {
      const auto v4 = parse_v4(part);
      if (!v4 || count + 2 > groups) return std::nullopt;
      out[count++] = static_cast<std::uint16_t>((*v4)[0] << 8 | (*v4)[1]);
      out[count++] = static_cast<std::uint16_t>((*v4)[2] << 8 | (*v4)[3]);
      return count;
    }
    const auto [stop, error] = std::from_chars(part.data(), part.data() + part.size(), out[count], 16);
    if (error != std::errc() || stop != part.data() + part.size() || part.size() > 4) return std::nullopt;
    ++count;
    if (colon == std::string_view::npos) return count;
    text.remove_prefix(colon + 1);
    if (text.empty()) return std::nullopt;  // a colon at the end
  }
  return count;
}

std::optional<std::array<std::uint16_t, groups>> parse_v6(std::string_view text) noexcept {
  std::array<std::uint16_t, groups> front{}, back{};
  const std::size_t gap = text.find("::");
  if (gap == std::string_view::npos) {
    const auto count = parse_groups(text, true, front);
    return count == groups ? std::optional(front) : std::nullopt;
  }
  const auto before = parse_groups(text.substr(0, gap), false, front);
  const auto after = parse_groups(text.substr(gap + 2), true, back);
  if (!before || !after || *before + *after >= groups) return std::nullopt;
  std::copy_n(back.begin(), *after, front.end() - static_cast<std::ptrdiff_t>(*after));
  return front;
}

std::string v4_text(const std::uint8_t* bytes) {
  std::string text;
  for (std::size_t i = 0; i < 4; ++i) {
    if (i > 0) text += '.';
    text += std::to_string(bytes[i]);
  }
  return text;
}

bool is_mapped(const address& from) noexcept {
  return from.v6 && std::all_of(from.bytes.begin(), from.bytes.begin() + 10, [](auto b) { return b == 0; }) &&
         from.bytes[10] == 0xff && from.bytes[11] == 0xff;
}

}  // namespace

address address::from_string(std::string_view text) noexcept {
  address result;
  if (const auto v4 = parse_v4(text)) {
    std::copy(v4->begin(), v4->end(), result.bytes.begin());
    return result;
  }
  const auto v6 = parse_v6(text.substr(0, text.find('%')));
  if (!v6) return result;
  result.v6 = true;
  for (std::size_t i = 0; i < groups; ++i) {
    result.bytes[2 * i] = static_cast<std::uint8_t>((*v6)[i] >> 8);
    result.bytes[2 * i + 1] = static_cast<std::uint8_t>((*v6)[i] & 0xff);
  }
  return result.unmapped();
}

address address::unmapped() const noexcept {
  if (!is_mapped(*this)) return *this;
  address v4;
  std::copy(bytes.begin() + 12, bytes.end(), v4.bytes.begin());
  return v4;
}

std::string address::to_string() const {
  if (!v6) return v4_text(bytes.data());
  if (is_mapped(*this)) return v4_text(bytes.data() + 12);
  std::array<std::uint16_t, groups> group{};
  for (std::size_t i = 0; i < groups; ++i) group[i] = static_cast<std::uint16_t>(bytes[2 * i] << 8 | bytes[2 * i + 1]);

  // RFC 5952 section 4.2: the longest run of two or more zero groups, the first of equals, becomes `::`.
  std::size_t gap = groups, gap_size = 1;
  for (std::size_t i = 0; i < groups; ++i) {
    std::size_t end = i;
    while (end < groups && group[end] == 0) ++end;
    if (end - i > gap_size) {
      gap = i;
      gap_size = end - i;
    }
    i = std::max(i, end);
  }
  std::string text;
  for (std::size_t i = 0; i < groups;) {
    if (i == gap) {
      text += "::";
      i += gap_size;
      continue;
    }
    if (!text.empty() && text.back() != ':') text += ':';
    std::array<char, 4> digits{};
    const auto [stop, error] = std::to_chars(digits.data(), digits.data() + digits.size(), group[i], 16);
    text.append(digits.data(), stop);
    ++i;
  }
  return text;
}

}  // namespace tidegate::attribution
