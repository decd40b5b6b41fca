// Files that the configuration names: readable now, and closed to others where they hold a secret.
//
// Thread safety: pure but for the file system. Ownership: no descriptor outlives a call. Invariants: only regular files
// are read (a FIFO would block the load), permissions are those of the very file that was opened. Cost: control path
// only.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <expected>
#include <string>

namespace tidegate::config {

inline constexpr mode_t open_to_others = 077;

struct file_text {
  std::string text;
  mode_t mode = 0;
};

// The whole file, or why not ("No such file or directory"). More than bytes_max is an error.
[[nodiscard]] std::expected<file_text, std::string> read_whole(const std::string& path, std::size_t bytes_max);
// Only that it could be read: its mode.
[[nodiscard]] std::expected<mode_t, std::string> probe_file(const std::string& path);

}  // namespace tidegate::config
