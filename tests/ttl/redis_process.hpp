// A real redis-server of a test's own, on a unix socket in a folder of its own; it ends with the test.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct redisContext;

namespace tidegate::ttl {

class redis_process {
 public:
  // nullptr where there is no redis-server.
  static std::unique_ptr<redis_process> start();
  ~redis_process();
  redis_process(const redis_process&) = delete;
  redis_process& operator=(const redis_process&) = delete;

  // Sends the bytes as they are and returns the replies as text: "+OK", "-ERR …", ":1", "$3 abc", "nil", "[…]".
  std::vector<std::string> exchange(std::string_view bytes, std::size_t replies);
  std::string command(const std::vector<std::string>& arguments);
  // The payload of DUMP, as bytes.
  std::string bulk(const std::vector<std::string>& arguments);

 private:
  redis_process() = default;

  std::string folder_;
  pid_t pid_ = -1;
  redisContext* connection_ = nullptr;
};

}  // namespace tidegate::ttl
