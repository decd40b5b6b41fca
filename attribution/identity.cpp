#include "attribution/identity.hpp"

#include <algorithm>

namespace tidegate::attribution {

namespace {

// No blank, quote, comma, brace or backslash (metric labels, error lines), no `*` or `?` (a cap on the client named `*`
// would hold everybody), no `< > & |` or percent sign (pages, tables, URLs).
constexpr bool is_name_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-_.:/@+#~=").find(c) != std::string_view::npos;
}

bool is_reserved(std::string_view name) noexcept {
  return name == "other" || name.starts_with("unnamed@");
}

// Where an IPv4 rule is written as IPv6 (`::ffff:10.0.0.0/104`), as IPv4; nothing else can match it.
config::source_name normalised(config::source_name rule) {
  address base{rule.v6, {}};
  std::copy(std::begin(rule.bytes), std::end(rule.bytes), base.bytes.begin());
  if (const address v4 = base.unmapped(); rule.v6 && !v4.v6 && rule.prefix >= 96) {
    rule.v6 = false;
    rule.prefix = static_cast<std::uint8_t>(rule.prefix - 96);
    std::copy(v4.bytes.begin(), v4.bytes.end(), std::begin(rule.bytes));
  }
  return rule;
}

bool covers(const config::source_name& rule, const address& source) noexcept {
  if (rule.v6 != source.v6) return false;
  const std::size_t bits = std::min<std::size_t>(rule.prefix, rule.v6 ? 128 : 32);
  const std::size_t whole = bits / 8;
  if (!std::equal(source.bytes.begin(), source.bytes.begin() + static_cast<std::ptrdiff_t>(whole), rule.bytes))
    return false;
  if (bits % 8 == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xff << (8 - bits % 8));
  return ((source.bytes[whole] ^ rule.bytes[whole]) & mask) == 0;
}

}  // namespace

std::string sanitised_name(std::string_view name) {
  std::string clean(name.substr(0, name_size_max));
  for (char& c : clean) {
    if (!is_name_character(c)) c = '_';
  }
  return clean.empty() ? "_" : clean;
}

ladder::ladder(const config::attribution& config) : order_(config.identify_by) {
  for (const auto& rule : config.sources) {
    if (!rule.as.empty()) sources_.push_back(normalised(rule));
  }
  std::stable_sort(sources_.begin(), sources_.end(), [](const auto& a, const auto& b) { return a.prefix > b.prefix; });
  for (const auto& rule : config.names) names_.emplace_back(glob(rule.match), rule.as);
  std::stable_sort(names_.begin(), names_.end(),
                   [](const auto& a, const auto& b) { return a.first.literal_size() > b.first.literal_size(); });
}

const std::string* ladder::name_of(const address& source) const noexcept {
  const address plain = source.unmapped();
  const auto rule = std::find_if(sources_.begin(), sources_.end(), [&](const auto& r) { return covers(r, plain); });
  return rule == sources_.end() ? nullptr : &rule->as;
}

// Tried on the name as it came and as it is shown: operators write rules from logs of either side.
std::string ladder::fold(const std::string& name) const {
  const std::string shown = sanitised_name(name);
  for (const auto& [match, as] : names_) {
    if (match.matches(name) || match.matches(shown)) return sanitised_name(as);
  }
  return shown;
}

resolved ladder::resolve(const claims& who) const {
  const auto claimed = [this](const std::string& name, std::string_view from) -> resolved {
    return {fold(is_reserved(name) ? "_" + name : name), from};
  };
  for (const auto source : order_) {
    switch (source) {
      case config::identity_source::client_name:
        if (!who.client_name.empty()) return claimed(who.client_name, "client_name");
        break;
      case config::identity_source::username:
        if (!who.username.empty() && who.username != "default") return claimed(who.username, "username");
        break;
      case config::identity_source::tls_subject:
        if (!who.tls_subject.empty()) return claimed(who.tls_subject, "tls_subject");
        break;
      case config::identity_source::source:
        if (const std::string* name = name_of(who.source)) return {fold(*name), "source"};
        break;
      case config::identity_source::library:
        if (!who.library.empty()) return claimed(who.library, "library");
        break;
    }
  }
  return {fold("unnamed@" + who.source.to_string()), "unnamed"};
}

}  // namespace tidegate::attribution
