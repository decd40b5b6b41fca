#include "tests/admin/redis_process.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

namespace tidegate::test {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

pid_t spawn(const std::vector<std::string>& words, int in, int out) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  if (in >= 0) ::dup2(in, 0);
  ::dup2(out, 1);
  ::dup2(out, 2);
  ::execvp(arguments[0], arguments.data());
  ::_exit(127);
}

// Reads until `text` was seen or the stream ends; bounded by `seconds`.
bool read_until(int fd, const std::string& text, int seconds) {
  std::string seen;
  std::array<char, 4096> scratch;
  for (;;) {
    pollfd waiting{fd, POLLIN, 0};
    if (::poll(&waiting, 1, seconds * 1000) <= 0) return false;
    const ssize_t size = ::read(fd, scratch.data(), scratch.size());
    if (size <= 0) return false;
    seen.append(scratch.data(), static_cast<std::size_t>(size));
    if (seen.find(text) != std::string::npos) return true;
  }
}

void must_run(const std::vector<std::string>& words) {
  const run_result ran = run_program(words);
  if (ran.status != 0) throw std::runtime_error(words.front() + ": " + ran.output);
}

}  // namespace

std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("no free port");
  }
  ::close(fd);
  return ntohs(address.sin_port);
}

run_result run_program(const std::vector<std::string>& words, const std::string& input) {
  // The input goes through a file: a pipe could fill up while nobody reads the program's output.
  FILE* in = std::tmpfile();
  if (in == nullptr) throw std::runtime_error("no temporary file");
  std::fwrite(input.data(), 1, input.size(), in);
  std::rewind(in);
  std::array<int, 2> out{};
  if (::pipe2(out.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  const pid_t pid = spawn(words, ::fileno(in), out[1]);
  ::close(out[1]);
  run_result result;
  std::array<char, 4096> scratch;
  for (ssize_t size = 0; (size = ::read(out[0], scratch.data(), scratch.size())) > 0;) {
    result.output.append(scratch.data(), static_cast<std::size_t>(size));
  }
  ::close(out[0]);
  std::fclose(in);
  int status = 0;
  ::waitpid(pid, &status, 0);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return result;
}

redis_process::redis_process(std::vector<std::string> arguments, bool tls) {
  std::string name = std::filesystem::temp_directory_path() / "tidegate-redis-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
  folder_ = name;
  if (tls) make_certificates();
  // Another process may take a free port before redis does: then it is another one's turn.
  for (int attempt = 0; attempt < 5 && pid_ < 0; ++attempt) {
    port_ = free_port();
    const std::string port = std::to_string(port_);
    std::vector<std::string> words{"redis-server", "--port", tls ? "0" : port, "--bind", "127.0.0.1",    "--save", "",
                                   "--dir",        folder_,  "--daemonize",    "no",     "--appendonly", "no"};
    if (tls) {
      for (const char* word : {"--tls-auth-clients", "no", "--tls-port"}) words.emplace_back(word);
      words.push_back(port);
      words.insert(words.end(), {"--tls-cert-file", folder_ + "/server.crt", "--tls-key-file", folder_ + "/server.key",
                                 "--tls-ca-cert-file", ca()});
    }
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::array<int, 2> out{};
    if (::pipe2(out.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    pid_ = spawn(words, -1, out[1]);
    ::close(out[1]);
    out_ = out[0];
    if (!read_until(out_, "Ready to accept connections", 60)) end();
  }
  if (pid_ < 0) throw std::runtime_error("redis-server does not start");
}

redis_process::~redis_process() {
  end();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void redis_process::make_certificates() const {
  const std::string key = folder_ + "/server.key";
  must_run({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", folder_ + "/server.crt"});
  std::filesystem::copy_file(folder_ + "/server.crt", ca());
}

std::string redis_process::ask(const std::string& inline_command) const {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port_);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    ::close(fd);
    throw std::runtime_error("redis-server cannot be reached");
  }
  // QUIT ends the stream behind the reply: nothing has to guess where it ends.
  const std::string asked = inline_command + "\r\nQUIT\r\n";
  std::string got;
  std::array<char, 4096> scratch;
  if (::send(fd, asked.data(), asked.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(asked.size())) {
    for (ssize_t size = 0; (size = ::read(fd, scratch.data(), scratch.size())) > 0;) {
      got.append(scratch.data(), static_cast<std::size_t>(size));
    }
  }
  ::close(fd);
  return got;
}

void redis_process::pause() const {
  ::kill(pid_, SIGSTOP);
}
void redis_process::resume() const {
  ::kill(pid_, SIGCONT);
}

void redis_process::end() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  pid_ = -1;
  if (out_ >= 0) ::close(out_);
  out_ = -1;
}

}  // namespace tidegate::test
