#include "evidence/audit/audit_log.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

namespace tidegate::audit {
namespace {

using nlohmann::ordered_json;

std::unexpected<std::string> failure(const std::string& path, int number) {
  return std::unexpected(path + ": " + std::strerror(number));
}

std::string dumped(const ordered_json& document) {
  return document.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::string seconds_text(std::chrono::sys_time<std::chrono::milliseconds> time) {
  return utc_text(std::chrono::floor<std::chrono::seconds>(time));
}

ordered_json text_or_null(const std::string& text) {
  return text.empty() ? ordered_json() : ordered_json(text);
}

}  // namespace

std::string utc_text(std::chrono::sys_seconds time) {
  const std::time_t seconds = time.time_since_epoch().count();
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::string text(sizeof "2026-02-12T14:00:00Z", '\0');
  text.resize(std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts));
  return text;
}

std::string line_of(const told& one) {
  return dumped({{"time", seconds_text(one.at)}, {"what", one.what}, {"who", one.who}, {"detail", one.detail}});
}

std::string line_of(const refusal& one) {
  return dumped({{"time", seconds_text(one.at)},
                 {"what", "refused"},
                 {"who", one.who},
                 {"method", one.method},
                 {"path", one.path},
                 {"status", one.status},
                 {"not_written", one.not_written}});
}

std::string line_of(const entry& one) {
  const ordered_json document{{"time", seconds_text(one.at)},
                              {"what", one.what},
                              {"who", one.who},
                              {"client", one.cap.client},
                              {"action", policy::to_string(one.cap.action)},
                              {"rate", text_or_null(one.cap.rate_text)},
                              {"bytes", text_or_null(one.cap.bytes_text)},
                              {"key", text_or_null(one.cap.key)},
                              {"why", one.cap.why},
                              {"set_by", one.cap.who},
                              {"since", utc_text(one.cap.since)},
                              {"until", utc_text(one.cap.until)}};
  return dumped(document);
}

std::expected<void, std::string> audit_log::append_line(std::string line) const {
  line += '\n';
  struct stat seen{};
  if (::stat(path_.c_str(), &seen) == 0 && static_cast<std::uint64_t>(seen.st_size) + line.size() > file_bytes_max &&
      std::rename(path_.c_str(), (path_ + ".1").c_str()) != 0) {
    return failure(path_, errno);
  }
  const int file = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return failure(path_, errno);
  // One write of O_APPEND: lines of two processes do not mingle.
  const ssize_t written = ::write(file, line.data(), line.size());
  int error = written < 0 ? errno : 0;
  if (error == 0 && static_cast<std::size_t>(written) != line.size()) error = ENOSPC;
  if (error == 0 && ::fdatasync(file) != 0) error = errno;
  ::close(file);
  if (error != 0) return failure(path_, error);
  return {};
}

}  // namespace tidegate::audit
