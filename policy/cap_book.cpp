#include "policy/cap_book.hpp"

#include <algorithm>
#include <cmath>

#include "attribution/identity.hpp"
#include "config/quantity.hpp"
#include "limiter/rule_set.hpp"

namespace tidegate::policy {
namespace {

using config::limit_rule;

// caps_max of them beside the most rules that a file may have.
constexpr std::size_t configured_rules_max = 256;
static_assert(configured_rules_max + caps_max * cap_rules_each <= limiter::rules_max);

constexpr std::size_t key_bytes_max = 512;
// A cap is for now: what a second's rate would let through at once is what it is to prevent.
constexpr double burst_share = 0.1;

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
}

std::expected<double, std::string> read_rate(const char* field, const std::string& text, bool of_bytes) {
  const auto rate = config::parse_rate(text);
  if (!rate) return std::unexpected(std::string(field) + ": " + rate.error());
  if (rate->bytes != of_bytes) {
    return std::unexpected(of_bytes ? "bytes: is a rate of commands; write a size, like 150KiB/s"
                                    : "rate: is a rate of bytes; write commands, like 500/s, and bytes apart");
  }
  return rate->per_second;
}

limit_rule rule_of(const cap& one, std::string name, double rate) {
  limit_rule rule;
  rule.name = std::move(name);
  rule.match_client = one.client;
  rule.match_key = one.key;
  rule.per = config::limit_per::client;
  rule.rate = rate;
  rule.burst = std::max(1.0, std::floor(rate * burst_share));
  rule.action = one.action == cap_action::block ? config::limit_action::block : config::limit_action::delay;
  rule.owner = one.who;
  rule.until = one.until;
  rule.begins_empty = true;
  return rule;
}

// A name that no client can have would hold nobody, and say nothing.
std::string wrong_client(std::string_view client) {
  if (client.empty()) return "client: is missing; write the name that `tidegate top` or /api/v1/clients shows";
  std::string plain(client);
  std::ranges::replace_if(plain, [](char c) { return c == '*' || c == '?'; }, '_');
  if (attribution::sanitised_name(plain) == plain) return {};
  return "client: no client can have this name (1 to 64 of A-Z a-z 0-9 - _ . : / @ + # ~ =); write it as `tidegate "
         "top` or /api/v1/clients shows it, or a glob with * and ?";
}

}  // namespace

const char* to_string(cap_action action) noexcept {
  return action == cap_action::block ? "block" : "cap";
}

std::expected<cap, std::string> read_wish(const cap_wish& wish, std::chrono::sys_time<std::chrono::milliseconds> now) {
  cap made;
  if (std::string wrong = wrong_client(wish.client); !wrong.empty()) return std::unexpected(std::move(wrong));
  made.client = wish.client;
  if (wish.action != "cap" && wish.action != "block") {
    return std::unexpected("action: is neither cap nor block; write one of them");
  }
  made.action = wish.action == "block" ? cap_action::block : cap_action::cap;
  if (made.action == cap_action::block && (!wish.rate.empty() || !wish.bytes.empty())) {
    return std::unexpected("rate: a block lets nothing pass; leave rate and bytes out, or write action cap");
  }
  if (made.action == cap_action::cap && wish.rate.empty() && wish.bytes.empty()) {
    return std::unexpected("rate: is missing; write commands, like 500/s, or bytes, like 150KiB/s, or both");
  }
  if (!wish.rate.empty()) {
    const auto rate = read_rate("rate", wish.rate, false);
    if (!rate) return std::unexpected(rate.error());
    made.rate = *rate;
    made.rate_text = wish.rate;
  }
  if (!wish.bytes.empty()) {
    const auto bytes = read_rate("bytes", wish.bytes, true);
    if (!bytes) return std::unexpected(bytes.error());
    made.bytes = *bytes;
    made.bytes_text = wish.bytes;
  }
  if (wish.key.size() > key_bytes_max || !is_printable(wish.key)) {
    return std::unexpected("key: is no glob of at most 512 printable bytes; write one like contact:*");
  }
  made.key = wish.key;
  const auto lasts = config::parse_duration(wish.lasts);
  if (!lasts) return std::unexpected("for: " + lasts.error());
  if (*lasts < std::chrono::seconds(1) || *lasts > cap_time_max) {
    return std::unexpected("for: is not between 1s and 30d; what is to hold for longer belongs into limits:");
  }
  if (wish.why.size() > why_bytes_max || !is_printable(wish.why)) {
    return std::unexpected("why: is longer than 500 bytes, or not printable");
  }
  made.why = wish.why;
  made.who = wish.who;
  made.since = std::chrono::floor<std::chrono::seconds>(now);
  made.until = std::chrono::ceil<std::chrono::seconds>(now + *lasts);
  return made;
}

std::expected<void, std::string> cap_book::set(cap one) {
  const auto same = std::ranges::find(caps_, one.client, &cap::client);
  if (same != caps_.end()) {
    caps_.erase(same);
  } else if (caps_.size() >= caps_max) {
    return std::unexpected("there are " + std::to_string(caps_max) +
                           " caps, which is the most; lift one (tidegate uncap CLIENT), or give one a glob");
  }
  caps_.push_back(std::move(one));
  return {};
}

std::optional<cap> cap_book::lift(std::string_view client) {
  const auto found = std::ranges::find(caps_, client, &cap::client);
  if (found == caps_.end()) return std::nullopt;
  cap lifted = std::move(*found);
  caps_.erase(found);
  return lifted;
}

std::vector<cap> cap_book::end(std::chrono::sys_seconds now) {
  std::vector<cap> ended;
  for (const cap& one : caps_) {
    if (one.until <= now) ended.push_back(one);
  }
  std::erase_if(caps_, [now](const cap& one) { return one.until <= now; });
  return ended;
}

std::optional<std::chrono::sys_seconds> cap_book::next_end() const {
  if (caps_.empty()) return std::nullopt;
  return std::ranges::min_element(caps_, {}, &cap::until)->until;
}

std::vector<std::string> rule_names(const cap& one) {
  const std::string name = std::string(to_string(one.action)) + ":" + one.client;
  if (one.rate && one.bytes) return {name, name + ":bytes"};
  return {name};
}

std::vector<limit_rule> cap_book::rules() const {
  std::vector<limit_rule> out;
  for (const cap& one : caps_) {
    std::vector<std::string> names = rule_names(one);
    if (one.action == cap_action::block) out.push_back(rule_of(one, names.front(), 1));
    if (one.rate) out.push_back(rule_of(one, names.front(), *one.rate));
    if (!one.bytes) continue;
    out.push_back(rule_of(one, names.back(), *one.bytes));
    out.back().cost = config::limit_cost::byte;
  }
  return out;
}

}  // namespace tidegate::policy
