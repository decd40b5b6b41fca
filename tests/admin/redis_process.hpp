// A real redis-server on a free loopback port, for the life of an object.
//
// Thread safety: none. Ownership: owns the process and its folder; the destructor ends both, by pid.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace tidegate::test {

class redis_process {
 public:
  // tls: the only port speaks TLS, with a certificate for `localhost` signed by a CA of its own.
  explicit redis_process(std::vector<std::string> arguments = {}, bool tls = false);
  ~redis_process();
  redis_process(const redis_process&) = delete;
  redis_process& operator=(const redis_process&) = delete;

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] const std::string& folder() const noexcept { return folder_; }
  [[nodiscard]] std::string ca() const { return folder_ + "/ca.crt"; }
  // Asks on a connection of its own (plain); the raw reply. Not for replies beyond 64 KiB.
  [[nodiscard]] std::string ask(const std::string& inline_command) const;
  void end();
  void pause() const;  // SIGSTOP: connections are accepted by the kernel, nobody answers
  void resume() const;

 private:
  void make_certificates() const;
  std::string folder_;
  std::uint16_t port_ = 0;
  pid_t pid_ = -1;
  int out_ = -1;
};

// A port that nobody listens on just now.
[[nodiscard]] std::uint16_t free_port();

// Runs a program to its end; its output and status.
struct run_result {
  int status = -1;
  std::string output;
};
[[nodiscard]] run_result run_program(const std::vector<std::string>& words, const std::string& input = {});

}  // namespace tidegate::test
