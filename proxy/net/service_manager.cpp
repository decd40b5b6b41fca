#include "proxy/net/service_manager.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace tidegate::net {

void tell_service_manager(std::string_view word) noexcept {
  const char* const path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr) return;
  sockaddr_un where{};
  where.sun_family = AF_UNIX;
  const std::size_t size = std::strlen(path);
  if (size < 2 || size >= sizeof(where.sun_path)) return;
  std::memcpy(where.sun_path, path, size);
  if (path[0] == '@') where.sun_path[0] = '\0';  // sd_notify(3): the abstract namespace
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return;
  (void)::sendto(fd, word.data(), word.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&where),
                 static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size));
  ::close(fd);
}

}  // namespace tidegate::net
