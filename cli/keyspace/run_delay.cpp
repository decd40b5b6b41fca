#include "cli/keyspace/run_delay.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

namespace tidegate::cli {
namespace {

// proc(5): the second of three numbers is the time spent waiting on a run queue, in nanoseconds.
std::int64_t counted() noexcept {
  const int file = ::open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  std::array<char, 96> bytes{};
  const ssize_t size = ::read(file, bytes.data(), bytes.size());
  ::close(file);
  const std::string_view text(bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(0, size)));
  const std::size_t blank = text.find(' ');
  if (blank == std::string_view::npos) return 0;
  std::int64_t delay = 0;
  std::from_chars(text.data() + blank + 1, text.data() + text.size(), delay);
  return delay;
}

}  // namespace

run_delay::run_delay() noexcept : before_(counted()) {}

std::int64_t run_delay::since() const noexcept {
  return std::max<std::int64_t>(0, counted() - before_);
}

}  // namespace tidegate::cli
