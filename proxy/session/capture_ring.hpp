// What a worker tells the capture: commands as they are sent, and what became of each, through a ring of bytes.
//
// Thread safety: push_* on one worker, front() and pop() on one reading thread. Ownership: owns its bytes, taken once.
// Invariants: (1) a worker never waits: what has no room is dropped and counted; (2) messages leave in the order in
// which they came; (3) a message lies in one piece; (4) the last eighth of the room is for outcomes, which are small,
// so a command that went in is hardly ever left without one. Cost: a copy of the arguments; no allocation, no lock.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

#include "attribution/identity.hpp"
#include "resp/request.hpp"

namespace tidegate::session {

struct capture_message {
  enum class what : std::uint8_t {
    padding,    // up to the end of the ring
    command,    // its argument lengths (32 bits each) and bytes stand behind
    executed,   // the command of that number was booked
    forgotten,  // … was refused, or nobody knows
    begin,      // what follows up to `end` ran as one transaction
    end,
  };
  std::uint32_t size = 0;  // with everything behind it, a multiple of 8
  what kind = what::padding;
  bool v6 = false;
  std::uint16_t command = 0;
  std::uint32_t number = 0;  // of the command, in this worker
  std::uint32_t arguments = 0;
};
struct capture_command {
  std::uint64_t session = 0;
  std::int64_t wall_ms = 0;
  std::uint32_t client = 0, pattern = 0, db = 0, unused = 0;
  std::array<std::uint8_t, 16> source{};
};

class capture_ring {
 public:
  static constexpr std::size_t bytes = std::size_t{8} << 20;
  static constexpr std::size_t message_max = bytes / 4;
  static constexpr std::size_t kept_for_outcomes = bytes / 8;

  capture_ring() : data_(new char[bytes]) {}  // not cleared: pages are taken as they are used
  capture_ring(const capture_ring&) = delete;
  capture_ring& operator=(const capture_ring&) = delete;

  // --- the worker
  // The command's number; 0: it is not captured.
  [[nodiscard]] std::uint32_t push_command(capture_command head, bool v6, std::uint16_t command,
                                           const resp::request& request) noexcept {
    std::size_t size = sizeof(capture_message) + sizeof head + sizeof(std::uint32_t) * request.size();
    for (const resp::arg_ref& ref : request.refs) size += ref.length;
    size = (size + 7) & ~std::size_t{7};
    if (size > message_max) {
      drop(too_large);
      return 0;
    }
    char* at = reserve(size, kept_for_outcomes);
    if (at == nullptr) {
      drop(no_room);
      return 0;
    }
    if (++number_ == 0) number_ = 1;
    const capture_message message{.size = static_cast<std::uint32_t>(size),
                                  .kind = capture_message::what::command,
                                  .v6 = v6,
                                  .command = command,
                                  .number = number_,
                                  .arguments = static_cast<std::uint32_t>(request.size())};
    at = put(put(at, &message, sizeof message), &head, sizeof head);
    for (const resp::arg_ref& ref : request.refs) at = put(at, &ref.length, sizeof ref.length);
    for (std::size_t index = 0; index < request.size(); ++index) {
      at = put(at, request[index].data(), request[index].size());
    }
    publish(size);
    return number_;
  }
  void push(capture_message::what kind, std::uint32_t number = 0) noexcept {
    const capture_message message{.size = sizeof(capture_message), .kind = kind, .number = number};
    char* const at = reserve(sizeof message, 0);
    if (at == nullptr) {
      if (kind == capture_message::what::executed) drop(no_room);
      return;
    }
    put(at, &message, sizeof message);
    publish(sizeof message);
  }
  enum cause : std::size_t { no_room, too_large, secret };
  void drop(cause why) noexcept {
    dropped_[why].store(dropped_[why].load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  // --- the reader
  // Null: nothing is there.
  [[nodiscard]] const capture_message* front() noexcept {
    for (;;) {
      const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
      if (tail == head_.load(std::memory_order_acquire)) return nullptr;
      const auto* message = reinterpret_cast<const capture_message*>(data_.get() + tail % bytes);
      if (message->kind != capture_message::what::padding) return message;
      tail_.store(tail + message->size, std::memory_order_release);
    }
  }
  void pop(const capture_message& message) noexcept {
    tail_.store(tail_.load(std::memory_order_relaxed) + message.size, std::memory_order_release);
  }
  [[nodiscard]] std::uint64_t dropped(cause why) const noexcept {
    return dropped_[why].load(std::memory_order_relaxed);
  }

 private:
  static char* put(char* at, const void* from, std::size_t size) noexcept {
    if (size != 0) std::memcpy(at, from, size);
    return at + size;
  }
  // Room for `size` bytes in one piece, with `kept` left over; null: there is none.
  [[nodiscard]] char* reserve(std::size_t size, std::size_t kept) noexcept {
    std::uint64_t head = head_.load(std::memory_order_relaxed);
    const std::size_t to_end = bytes - head % bytes;
    const std::size_t padding = to_end < size ? to_end : 0;
    if (head + padding + size + kept - tail_.load(std::memory_order_acquire) > bytes) return nullptr;
    if (padding != 0) {
      // The end is a multiple of 8 away, and a message's first word of 8 says all of a padding.
      const capture_message pad{.size = static_cast<std::uint32_t>(padding)};
      std::memcpy(data_.get() + head % bytes, &pad, std::min(padding, sizeof pad));
      head += padding;
      head_.store(head, std::memory_order_release);
    }
    return data_.get() + head % bytes;
  }
  void publish(std::size_t size) noexcept {
    head_.store(head_.load(std::memory_order_relaxed) + size, std::memory_order_release);
  }

  std::unique_ptr<char[]> data_;
  std::uint32_t number_ = 0;  // the worker's
  std::array<std::atomic<std::uint64_t>, 3> dropped_{};
  alignas(64) std::atomic<std::uint64_t> head_{0};
  alignas(64) std::atomic<std::uint64_t> tail_{0};
};

}  // namespace tidegate::session
