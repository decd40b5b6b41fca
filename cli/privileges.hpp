// Root is never needed: whoever starts us as root can have us go on as somebody else, before anything is read or
// opened.
//
// Thread safety: on the main thread, before others are started. Ownership: the process's ids. Invariant: after become()
// no way leads back to root, which is tried. Cost: some system calls.
#pragma once

#include <expected>
#include <string>

namespace tidegate::cli {

[[nodiscard]] bool is_root() noexcept;
// User, its group and its supplementary groups. An error names the remedy; the process should end then.
[[nodiscard]] std::expected<void, std::string> become(const std::string& user);

}  // namespace tidegate::cli
