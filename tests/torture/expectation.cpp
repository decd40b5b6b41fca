#include "tests/torture/expectation.hpp"

#include <algorithm>
#include <cstring>

#include "tests/traffic/dice.hpp"

namespace tidegate::torture {

namespace {

constexpr std::size_t noise_bytes = std::size_t{16} << 20;  // twice the largest value: any of it begins anywhere

const std::string& noise() {
  static const std::string bytes = [] {
    std::string made(noise_bytes, '\0');
    traffic::dice dice(20'170'131);
    for (std::size_t at = 0; at < made.size(); at += 8) {
      const std::uint64_t next = dice.next();
      std::memcpy(&made[at], &next, 8);
    }
    return made;
  }();
  return bytes;
}

}  // namespace

value make_value(std::string_view key, std::uint64_t number, std::size_t bytes) {
  value made;
  made.head = std::string(key) + ":" + std::to_string(number) + ":" + std::to_string(bytes) + ":";
  if (bytes > made.head.size()) {
    made.noise_bytes = std::min(bytes - made.head.size(), noise_bytes / 2);
    std::uint64_t mixed = number * 0x9e3779b97f4a7c15;
    for (const char c : key) mixed = (mixed ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    made.noise_from = static_cast<std::uint32_t>((mixed >> 20) % (noise_bytes / 2));
  }
  return made;
}

void append_bulk(std::string& out, const value& what) {
  out += '$';
  out += std::to_string(what.size());
  out += "\r\n";
  out += what.head;
  out.append(noise(), what.noise_from, what.noise_bytes);
  out += "\r\n";
}

void append_bulk(std::string& out, std::string_view text) {
  out += '$';
  out += std::to_string(text.size());
  out += "\r\n";
  out += text;
  out += "\r\n";
}

answer& answer::text(std::string_view bytes) {
  if (!parts_.empty() && parts_.back().noise_bytes == 0) {
    parts_.back().literal += bytes;
  } else {
    parts_.push_back({std::string(bytes), 0, 0, size_});
  }
  size_ += bytes.size();
  return *this;
}

answer& answer::bulk(std::string_view bytes) {
  std::string whole;
  append_bulk(whole, bytes);
  return text(whole);
}

answer& answer::bulk(const value& what) {
  text("$" + std::to_string(what.size()) + "\r\n" + what.head);
  if (what.noise_bytes > 0) {
    parts_.push_back({{}, what.noise_from, what.noise_bytes, size_});
    size_ += what.noise_bytes;
  }
  return text("\r\n");
}

std::size_t answer::agree(std::size_t at, std::string_view bytes) const {
  std::size_t agreed = 0;
  // Parts are few, except in the answer to a long EXEC, which is short in bytes.
  for (const part& one : parts_) {
    const std::size_t size = one.noise_bytes > 0 ? one.noise_bytes : one.literal.size();
    if (at >= one.begins + size) continue;
    const char* const from =
        (one.noise_bytes > 0 ? noise().data() + one.noise_from : one.literal.data()) + (at - one.begins);
    const std::size_t count = std::min(bytes.size(), one.begins + size - at);
    if (std::memcmp(from, bytes.data(), count) != 0) {
      return agreed + static_cast<std::size_t>(std::mismatch(from, from + count, bytes.data()).first - from);
    }
    agreed += count;
    at += count;
    bytes.remove_prefix(count);
    if (bytes.empty()) break;
  }
  return agreed;
}

std::string answer::excerpt() const {
  std::string text;
  for (const part& one : parts_) {
    text += one.noise_bytes > 0 ? "<" + std::to_string(one.noise_bytes) + " bytes>" : one.literal;
    if (text.size() > 200) break;
  }
  return text.substr(0, 200);
}

}  // namespace tidegate::torture
