// The web page's files, as they were at build.
//
// Thread safety: constants. Ownership: the bytes are the binary's own. Invariant: what these files are served with lets
// a browser fetch and run nothing but them and the API of the same port. Cost: a look at a dozen paths.
#pragma once

#include <string_view>

namespace tidegate::admin {

struct page_file {
  std::string_view path;  // of the URL
  std::string_view content_type;
  std::string_view bytes;
};

// Null where there is no such file.
[[nodiscard]] const page_file* find_page_file(std::string_view path);

// CSP level 3: no inline script or style, no form that goes anywhere, nobody's frame.
inline constexpr const char* page_security_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

}  // namespace tidegate::admin
