#include "proxy/session/buffer_pool.hpp"

#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

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
  if (block_ == nullptr) return;
  pool_->give(reinterpret_cast<char*>(block_), sizeof(header) + block_->capacity);
  block_ = nullptr;
}

void buffer::make_room(std::size_t size) {
  const std::size_t held = this->size();
  // Moving the rest to the front is worth it only while at least half of the block would be free again.
  if (block_ != nullptr && held + size <= block_->capacity && block_->begin >= block_->capacity / 2) {
    std::memmove(bytes(), bytes() + block_->begin, held);
    block_->begin = 0;
    block_->end = held;
    return;
  }
  std::size_t room = sizeof(header) + (held + size < 2 * held ? 2 * held : held + size);
  header* const former = block_;
  const std::string_view kept = view();
  block_ = ::new (pool_->take(room)) header{room - sizeof(header), 0, held};
  if (former == nullptr) return;
  std::memcpy(bytes(), kept.data(), held);
  pool_->give(reinterpret_cast<char*>(former), sizeof(header) + former->capacity);
}

}  // namespace tidegate::session
