// The sections of the report, one function each; compose.cpp puts them in order.
//
// Thread safety: pure functions. Ownership: what is made is the caller's; `telling` only refers. Invariants: a section
// about which nothing is known is empty, and left out. Cost: small.
#pragma once

#include <string>
#include <vector>

#include "evidence/document/document.hpp"
#include "evidence/report/compose.hpp"
#include "evidence/report/incident.hpp"
#include "evidence/report/wording.hpp"

namespace tidegate::report {

// What every section needs: the facts, the language, and what is said over and over.
struct telling {
  const incident& facts;
  const wording& words;
  const command_context& around;

  [[nodiscard]] bool has_burst() const { return facts.burst.has_value() && facts.culprits > 0; }
  [[nodiscard]] const writer& culprit() const { return facts.writers.front(); }
  // `-c FILE`, fit to be pasted.
  [[nodiscard]] std::string config_option() const;
  [[nodiscard]] std::string memory_text(const moment& at) const;
  [[nodiscard]] std::string share_text(const moment& at) const;  // 75.8%, or a dash
  // A byte budget to cap with now: what would have held the burst, else a fifth of its rate.
  [[nodiscard]] double cap_rate() const;
  [[nodiscard]] bool has_coverage_gap() const;
};

// A name from outside.
[[nodiscard]] document::span name(const std::string& text);
[[nodiscard]] document::span figure(std::string text);  // strong
[[nodiscard]] document::span words(std::string text);   // plain
[[nodiscard]] std::string told(std::string_view text);

// summary_sections.cpp
[[nodiscard]] document::callout verdict(const telling& of);
[[nodiscard]] document::section summary(const telling& of);
[[nodiscard]] document::section questions(const telling& of);
[[nodiscard]] document::section what_happened(const telling& of);
[[nodiscard]] document::section not_the_cause(const telling& of);
[[nodiscard]] std::vector<document::line> gap_lines(const telling& of);

// evidence_sections.cpp
[[nodiscard]] document::section timeline(const telling& of);
[[nodiscard]] std::vector<document::section> who_did_it(const telling& of);
[[nodiscard]] document::section keys_and_ttls(const telling& of);
[[nodiscard]] document::section coverage_section(const telling& of);

// advice_sections.cpp
[[nodiscard]] document::section drain_section(const telling& of);
[[nodiscard]] document::section holding_section(const telling& of);
[[nodiscard]] document::section node_section(const telling& of);

// eviction_section.cpp
[[nodiscard]] document::section policy_section(const telling& of);
[[nodiscard]] document::section brief_policy_section(const telling& of);

// action_sections.cpp
[[nodiscard]] document::section next_steps(const telling& of);
[[nodiscard]] document::section queries(const telling& of);
// In both languages: who reads it may not be who made the report.
[[nodiscard]] document::section message(const telling& of);

}  // namespace tidegate::report
