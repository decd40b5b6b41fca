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

// Bytes of the UTF-8 sequence at the front (RFC 3629, section 4); 0 = it is none.
std::size_t sequence_size(std::string_view text) {
  const auto byte = [text](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
  for (std::size_t at = 1; at < size; ++at) {
    if ((byte(at) & 0xc0) != 0x80) return 0;
  }
  if ((first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90)) return 0;  // longer than need be
  return (first == 0xed && byte(1) > 0x9f) || (first == 0xf4 && byte(1) > 0x8f) ? 0 : size;
}

// What a terminal obeys or hides behind: C0 and C1 controls, line and paragraph separators, marks of direction.
bool is_command_to_a_terminal(std::string_view sequence) {
  if (sequence.size() == 1) return static_cast<unsigned char>(sequence[0]) < 0x20 || sequence[0] == 0x7f;
  if (sequence.size() == 2) return sequence[0] == '\xc2' && static_cast<unsigned char>(sequence[1]) < 0xa0;
  if (!sequence.starts_with("\xe2\x80") && !sequence.starts_with("\xe2\x81")) return false;
  const auto last = static_cast<unsigned char>(sequence[2]);
  return sequence[1] == '\x80' ? last == 0x8e || last == 0x8f || (last >= 0xa8 && last <= 0xae)
                               : last >= 0xa6 && last <= 0xa9;
}

}  // namespace

void text_lines::format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) {
  std::string line = fmt::format("{} {:<5} ", stamp(message.time), name_of(message.level));
  std::string_view rest(message.payload.data(), message.payload.size());
  while (!rest.empty()) {
    const std::size_t known = sequence_size(rest);
    const std::string_view sequence = rest.substr(0, known == 0 ? 1 : known);
    if (known == 0 || is_command_to_a_terminal(sequence)) {
      for (const char c : sequence) line += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      line += sequence;
    }
    rest.remove_prefix(sequence.size());
  }
  line += '\n';
  out.append(line.data(), line.data() + line.size());
}

void json_lines::format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) {
  const nlohmann::ordered_json document{{"time", stamp(message.time)},
                                        {"level", name_of(message.level)},
                                        {"message", std::string_view(message.payload.data(), message.payload.size())}};
  std::string line = document.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace);
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
