#include "proxy/net/file_watch.hpp"

#include <sys/stat.h>

namespace tidegate::net {

void file_watch::watch(std::vector<std::string> paths) {
  paths_ = std::move(paths);
  known_ = last_ = look();
}

std::vector<file_watch::mark> file_watch::look() const {
  std::vector<mark> marks;
  for (const std::string& path : paths_) {
    struct stat found{};
    mark& one = marks.emplace_back();
    if (::stat(path.c_str(), &found) != 0) continue;  // absent is a state too
    one.device = found.st_dev;
    one.inode = found.st_ino;
    one.size = static_cast<std::uint64_t>(found.st_size);
    one.modified_ns = found.st_mtim.tv_sec * 1'000'000'000L + found.st_mtim.tv_nsec;
    one.changed_ns = found.st_ctim.tv_sec * 1'000'000'000L + found.st_ctim.tv_nsec;
  }
  return marks;
}

bool file_watch::changed() {
  std::vector<mark> now = look();
  const bool still = now == last_;
  last_ = std::move(now);
  if (!still || last_ == known_) return false;
  known_ = last_;
  return true;
}

}  // namespace tidegate::net
