// What every request for a change is read for: who asks, what its fields say, and how it is refused.
//
// Thread safety: reentrant. Ownership: none. Invariants: what a header or a path says cannot forge a line of a log.
// Cost: that of the text.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "proxy/admin/routes.hpp"

namespace tidegate::admin {

// The token has many holders: the name is what whoever asks says of himself, the address what we saw.
[[nodiscard]] std::string who_asks(const admin_request& asked);
// Of printable ASCII, at most bytes_max long.
[[nodiscard]] std::string plain_text(std::string_view text, std::size_t bytes_max);
// A field's text; "" where it is absent or null. The error names it.
[[nodiscard]] std::string text_field(const nlohmann::ordered_json& from, const char* key, std::string& wrong);
[[nodiscard]] admin_answer refusal(unsigned status, std::string_view text);

}  // namespace tidegate::admin
