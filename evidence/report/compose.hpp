// An incident as a document in one language: the whole report, and the short one for a chat.
//
// Thread safety: pure functions. Ownership: values. Invariants: every figure comes from the incident; every name from
// outside goes through document::safe_text, and in a command to paste through shell_word. Cost: small.
#pragma once

#include <string>

#include "evidence/document/document.hpp"
#include "evidence/report/incident.hpp"
#include "evidence/report/wording.hpp"

namespace tidegate::report {

// What the commands to paste need.
struct command_context {
  std::string config_path;
};

[[nodiscard]] document::document compose(const incident& facts, language in, const command_context& around);
[[nodiscard]] document::document compose_brief(const incident& facts, language in, const command_context& around);

}  // namespace tidegate::report
