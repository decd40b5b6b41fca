// Waiting for a descriptor, with Asio: one outstanding wait a direction, whose memory lives in the waiter itself.
//
// Thread safety: its worker's. Ownership: the descriptor and, while a wait is outstanding, Asio's operation inside
// `wait_memory`: whoever owns a `readiness` keeps it alive until nothing is outstanding.
// Invariants: at most one wait for reading and one for writing.
// Cost: no allocation; arming is one epoll_ctl, which reports at once what is ready already (so: level-triggered).
// Asio's own recycling does not help here: it lives as long as one run_one() (scheduler.ipp), an outstanding wait
// longer.
#pragma once

#include <unistd.h>

#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <cstddef>
#include <cstdio>
#include <cstdlib>

namespace tidegate::net {

class wait_memory {
 public:
  static constexpr std::size_t bytes_max = 144;  // an operation of Asio 1.81 takes 88
  wait_memory() = default;
  wait_memory(const wait_memory&) = delete;
  wait_memory& operator=(const wait_memory&) = delete;

  void* take(std::size_t bytes) noexcept {
    if (taken_ || bytes > bytes_max) {
      std::fputs("tidegate: a second wait on one descriptor, or one larger than its room\n", stderr);
      std::abort();
    }
    taken_ = true;
    return room_;
  }
  void give() noexcept { taken_ = false; }
  [[nodiscard]] bool taken() const noexcept { return taken_; }

 private:
  alignas(std::max_align_t) std::byte room_[bytes_max];
  bool taken_ = false;
};

template <class T>
class wait_allocator {
 public:
  using value_type = T;
  explicit wait_allocator(wait_memory& memory) noexcept : memory_(&memory) {}
  template <class U>
  explicit(false) wait_allocator(const wait_allocator<U>& other) noexcept : memory_(other.memory()) {}
  T* allocate(std::size_t count) noexcept { return static_cast<T*>(memory_->take(count * sizeof(T))); }
  void deallocate(T*, std::size_t) noexcept { memory_->give(); }
  [[nodiscard]] wait_memory* memory() const noexcept { return memory_; }
  bool operator==(const wait_allocator&) const noexcept = default;

 private:
  wait_memory* memory_;
};

class readiness {
 public:
  using descriptor = boost::asio::posix::basic_stream_descriptor<boost::asio::io_context::executor_type>;

  explicit readiness(boost::asio::io_context& context) : descriptor_(context) {}

  // Takes the descriptor over. False when the kernel's limit of watches is reached; the descriptor is closed then.
  [[nodiscard]] bool open(int fd);
  void close() noexcept;
  // -1 when closed.
  [[nodiscard]] int fd() { return descriptor_.is_open() ? descriptor_.native_handle() : -1; }

  [[nodiscard]] bool reading() const noexcept { return read_memory_.taken(); }
  [[nodiscard]] bool writing() const noexcept { return write_memory_.taken(); }
  [[nodiscard]] bool outstanding() const noexcept { return reading() || writing(); }

  // `handler(error_code)` runs once, from the loop; with an error when the descriptor was closed before.
  template <class Handler>
  void when_readable(Handler handler) {
    descriptor_.async_wait(descriptor::wait_read,
                           boost::asio::bind_allocator(wait_allocator<void*>(read_memory_), handler));
  }
  template <class Handler>
  void when_writable(Handler handler) {
    descriptor_.async_wait(descriptor::wait_write,
                           boost::asio::bind_allocator(wait_allocator<void*>(write_memory_), handler));
  }

 private:
  descriptor descriptor_;
  wait_memory read_memory_, write_memory_;
};

inline bool readiness::open(int fd) {
  boost::system::error_code failed;
  descriptor_.assign(fd, failed);
  if (failed) {
    ::close(fd);
    return false;
  }
  // Ours are non-blocking from birth; Asio has to be told, or it asks the kernel at each first wait.
  descriptor_.native_non_blocking(true, failed);
  return true;
}

inline void readiness::close() noexcept {
  boost::system::error_code ignored;
  descriptor_.close(ignored);
}

}  // namespace tidegate::net
