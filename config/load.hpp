// YAML -> config, or every mistake at once.
//
// Thread safety: reentrant; reads the environment, so nobody may call setenv meanwhile. Errors: never throws for bad
// input. Ownership: the result is the caller's. Invariants: (1) mistakes come in the order of lines and are never none
// when nothing was loaded; (2) no mistake or warning holds a secret or anything from the environment. Cost: control
// path; some milliseconds, files that the text names are opened to see that they can be.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"

namespace tidegate::config {

struct mistake {
  std::string file;
  std::uint32_t line = 0;  // 1-based; 0 where the file could not be read
  std::string key;         // "limits[2].rate"
  std::string text;        // what is wrong, and the remedy
  // "proxy.yaml:12: limits[2].rate: …"
  [[nodiscard]] std::string to_string() const;
};

struct warning_list {
  std::vector<mistake> warnings;  // served all the same: said by `check` and the log
};

// Also holds secrets written as text against the file's mode. Only regular files of at most 4 MiB. warnings: appended
// to.
[[nodiscard]] std::expected<std::shared_ptr<const config>, std::vector<mistake>> load_file(
    const std::string& path, std::vector<mistake>* warnings = nullptr);
// A text that came from elsewhere; path: what mistakes name, and where relative paths count from. No mode is checked.
[[nodiscard]] std::expected<std::shared_ptr<const config>, std::vector<mistake>> load_text(
    std::string_view yaml, const std::string& path, std::vector<mistake>* warnings = nullptr);

}  // namespace tidegate::config
