// Notices that files changed, by asking for their state: works over every file system, symlink swap and editor.
//
// Thread safety: none. Invariant: a change is reported once, and only after the files stood still for one look, so that
// a file half written is not read. Cost: one stat() a file and look.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tidegate::net {

class file_watch {
 public:
  // Begins anew: the present state of these files is the known one.
  void watch(std::vector<std::string> paths);
  // True if the files changed since the last report and have been still since the last look.
  [[nodiscard]] bool changed();

 private:
  struct mark {
    std::uint64_t device = 0, inode = 0, size = 0;
    std::int64_t modified_ns = 0, changed_ns = 0;
    bool operator==(const mark&) const = default;
  };
  [[nodiscard]] std::vector<mark> look() const;

  std::vector<std::string> paths_;
  std::vector<mark> known_, last_;
};

}  // namespace tidegate::net
