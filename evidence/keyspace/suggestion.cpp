#include "evidence/keyspace/suggestion.hpp"

#include <algorithm>
#include <array>

#include "evidence/keyspace/wording.hpp"

namespace tidegate::keyspace {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t writers_shown = 4;
constexpr double nearly_all = 0.95;
constexpr std::size_t name_columns_max = 80, source_columns_max = 200;

// A double-quoted YAML scalar. A `$` is doubled: `${…}` would be taken from the environment.
std::string quoted(const std::string& text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (byte < 0x20 || byte == 0x7f) {
      out += {'\\', 'x', digits[byte >> 4U], digits[byte & 15U]};
    } else if (c == '$' && i + 1 < text.size() && text[i + 1] == '{') {
      out += "$$";
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string evidence_comment(const pattern_evidence& seen) {
  std::string text;
  if (seen.keys != 0) {
    text += "  # " + grouped(seen.keys_without_ttl) + " of " + grouped(seen.keys) + " keys have no TTL";
    if (seen.bytes_without_ttl && seen.bytes_without_ttl->measured != 0) {
      text +=
          "; they take " + estimate_text(*seen.bytes_without_ttl) + ", which `ttl fix` gives back within the default";
    }
    text += '\n';
  }
  if (seen.writes != 0) {
    text += "  # " + grouped(seen.writes_without_ttl) + " of " + grouped(seen.writes) + " writes left no TTL";
    for (std::size_t i = 0; i < std::min(writers_shown, seen.writers_without_ttl.size()); ++i) {
      const auto& [name, writes] = seen.writers_without_ttl[i];
      text += (i == 0 ? ": " : ", ") + printable(name, name_columns_max) + " (" + grouped(writes) + ")";
    }
    if (seen.writers_without_ttl.size() > writers_shown) text += ", …";
    text += '\n';
  }
  return text;
}

std::string reason_comment(const suggestion& rule) {
  const auto said = [](const ttl_histogram& ttls) { return config_duration(round_up(milliseconds(ttls.longest_ms))); };
  switch (rule.why) {
    case reason::written:
      return "  # default: nearly all writes of it that leave a TTL leave at most this\n";
    case reason::left:
      return "  # default: its keys that have a TTL have up to " + said(rule.evidence.left) + " left\n";
    case reason::guessed:
      break;
  }
  return "  # default: a guess, none of its keys has a TTL: ask the owner, then make it `enforce`\n";
}

}  // namespace

milliseconds round_up(milliseconds ttl) noexcept {
  using std::chrono::hours, std::chrono::minutes, std::chrono::seconds;
  constexpr std::array<milliseconds, 26> steps{
      seconds(10), seconds(30), minutes(1),  minutes(2),   minutes(5),  minutes(10), minutes(15),
      minutes(30), hours(1),    hours(2),    hours(4),     hours(6),    hours(12),   hours(24),
      hours(48),   hours(72),   hours(168),  hours(336),   hours(720),  hours(1080), hours(1440),
      hours(2160), hours(4320), hours(8760), hours(17520), hours(43800)};
  for (const milliseconds step : steps) {
    if (ttl <= step) return step;
  }
  return steps.back();
}

std::string config_duration(milliseconds ttl) {
  const std::int64_t seconds = ttl.count() / 1000;
  if (ttl.count() % 1000 != 0) return std::to_string(ttl.count()) + "ms";
  if (seconds % 86'400 == 0) return std::to_string(seconds / 86'400) + "d";
  if (seconds % 3600 == 0) return std::to_string(seconds / 3600) + "h";
  if (seconds % 60 == 0) return std::to_string(seconds / 60) + "m";
  return std::to_string(seconds) + "s";
}

std::vector<suggestion> suggest(std::vector<pattern_evidence> seen, const std::vector<std::string>& covered,
                                const suggestion_bounds& bounds) {
  std::vector<suggestion> rules;
  for (pattern_evidence& one : seen) {
    const bool has_rule = std::find(covered.begin(), covered.end(), one.pattern) != covered.end();
    const bool worth = std::max(one.keys_without_ttl, one.writes_without_ttl) >= bounds.keys_min;
    // A rule for every key is nothing that counting can justify; `other` is no glob but the books' remainder.
    if (has_rule || !worth || one.pattern == "*" || one.pattern == "other") continue;
    suggestion rule{.evidence = std::move(one), .default_ttl = bounds.guess, .why = reason::guessed};
    const ttl_histogram& written = rule.evidence.written;
    if (const auto most = written.quantile(nearly_all)) {
      rule.why = reason::written;
      const milliseconds upper = std::chrono::seconds(ttl_class_seconds(*most));
      rule.default_ttl = round_up(std::min(upper, milliseconds(std::max<std::int64_t>(written.longest_ms, 1000))));
    } else if (rule.evidence.left.total() != 0) {
      rule.why = reason::left;
      rule.default_ttl = round_up(milliseconds(rule.evidence.left.longest_ms));
    }
    rules.push_back(std::move(rule));
  }
  std::stable_sort(rules.begin(), rules.end(), [](const suggestion& a, const suggestion& b) {
    const auto weight = [](const suggestion& rule) {
      return std::pair(rule.evidence.keys_without_ttl, rule.evidence.writes_without_ttl);
    };
    return weight(a) > weight(b);
  });
  return rules;
}

std::string to_yaml(const std::vector<suggestion>& rules, const std::string& source) {
  std::string out = "# Suggested from " + printable(source, source_columns_max) +
                    ". Read each line with its owner before it is pasted.\n";
  if (rules.empty())
    return out + "# Nothing to suggest: no pattern without a rule leaves enough keys without a TTL.\nttl: []\n";
  out += "ttl:\n";
  for (const suggestion& rule : rules) {
    out += evidence_comment(rule.evidence) + reason_comment(rule);
    out += "  - { pattern: " + quoted(rule.evidence.pattern) + ", default: " + config_duration(rule.default_ttl) +
           ", jitter: 10%" + (rule.why == reason::guessed ? ", mode: observe" : "") + " }\n";
  }
  return out;
}

}  // namespace tidegate::keyspace
