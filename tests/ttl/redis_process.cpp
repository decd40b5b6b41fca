#include "tests/ttl/redis_process.hpp"

#include <hiredis/hiredis.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "resp/encoder.hpp"

namespace tidegate::ttl {
namespace {

struct reply_deleter {
  void operator()(redisReply* reply) const noexcept { freeReplyObject(reply); }
};
using reply_ptr = std::unique_ptr<redisReply, reply_deleter>;

std::string text_of(const redisReply& reply) {
  switch (reply.type) {
    case REDIS_REPLY_STATUS:
      return "+" + std::string(reply.str, static_cast<std::size_t>(reply.len));
    case REDIS_REPLY_ERROR:
      return "-" + std::string(reply.str, static_cast<std::size_t>(reply.len));
    case REDIS_REPLY_INTEGER:
      return ":" + std::to_string(reply.integer);
    case REDIS_REPLY_NIL:
      return "nil";
    case REDIS_REPLY_STRING:
      return "$" + std::string(reply.str, static_cast<std::size_t>(reply.len));
    default: {
      std::string text = "[";
      for (std::size_t i = 0; i < reply.elements; ++i) text += text_of(*reply.element[i]) + ",";
      return text + "]";
    }
  }
}

reply_ptr next_reply(redisContext* connection) {
  void* reply = nullptr;
  if (redisGetReply(connection, &reply) != REDIS_OK) throw std::runtime_error(connection->errstr);
  return reply_ptr(static_cast<redisReply*>(reply));
}

std::string encode(const std::vector<std::string>& arguments) {
  std::string bytes;
  resp::append_array_header(bytes, arguments.size());
  for (const std::string& argument : arguments) resp::append_bulk(bytes, argument);
  return bytes;
}

}  // namespace

std::unique_ptr<redis_process> redis_process::start() {
  std::unique_ptr<redis_process> server(new redis_process);
  std::string folder = (std::filesystem::temp_directory_path() / "tidegate-ttl-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) return nullptr;
  server->folder_ = folder;
  const std::string socket = folder + "/redis";
  int ends[2];
  if (pipe(ends) != 0) return nullptr;
  const pid_t parent = getpid();
  server->pid_ = fork();
  if (server->pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", socket.c_str(), "--dir", folder.c_str(),
           "--save", "", "--appendonly", "no", "--databases", "4", static_cast<char*>(nullptr));
    _exit(127);
  }
  close(ends[1]);
  // Its own log says when it listens: no waiting by the clock.
  std::string log;
  char byte = 0;
  while (log.find("ready to accept connections at") == std::string::npos && read(ends[0], &byte, 1) == 1) log += byte;
  if (log.find("ready to accept connections at") != std::string::npos) {
    server->connection_ = redisConnectUnix(socket.c_str());
  }
  close(ends[0]);  // Redis ignores SIGPIPE, and what it logs from here on is of no use
  if (server->connection_ == nullptr || server->connection_->err != 0) return nullptr;
  return server;
}

redis_process::~redis_process() {
  if (connection_ != nullptr) redisFree(connection_);
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::vector<std::string> redis_process::exchange(std::string_view bytes, std::size_t replies) {
  redisAppendFormattedCommand(connection_, bytes.data(), bytes.size());
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < replies; ++i) texts.push_back(text_of(*next_reply(connection_)));
  return texts;
}

std::string redis_process::command(const std::vector<std::string>& arguments) {
  return exchange(encode(arguments), 1).front();
}

std::string redis_process::bulk(const std::vector<std::string>& arguments) {
  const std::string text = command(arguments);
  return text.starts_with('$') ? text.substr(1) : std::string();
}

}  // namespace tidegate::ttl
