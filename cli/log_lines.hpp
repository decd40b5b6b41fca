// One event, one line: what the log looks like on stderr.
//
// Thread safety: a formatter is used by one sink, under its lock. Invariants: (1) a message cannot forge a second line
// or move the terminal: control characters are escaped; (2) a JSON line is well-formed whatever the message holds.
// Cost: allocates; nothing logs per command.
#pragma once

#include <spdlog/formatter.h>

#include <memory>

#include "config/config.hpp"

namespace tidegate::cli {

class text_lines final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override;
  [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<text_lines>(); }
};

class json_lines final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override;
  [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<json_lines>(); }
};

// The process's log, to stderr.
void set_up_log(const config::log& how);

}  // namespace tidegate::cli
