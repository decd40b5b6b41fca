// An outcome for people and for programs: a table, a JSON document, a plot.
//
// Thread safety: pure functions. Cost: that of the text; names from outside are escaped for the format they go into.
#pragma once

#include <ostream>
#include <string>
#include <string_view>

#include "evidence/simulate/outcome.hpp"

namespace tidegate::simulate {

void print_text(const outcome& what, std::string_view traffic, std::ostream& out);
[[nodiscard]] std::string to_json(const outcome& what, std::string_view traffic);
// The memory with and without the rules: an SVG document, and an HTML page with it and the tables; each in one file.
[[nodiscard]] std::string to_svg(const outcome& what);
[[nodiscard]] std::string to_html(const outcome& what, std::string_view traffic);

// "1.5 MiB".
[[nodiscard]] std::string size_text(double bytes);
// RFC 3339 in UTC.
[[nodiscard]] std::string time_text(std::int64_t unix_ms);

}  // namespace tidegate::simulate
