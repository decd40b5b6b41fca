#include "cli/privileges.hpp"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace tidegate::cli {
namespace {

std::unexpected<std::string> failed(const char* what) {
  return std::unexpected(std::string(what) + ": " + std::generic_category().message(errno));
}

}  // namespace

bool is_root() noexcept {
  return ::geteuid() == 0;
}

std::expected<void, std::string> become(const std::string& user) {
  if (!is_root()) return std::unexpected("only root can become somebody else; start it as that user, without --user");
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 16384> room;
  if (::getpwnam_r(user.c_str(), &entry, room.data(), room.size(), &found) != 0 || found == nullptr) {
    return std::unexpected("there is no such user; create it, or name another");
  }
  const uid_t uid = entry.pw_uid;
  const gid_t gid = entry.pw_gid;
  if (uid == 0) return std::unexpected("that is root again; name a user without privileges");
  if (::initgroups(user.c_str(), gid) != 0) return failed("initgroups");
  if (::setresgid(gid, gid, gid) != 0) return failed("setresgid");
  if (::setresuid(uid, uid, uid) != 0) return failed("setresuid");
  if (::setresuid(0, 0, 0) == 0 || ::geteuid() != uid || ::getegid() != gid) {
    return std::unexpected("root could be had again, so it is not safe to go on");
  }
  return {};
}

}  // namespace tidegate::cli
