// The clients of one generator process, on one epoll: each says batches of the script and checks every byte it hears.
//
// Two ways to drive them. Closed: a client says its next batch when it has heard all of the one before; a run ends
// after a fixed count of commands. Open: commands fall due at a fixed rate whatever is still unanswered, and a latency
// counts from when its command fell due, so that a stall of the server is not hidden by the clients that wait for it.
//
// Thread safety: none.
// Ownership: owns its endpoints; the script must outlive it.
// Invariants: (1) every run ends with nothing unanswered; (2) a reply that differs in one byte from what Redis says is
// a std::runtime_error that shows it. Cost: a run allocates nothing but its histogram; a read and a write a batch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "bench/load/endpoint.hpp"
#include "bench/load/latencies.hpp"
#include "bench/load/script.hpp"

namespace tidegate::load {

constexpr std::size_t scratch_bytes = std::size_t{256} << 10;
// More unanswered commands than this on one client, and an open loop is told to be too fast.
constexpr std::size_t unanswered_max = std::size_t{1} << 16;

struct crowd_shape {
  std::string host = "127.0.0.1";
  int port = 6379;
  std::size_t connections = 50;
  std::size_t pipeline = 1;
  std::size_t names = 0;  // 0: nobody names itself; else client n says CLIENT SETNAME appN-pod with N = n % names
};

struct run_result {
  std::uint64_t commands = 0;
  double seconds = 0;
  double own_cpu_seconds = 0;
  latencies batches;
};

class crowd {
 public:
  crowd(const crowd_shape& shape, const script& words, const tls_client* tls);
  crowd(const crowd&) = delete;
  crowd& operator=(const crowd&) = delete;
  ~crowd();

  [[nodiscard]] run_result closed_loop(std::uint64_t commands);
  [[nodiscard]] run_result open_loop(std::uint64_t commands, double rate);
  [[nodiscard]] const char* cipher() const { return clients_.front().io.cipher(); }

 private:
  struct client {
    explicit client(endpoint&& made) : io(std::move(made)) {}
    endpoint io;
    std::size_t place = 0;          // of the next command to say
    std::string_view unsent;        // what the socket did not take
    std::uint64_t said = 0;         // commands
    std::uint64_t heard = 0;        // replies
    std::size_t heard_in_pair = 0;  // bytes of the current pair of replies
    std::int64_t batch_said_at = 0;
    std::deque<std::int64_t> due_at;  // open loop: when each unanswered command fell due
    bool wants_write = false;
  };

  void watch(client& who, bool writing);
  void say(client& who, std::size_t count);
  void flush(client& who);
  // Replies that came; the client's stream is checked byte by byte.
  [[nodiscard]] std::uint64_t hear(client& who);
  [[noreturn]] void complain(const client& who, std::string_view got) const;
  // Calls `each(client)` for the readable, after waiting `nanoseconds` at most (negative: for ever).
  template <class Each>
  void turn(std::int64_t nanoseconds, Each each);

  const script& words_;
  std::size_t pipeline_;
  int epoll_;
  std::vector<client> clients_;
  std::vector<char> scratch_;
};

}  // namespace tidegate::load
