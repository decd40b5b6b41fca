// One command of a capture: what was written, when, by whom.
//
// Thread safety: none; a plain view. Ownership: points into the reader that told it, until that reads on.
#pragma once

#include <cstdint>
#include <string_view>

#include "resp/request.hpp"

namespace tidegate::capture {

struct record {
  std::int64_t wall_ms = 0;  // Unix time
  std::string_view client, source, pattern, session;
  std::string_view instance;  // of the file's name
  std::uint32_t db = 0;
  bool digested = false;  // its values are digests
  resp::request request;  // never empty; MULTI and EXEC stand around a transaction, SELECT does not appear
};

}  // namespace tidegate::capture
