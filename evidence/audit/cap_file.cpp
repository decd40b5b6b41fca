#include "evidence/audit/cap_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "config/private_file.hpp"

namespace tidegate::audit {
namespace {

constexpr std::size_t file_bytes_max = 1U << 20;

// Errno of the first step that failed, 0 = the bytes are on the disk.
int write_whole(const std::string& path, const std::string& text) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return errno;
  int error = 0;
  for (std::size_t at = 0; at < text.size() && error == 0;) {
    const ssize_t written = ::write(file, text.data() + at, text.size() - at);
    if (written < 0) {
      error = errno;
    } else {
      at += static_cast<std::size_t>(written);
    }
  }
  if (error == 0 && ::fchmod(file, 0600) != 0) error = errno;
  if (error == 0 && ::fsync(file) != 0) error = errno;
  ::close(file);
  return error;
}

// The new name is in force after a crash only when the folder was written too.
void sync_folder(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  const int file = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return;
  (void)::fsync(file);
  ::close(file);
}

}  // namespace

paths paths_of(const config::config& config) {
  std::filesystem::path base(config.ledger.enabled ? config.ledger.path : config.path);
  base.replace_extension();
  return {.caps = base.string() + ".caps.json", .log = base.string() + ".audit.jsonl"};
}

std::expected<void, std::string> save_caps(const std::string& path, const std::vector<policy::cap>& caps) {
  const std::string fresh = path + ".new";
  int error = write_whole(fresh, policy::write_caps(caps));
  if (error == 0 && std::rename(fresh.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) {
    ::unlink(fresh.c_str());
    return std::unexpected(path + ": " + std::strerror(error));
  }
  sync_folder(path);
  return {};
}

std::expected<std::vector<policy::cap>, std::string> load_caps(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return std::vector<policy::cap>{};
  const auto file = config::read_whole(path, file_bytes_max);
  if (!file) return std::unexpected(path + ": " + file.error());
  auto caps = policy::read_caps(file->text);
  if (caps) return caps;
  const std::string aside = path + ".broken";
  const bool moved = std::rename(path.c_str(), aside.c_str()) == 0;
  return std::unexpected(path + ": " + caps.error() + "; no cap is in force" +
                         (moved ? ", the file is now " + aside : std::string()));
}

}  // namespace tidegate::audit
