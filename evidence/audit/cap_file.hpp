// The caps in force, on disk: what a restart takes up again.
//
// Thread safety: free functions; one writer. Ownership: no descriptor outlives a call. Invariants: (1) the file is
// replaced whole or not at all, and readable by its owner alone; (2) what cannot be understood is moved aside, never
// overwritten and never half in force. Cost: control path only.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "policy/cap_book.hpp"

namespace tidegate::audit {

struct paths {
  std::string caps;  // …/tidegate.caps.json
  std::string log;   // …/tidegate.audit.jsonl
};

// Beside the ledger and with its name; with `ledger: off` beside the configuration.
[[nodiscard]] paths paths_of(const config::config& config);

// The error says which file and why.
[[nodiscard]] std::expected<void, std::string> save_caps(const std::string& path, const std::vector<policy::cap>& caps);
// No file = no caps.
[[nodiscard]] std::expected<std::vector<policy::cap>, std::string> load_caps(const std::string& path);

}  // namespace tidegate::audit
