#include "evidence/report/compose.hpp"

#include "evidence/document/safe_text.hpp"
#include "evidence/report/figures.hpp"
#include "evidence/report/sections.hpp"

namespace tidegate::report {
namespace {

constexpr double coverage_enough = 0.99;

std::string title_of(const telling& of) {
  const std::string upstream = document::safe_text(of.facts.upstream);
  if (of.facts.state == situation::empty) return filled_text(of.words.title_empty, {upstream});
  if (!of.has_burst()) return filled_text(of.words.title_quiet, {upstream});
  const std::string who = document::safe_text(of.culprit().name);
  const std::string share = percent_text(of.culprit().bytes_share);
  if (of.facts.peak.share()) {
    return filled_text(of.words.title_burst, {who, share, upstream, of.share_text(of.facts.peak)});
  }
  return filled_text(of.words.title_burst_plain, {who, share, upstream});
}

document::document framed(const telling& of, language in) {
  document::document made;
  made.language = in == language::chinese ? "zh" : "en";
  made.title = title_of(of);
  made.subtitle = filled_text(of.words.subtitle, {date_text(of.facts.since), date_text(of.facts.until)});
  made.contents = of.words.contents;
  made.data_table = of.words.data_table;
  made.footer.push_back(
      filled(of.words.footer_made, {words(date_text(of.facts.made_at)), words(document::safe_text(of.facts.version)),
                                    words(date_text(of.facts.first)), words(date_text(of.facts.last)),
                                    words(duration_text(of.facts.step_ms, of.words))}));
  made.footer.push_back(filled(of.words.footer_units));
  return made;
}

void add(document::document& into, document::section section) {
  if (!section.blocks.empty()) into.sections.push_back(std::move(section));
}

}  // namespace

document::span name(const std::string& text) {
  return document::code_span(document::safe_text(text));
}
document::span figure(std::string text) {
  return document::strong(std::move(text));
}
document::span words(std::string text) {
  return document::plain(std::move(text));
}
std::string told(std::string_view text) {
  return std::string(text);
}

std::string telling::config_option() const {
  return "-c " + document::shell_word(around.config_path);
}

std::string telling::share_text(const moment& at) const {
  const auto share = at.share();
  return share ? percent_text(*share) : at.used ? bytes_text(static_cast<double>(*at.used)) : "–";
}

std::string telling::memory_text(const moment& at) const {
  if (!at.used) return "–";
  const auto used = bytes_text(static_cast<double>(*at.used));
  if (!at.share()) return used;
  return filled_text(words.memory_value,
                     {percent_text(*at.share()), used, bytes_text(static_cast<double>(*at.max)), clock_text(at.at)});
}

double telling::cap_rate() const {
  if (facts.holding_limit && facts.holding_limit->possible) return facts.holding_limit->rate;
  return std::max(1024.0, culprit().during.bytes / 5);
}

bool telling::has_coverage_gap() const {
  return facts.coverage && facts.coverage->share() < coverage_enough;
}

document::document compose(const incident& facts, language in, const command_context& around) {
  const telling of{.facts = facts, .words = words_in(in), .around = around};
  document::document made = framed(of, in);
  add(made, summary(of));
  if (facts.state == situation::empty) return made;
  if (of.has_burst()) {
    add(made, questions(of));
    add(made, what_happened(of));
    add(made, not_the_cause(of));
  }
  add(made, timeline(of));
  for (document::section& each : who_did_it(of)) add(made, std::move(each));
  add(made, keys_and_ttls(of));
  add(made, coverage_section(of));
  add(made, drain_section(of));
  add(made, holding_section(of));
  add(made, node_section(of));
  add(made, policy_section(of));
  add(made, next_steps(of));
  add(made, queries(of));
  add(made, message(of));
  return made;
}

document::document compose_brief(const incident& facts, language in, const command_context& around) {
  const telling of{.facts = facts, .words = words_in(in), .around = around};
  document::document made = framed(of, in);
  made.footer.pop_back();
  document::section top;
  top.blocks.emplace_back(verdict(of));
  made.sections.push_back(std::move(top));
  if (facts.state == situation::empty) return made;
  document::section figures = summary(of);
  figures.blocks.erase(figures.blocks.begin());
  add(made, std::move(figures));
  if (!of.has_burst()) return made;
  add(made, questions(of));
  add(made, holding_section(of));
  add(made, brief_policy_section(of));
  add(made, next_steps(of));
  return made;
}

}  // namespace tidegate::report
