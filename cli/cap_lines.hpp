// Caps as the terminal shows them, from the documents of the caps API.
//
// Thread safety: reentrant. Ownership: none. Invariant: what another version answers may miss fields: they are shown as
// `-`, never an error. Cost: that of the text.
#pragma once

#include <iosfwd>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/admin_client.hpp"

namespace tidegate::cli {

// `at most 500/s and 150KiB/s on contact:*`, `blocked`
[[nodiscard]] std::string cap_phrase(const nlohmann::ordered_json& cap);
// `29m 50s`
[[nodiscard]] std::string span_text(std::int64_t seconds);
// As a table; where it is wider than the screen, each cap as a few lines.
void print_caps(const nlohmann::ordered_json& caps, std::ostream& out, std::size_t width);

// The body as a document; the error says that it is none.
[[nodiscard]] std::expected<nlohmann::ordered_json, std::string> read_document(
    const std::expected<api_answer, api_error>& answer);

}  // namespace tidegate::cli
