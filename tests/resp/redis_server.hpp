// A real redis-server of the test's own, and a client that speaks just enough RESP2 to question it.
//
// Thread safety: none. Ownership: the process, its folder and its unix socket live as long as the object; there is no
// port to collide with. The client is deliberately not made of our own parser and framer: it is the second opinion.
#pragma once

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/resp/held_request.hpp"

namespace tidegate::resp::testing {

struct answer {
  char type = 0;  // + - : $ *
  std::string text;
  std::int64_t number = 0;
  bool null = false;
  std::vector<answer> items;

  [[nodiscard]] bool is_error() const { return type == '-'; }
};

class redis_server {
 public:
  redis_server() {
    char folder[] = "/tmp/tidegate_redis_XXXXXX";
    if (mkdtemp(folder) == nullptr) throw std::runtime_error("mkdtemp");
    folder_ = folder;
    start();
    connect();
  }
  ~redis_server() {
    if (fd_ >= 0) close(fd_);
    if (log_ != nullptr) std::fclose(log_);
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  redis_server(const redis_server&) = delete;
  redis_server& operator=(const redis_server&) = delete;

  void send(const words& command) {
    pending_ += "*" + std::to_string(command.size()) + "\r\n";
    for (const std::string& word : command) pending_ += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  }
  answer receive() {
    flush();
    return read_answer();
  }
  answer call(const words& command) {
    send(command);
    return receive();
  }
  // All the replies of a pipeline, sent in pieces that no socket buffer refuses.
  std::vector<answer> call_all(const std::vector<words>& commands) {
    std::vector<answer> answers;
    for (std::size_t from = 0; from < commands.size(); from += 100) {
      const std::size_t until = std::min(commands.size(), from + 100);
      for (std::size_t i = from; i < until; ++i) send(commands[i]);
      for (std::size_t i = from; i < until; ++i) answers.push_back(receive());
    }
    return answers;
  }

 private:
  void start() {
    int log[2];
    if (pipe(log) != 0) throw std::runtime_error("pipe");
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      dup2(log[1], 1);
      close(log[0]);
      close(log[1]);
      const std::string socket = folder_ + "/s";
      execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", socket.c_str(), "--save", "", "--dir",
             folder_.c_str(), nullptr);
      _exit(127);
    }
    close(log[1]);
    // Its own log tells when it listens; the end of the log, that it never will.
    std::FILE* lines = fdopen(log[0], "r");
    char line[1024];
    while (std::fgets(line, sizeof line, lines) != nullptr) {
      if (std::string_view(line).find("now ready to accept connections at") != std::string_view::npos) {
        log_ = lines;
        return;
      }
    }
    std::fclose(lines);
    throw std::runtime_error("redis-server did not start");
  }

  void connect() {
    fd_ = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (folder_ + "/s").copy(address.sun_path, sizeof address.sun_path - 1);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error("connect to redis-server");
    }
  }

  void flush() {
    for (std::string_view rest = pending_; !rest.empty();) {
      const ssize_t sent = ::send(fd_, rest.data(), rest.size(), MSG_NOSIGNAL);
      if (sent <= 0) throw std::runtime_error("send to redis-server");
      rest.remove_prefix(static_cast<std::size_t>(sent));
    }
    pending_.clear();
  }

  void fill() {
    char bytes[65536];
    const ssize_t got = recv(fd_, bytes, sizeof bytes, 0);
    if (got <= 0) throw std::runtime_error("redis-server closed the connection");
    input_.erase(0, std::exchange(at_, 0));
    input_.append(bytes, static_cast<std::size_t>(got));
  }
  std::string read_line() {
    std::size_t end = 0;
    while ((end = input_.find("\r\n", at_)) == std::string::npos) fill();
    std::string line = input_.substr(at_, end - at_);
    at_ = end + 2;
    return line;
  }
  answer read_answer() {
    const std::string line = read_line();
    answer read;
    read.type = line.at(0);
    read.text = line.substr(1);
    if (read.type == '+' || read.type == '-') return read;
    read.number = std::stoll(read.text);
    read.null = read.type != ':' && read.number < 0;
    if (read.type == '$' && !read.null) {
      const auto size = static_cast<std::size_t>(read.number);
      while (input_.size() - at_ < size + 2) fill();
      read.text = input_.substr(at_, size);
      at_ += size + 2;
    }
    if (read.type == '*') {
      for (std::int64_t i = 0; i < read.number; ++i) read.items.push_back(read_answer());
    }
    return read;
  }

  std::string folder_;
  pid_t pid_ = -1;
  std::FILE* log_ = nullptr;
  int fd_ = -1;
  std::string pending_;
  std::string input_;
  std::size_t at_ = 0;
};

}  // namespace tidegate::resp::testing
