// An incident as JSON: every figure, names as they are (a reader of JSON escapes for itself), times as RFC 3339.
//
// Thread safety: pure. Ownership: a value. Invariants: a name that is no UTF-8 has its bytes replaced; keys and units
// do not depend on the language; what is not known is null. Cost: linear in the timeline.
#pragma once

#include <string>

#include "evidence/report/incident.hpp"

namespace tidegate::report {

[[nodiscard]] std::string to_json(const incident& facts);

}  // namespace tidegate::report
