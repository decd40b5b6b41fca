#include "proxy/session/buffer_pool.hpp"

#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace tidegate::session {

buffer_pool::buffer_pool() {
  for (std::size_t index = 0; index < size_classes; ++index) {
    free_[index].reserve(spare_bytes_max / (block_min << index));
  }
}

buffer_pool::~buffer_pool() {
  for (auto& blocks : free_) {
    for (char* block : blocks) std::free(block);
  }
}

std::size_t buffer_pool::class_of(std::size_t bytes) noexcept {
  if (bytes <= block_min) return 0;
  return static_cast<std::size_t>(std::bit_width((bytes - 1) / block_min));
}

char* buffer_pool::take(std::size_t& bytes) {
  const std::size_t index = class_of(bytes);
  bytes = block_min << index;
  lent_ += bytes;
  if (index < size_classes && !free_[index].empty()) {
    char* block = free_[index].back();
    free_[index].pop_back();
    spare_ -= bytes;
    return block;
  }
  char* block = static_cast<char*>(std::malloc(bytes));
  if (block == nullptr) {
    std::fprintf(stderr, "tidegate: out of memory for a buffer of %zu bytes\n", bytes);
    std::abort();
  }
  return block;
}

void buffer_pool::give(char* block, std::size_t bytes) noexcept {
  lent_ -= bytes;
  const std::size_t index = class_of(bytes);
  if (index < size_classes && spare_ + bytes <= spare_bytes_max && free_[index].size() < free_[index].capacity()) {
    free_[index].push_back(block);
    spare_ += bytes;
    return;
  }
  std::free(block);
}

void buffer::clear() noexcept {
  if (block_ != nullptr) pool_->give(block_, capacity_);
  block_ = nullptr;
  capacity_ = begin_ = end_ = 0;
}

void buffer::make_room(std::size_t size) {
  const std::size_t held = end_ - begin_;
  // Moving the rest to the front is worth it only while at least half of the block would be free again.
  if (block_ != nullptr && held + size <= capacity_ && begin_ >= capacity_ / 2) {
    std::memmove(block_, block_ + begin_, held);
    begin_ = 0;
    end_ = held;
    return;
  }
  std::size_t capacity = held + size < 2 * held ? 2 * held : held + size;
  char* block = pool_->take(capacity);
  if (held != 0) std::memcpy(block, block_ + begin_, held);
  if (block_ != nullptr) pool_->give(block_, capacity_);
  block_ = block;
  capacity_ = capacity;
  begin_ = 0;
  end_ = held;
}

}  // namespace tidegate::session
