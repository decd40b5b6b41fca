// One thing handed from one thread to another: the newest wins, what nobody took is freed by whoever replaces it.
//
// Thread safety: put() from any thread, take() from the worker's. Ownership: passes with the pointer; exchange() makes
// each put thing the property of exactly one side (acq_rel: its contents are seen whole). Cost: one exchange; take() of
// an empty box one relaxed load.
#pragma once

#include <atomic>
#include <memory>

namespace tidegate::net {

template <class T>
class mailbox {
 public:
  mailbox() = default;
  ~mailbox() { delete box_.load(std::memory_order_acquire); }
  mailbox(const mailbox&) = delete;
  mailbox& operator=(const mailbox&) = delete;

  void put(std::unique_ptr<T> thing) { delete box_.exchange(thing.release(), std::memory_order_acq_rel); }
  [[nodiscard]] std::unique_ptr<T> take() noexcept {
    if (box_.load(std::memory_order_relaxed) == nullptr) return nullptr;
    return std::unique_ptr<T>(box_.exchange(nullptr, std::memory_order_acq_rel));
  }

 private:
  std::atomic<T*> box_{nullptr};
};

}  // namespace tidegate::net
