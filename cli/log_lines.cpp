#include "cli/log_lines.hpp"

#include <fmt/chrono.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

namespace tidegate::cli {
namespace {

// RFC 3339 in UTC: lines of several hosts sort together.
std::string stamp(spdlog::log_clock::time_point time) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(static_cast<std::time_t>(ms / 1000)), ms % 1000);
}

std::string_view name_of(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace:
      return "trace";
    case spdlog::level::debug:
      return "debug";
    case spdlog::level::warn:
      return "warn";
    case spdlog::level::err:
    case spdlog::level::critical:
      return "error";
    default:
      return "info";
  }
}

}  // namespace

void text_lines::format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) {
  std::string line = fmt::format("{} {:<5} ", stamp(message.time), name_of(message.level));
  for (const char c : message.payload) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      line += fmt::format("\\x{:02x}", byte);
    } else {
      line += c;
    }
  }
  line += '\n';
  out.append(line.data(), line.data() + line.size());
}

void json_lines::format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) {
  const nlohmann::ordered_json document{{"time", stamp(message.time)},
                                        {"level", name_of(message.level)},
                                        {"message", std::string_view(message.payload.data(), message.payload.size())}};
  std::string line = document.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  line += '\n';
  out.append(line.data(), line.data() + line.size());
}

void set_up_log(const config::log& how) {
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  auto logger = std::make_shared<spdlog::logger>("tidegate", sink);
  if (how.format == config::log_format::json) {
    logger->set_formatter(std::make_unique<json_lines>());
  } else {
    logger->set_formatter(std::make_unique<text_lines>());
  }
  logger->set_level(static_cast<spdlog::level::level_enum>(how.level));
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace tidegate::cli
