#include "evidence/capture/digest.hpp"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdlib>
#include <cstring>

namespace tidegate::capture {

namespace {

// SipHash-2-4 (Aumasson, Bernstein: SipHash: a fast short-input PRF, 2012).
class sip_hash {
 public:
  sip_hash(std::uint64_t first, std::uint64_t second) noexcept
      : v0_(first ^ 0x736f6d6570736575U),
        v1_(second ^ 0x646f72616e646f6dU),
        v2_(first ^ 0x6c7967656e657261U),
        v3_(second ^ 0x7465646279746573U) {}

  [[nodiscard]] std::uint64_t of(std::string_view text) noexcept {
    const std::uint64_t size = text.size();
    for (; text.size() >= 8; text.remove_prefix(8)) {
      std::uint64_t word = 0;
      std::memcpy(&word, text.data(), 8);
      take(word);
    }
    std::uint64_t last = size << 56;
    for (std::size_t at = 0; at < text.size(); ++at) {
      last |= std::uint64_t{static_cast<unsigned char>(text[at])} << (8 * at);
    }
    take(last);
    v2_ ^= 0xff;
    for (int round = 0; round < 4; ++round) mix();
    return v0_ ^ v1_ ^ v2_ ^ v3_;
  }

 private:
  void take(std::uint64_t word) noexcept {
    v3_ ^= word;
    mix();
    mix();
    v0_ ^= word;
  }
  void mix() noexcept {
    v0_ += v1_;
    v2_ += v3_;
    v1_ = std::rotl(v1_, 13) ^ v0_;
    v3_ = std::rotl(v3_, 16) ^ v2_;
    v0_ = std::rotl(v0_, 32);
    v2_ += v1_;
    v0_ += v3_;
    v1_ = std::rotl(v1_, 17) ^ v2_;
    v3_ = std::rotl(v3_, 21) ^ v0_;
    v2_ = std::rotl(v2_, 32);
  }
  std::uint64_t v0_, v1_, v2_, v3_;
};

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

// The words of the write commands' syntax in Redis 7 and Valkey 8; sorted.
constexpr std::array<std::string_view, 83> words = {
    "$",          "*",        "+",          "-",      "=",        "absttl",   "after",      "aggregate",
    "alpha",      "and",      "any",        "asc",    "before",   "block",    "by",         "bybox",
    "bylex",      "byradius", "byscore",    "ch",     "count",    "create",   "db",         "desc",
    "ex",         "exat",     "fail",       "fields", "fnx",      "force",    "freq",       "fromlonlat",
    "frommember", "ft",       "fxx",        "get",    "gt",       "idle",     "idletime",   "incr",
    "incrby",     "justid",   "keepttl",    "km",     "lastid",   "left",     "limit",      "lt",
    "m",          "max",      "maxlen",     "mi",     "min",      "minid",    "mkstream",   "noack",
    "nomkstream", "not",      "nx",         "or",     "overflow", "persist",  "px",         "pxat",
    "rank",       "replace",  "retrycount", "rev",    "right",    "sat",      "set",        "store",
    "storedist",  "streams",  "sum",        "time",   "weights",  "withdist", "withscores", "wrap",
    "xor",        "xx",       "~"};
static_assert(std::is_sorted(words.begin(), words.end()));

constexpr std::size_t word_bytes_max = 16;

bool is_word(std::string_view argument) noexcept {
  if (argument.size() > word_bytes_max) return false;
  std::array<char, word_bytes_max> lower{};
  std::transform(argument.begin(), argument.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  const std::string_view wanted(lower.data(), argument.size());
  return std::binary_search(words.begin(), words.end(), wanted);
}

// Integers, scores, and what is written of digits: bounds like (5, stream ids like 1-0, offsets like #3, types like u8.
bool is_figure(std::string_view argument) noexcept {
  if (argument.empty() || argument.size() > 40) return false;
  if (argument == "inf" || argument == "+inf" || argument == "-inf") return true;
  if (argument.size() > 1 && std::string_view("(#ui+").find(argument[0]) != std::string_view::npos) {
    argument.remove_prefix(1);
  }
  double value = 0;
  const char* const end = argument.data() + argument.size();
  const auto read = std::from_chars(argument.data(), end, value);
  if (read.ec != std::errc()) return false;
  if (read.ptr == end) return true;
  if (*read.ptr != '-' || argument.find('.') != std::string_view::npos) return false;  // a stream id
  return std::all_of(read.ptr + 1, end, [](char c) { return (c >= '0' && c <= '9') || c == '*'; });
}

// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014): makes more letters of a hash
// that tells nothing by itself.
std::uint64_t spread(std::uint64_t& state) noexcept {
  std::uint64_t z = state += 0x9e3779b97f4a7c15U;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
  z = (z ^ z >> 27) * 0x94d049bb133111ebU;
  return z ^ z >> 31;
}

std::uint64_t random_word() {
  std::uint64_t word = 0;
  if (::getrandom(&word, sizeof word, 0) != static_cast<ssize_t>(sizeof word)) std::abort();
  return word;
}

}  // namespace

digest::digest() : digest(random_word(), random_word()) {}
digest::digest(std::uint64_t first, std::uint64_t second) noexcept : first_(first), second_(second) {}

void digest::append(std::string& out, std::string_view value) const {
  std::uint64_t state = sip_hash(first_, second_).of(value);
  constexpr std::size_t letters = 10;  // of a 64-bit word
  const std::size_t begin = out.size();
  out.resize(begin + value.size());
  for (std::size_t at = begin; at < out.size();) {
    std::uint64_t bits = spread(state);
    const std::size_t count = std::min(letters, out.size() - at);
    for (std::size_t letter = 0; letter < count; ++letter, bits >>= 6) out[at + letter] = alphabet[bits & 63];
    at += count;
  }
}

bool digest::may_stay(std::string_view argument) noexcept {
  return is_figure(argument) || is_word(argument);
}

}  // namespace tidegate::capture
