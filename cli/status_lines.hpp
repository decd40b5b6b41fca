// The status document as one screen of text.
//
// Thread safety: reentrant. Ownership: none. Invariant: what another version does not tell is a `-`, never an error.
// Cost: that of the text.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace tidegate::cli {

// status: of GET /api/v1/status; forecast: of GET /api/v1/forecast, null where nobody makes one.
[[nodiscard]] std::string status_lines(const nlohmann::ordered_json& status, const nlohmann::ordered_json& forecast);

// `1.72 GiB`
[[nodiscard]] std::string size_text(double bytes);
// `6,022,668`
[[nodiscard]] std::string count_text(double count);

}  // namespace tidegate::cli
