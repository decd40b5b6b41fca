// The request vectors against a real redis-server: each request names an unknown command, so that Redis's answers
// repeat what it understood.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <string>

#include "request_vectors.hpp"

namespace tidegate::resp {
namespace {

using namespace test;

// A server on a unix socket in a folder of its own; no port is taken.
class redis_server {
 public:
  explicit redis_server(const char* password) {
    std::string folder = (std::filesystem::temp_directory_path() / "tidegate_resp_XXXXXX").string();
    folder_ = mkdtemp(folder.data());
    socket_ = folder_ / "redis.sock";
    std::array<int, 2> log{};
    EXPECT_EQ(pipe2(log.data(), O_CLOEXEC), 0);
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      dup2(log[1], STDOUT_FILENO);
      execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", socket_.c_str(), "--save", "", "--dir",
             folder_.c_str(), "--logfile", "", "--requirepass", password, static_cast<char*>(nullptr));
      _exit(127);
    }
    close(log[1]);
    log_ = log[0];
  }
  redis_server(const redis_server&) = delete;
  redis_server& operator=(const redis_server&) = delete;
  ~redis_server() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    close(log_);
    std::filesystem::remove_all(folder_);
  }

  // True once it takes connections; false when it is gone.
  [[nodiscard]] bool ready() {
    std::string said;
    std::array<char, 4096> block;
    for (ssize_t got = 0; (got = read(log_, block.data(), block.size())) > 0;) {
      said.append(block.data(), static_cast<std::size_t>(got));
      if (said.contains("ready to accept connections at")) {
        return true;
      }
    }
    return false;
  }

  // Everything that Redis answers to `wire`, until it closes.
  [[nodiscard]] std::string answer(std::string_view wire) {
    const int fd = dial();
    EXPECT_GE(fd, 0);
    while (!wire.empty()) {
      const ssize_t sent = send(fd, wire.data(), wire.size(), MSG_NOSIGNAL);
      if (sent <= 0) {
        break;  // it closed after an error, which is what is compared
      }
      wire.remove_prefix(static_cast<std::size_t>(sent));
    }
    shutdown(fd, SHUT_WR);
    std::string out;
    std::array<char, 4096> block;
    for (ssize_t got = 0; (got = recv(fd, block.data(), block.size(), 0)) > 0;) {
      out.append(block.data(), static_cast<std::size_t>(got));
    }
    close(fd);
    return out;
  }

 private:
  [[nodiscard]] int dial() const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, socket_.c_str(), sizeof(address.sun_path) - 1);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
      close(fd);
      return -1;
    }
    return fd;
  }

  std::filesystem::path folder_;
  std::filesystem::path socket_;
  pid_t pid_ = -1;
  int log_ = -1;
};

// A %s in Redis ends at a NUL; names and arguments are cut at 128 bytes.
std::string_view quoted(std::string_view text, std::size_t limit) {
  return text.substr(0, text.find('\0')).substr(0, limit);
}

// The answer of Redis 7.0 to a command that it does not know.
std::string unknown_command(const std::vector<std::string>& request) {
  std::string arguments;
  for (std::size_t i = 1; i < request.size() && arguments.size() < 128; ++i) {
    arguments += "'" + std::string(quoted(request[i], 128 - arguments.size())) + "' ";
  }
  std::string line =
      "ERR unknown command '" + std::string(quoted(request[0], 128)) + "', with args beginning with: " + arguments;
  std::ranges::replace(line, '\r', ' ');
  std::ranges::replace(line, '\n', ' ');
  return "-" + line + "\r\n";
}

std::string expected_answer(const parsed_stream& parsed) {
  std::string out;
  for (const auto& request : parsed.requests) {
    if (request.empty()) {
      continue;
    }
    if (request[0] == "PING") {
      out += "+PONG\r\n";
      continue;
    }
    out += unknown_command(request);
  }
  return out + parsed.error;
}

void compare(redis_server& server, const std::vector<request_vector>& vectors, bool authenticated) {
  std::size_t compared = 0;
  for (const auto& vector : vectors) {
    if (vector.authenticated != authenticated || !vector.same_in_redis) {
      continue;
    }
    EXPECT_EQ(server.answer(vector.wire), expected_answer(parse_stream({vector.wire}, authenticated)))
        << vector.wire.substr(0, 80);
    ++compared;
  }
  EXPECT_GT(compared, 0U);
}

TEST(redis_agreement, redis_finds_the_same_requests_and_errors) {
  redis_server server("");
  ASSERT_TRUE(server.ready()) << "redis-server must be installed";
  compare(server, request_vectors(), true);
  compare(server, long_request_vectors(), true);
}

TEST(redis_agreement, redis_refuses_the_same_before_auth) {
  redis_server server("secret");
  ASSERT_TRUE(server.ready()) << "redis-server must be installed";
  compare(server, request_vectors(), false);
}

}  // namespace
}  // namespace tidegate::resp
