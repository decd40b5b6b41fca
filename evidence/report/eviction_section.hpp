// The judgement of an eviction policy as a section: of a report, and all that `tidegate policy` prints.
//
// Thread safety: pure functions. Ownership: values. Invariants: every figure comes from the view; a figure that its
// source cannot know is a dash. Cost: small.
#pragma once

#include "evidence/document/document.hpp"
#include "evidence/keyspace/evictability.hpp"
#include "evidence/report/wording.hpp"

namespace tidegate::report {

[[nodiscard]] document::section eviction_section(const keyspace::eviction_view& view, const wording& words);
// What to do about it, in a sentence.
[[nodiscard]] document::line eviction_advice(const keyspace::eviction_view& view, const wording& words);
// How much the policy may take now: of keys, if the server says so.
[[nodiscard]] std::optional<document::line> eviction_now(const keyspace::eviction_view& view, const wording& words);

}  // namespace tidegate::report
