// YAML -> config, or every mistake at once.
//
// Thread safety: reentrant. Errors: never throws for bad input.
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

[[nodiscard]] std::expected<std::shared_ptr<const config>, std::vector<mistake>> load_file(
    const std::string& path, std::vector<mistake>* warnings = nullptr);
[[nodiscard]] std::expected<std::shared_ptr<const config>, std::vector<mistake>> load_text(
    std::string_view yaml, const std::string& path, std::vector<mistake>* warnings = nullptr);

}  // namespace tidegate::config
