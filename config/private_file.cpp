#include "config/private_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace tidegate::config {
namespace {

class descriptor {
 public:
  // O_NONBLOCK: opening a FIFO without a writer must not hang; it is refused right after.
  explicit descriptor(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

std::unexpected<std::string> system_error() {
  return std::unexpected(std::generic_category().message(errno));
}

std::expected<mode_t, std::string> mode_of(const descriptor& file) {
  if (file.get() < 0) return system_error();
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return system_error();
  if (S_ISDIR(info.st_mode)) return std::unexpected("it is a directory");
  if (!S_ISREG(info.st_mode)) return std::unexpected("it is not a regular file");
  return info.st_mode;
}

}  // namespace

std::expected<file_text, std::string> read_whole(const std::string& path, std::size_t bytes_max) {
  const descriptor file(path);
  const auto mode = mode_of(file);
  if (!mode) return std::unexpected(mode.error());
  file_text result{{}, *mode};
  std::array<char, 16384> block;
  for (;;) {
    const ssize_t size = ::read(file.get(), block.data(), block.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return system_error();
    if (size == 0) return result;
    result.text.append(block.data(), static_cast<std::size_t>(size));
    if (result.text.size() > bytes_max)
      return std::unexpected("it is larger than " + std::to_string(bytes_max) + " bytes");
  }
}

std::expected<mode_t, std::string> probe_file(const std::string& path) {
  const descriptor file(path);
  return mode_of(file);
}

}  // namespace tidegate::config
