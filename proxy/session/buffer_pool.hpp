// Byte buffers that belong to a connection only while it has something to hold.
//
// Thread safety: none; one pool a worker. Ownership: a `buffer` owns its block and gives it back when it runs empty.
// Invariants: an empty buffer owns no memory; the pool keeps at most `spare_bytes_max` of free blocks.
// Cost: append is a memcpy; growth doubles; blocks of 4 KiB to 1 MiB are recycled, larger ones come from malloc.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace tidegate::session {

class buffer_pool {
 public:
  static constexpr std::size_t block_min = 4096;
  static constexpr std::size_t size_classes = 9;  // 4 KiB … 1 MiB
  static constexpr std::size_t spare_bytes_max = 16U << 20;

  buffer_pool();
  ~buffer_pool();
  buffer_pool(const buffer_pool&) = delete;
  buffer_pool& operator=(const buffer_pool&) = delete;

  // A block of at least `bytes`; its real size comes back in `bytes`. Aborts with a message when the machine is out of
  // memory.
  [[nodiscard]] char* take(std::size_t& bytes);
  void give(char* block, std::size_t bytes) noexcept;
  // Bytes in blocks that are lent out.
  [[nodiscard]] std::size_t lent() const noexcept { return lent_; }

 private:
  [[nodiscard]] static std::size_t class_of(std::size_t bytes) noexcept;
  std::array<std::vector<char*>, size_classes> free_;
  std::size_t spare_ = 0;
  std::size_t lent_ = 0;
};

// A queue of bytes in one contiguous block: appended behind, consumed in front. Its own words lie at the block's
// beginning, so that the three buffers of an idle session take two pointers each.
class buffer {
 public:
  explicit buffer(buffer_pool& pool) noexcept : pool_(&pool) {}
  ~buffer() { clear(); }
  buffer(const buffer&) = delete;
  buffer& operator=(const buffer&) = delete;

  void append(const char* data, std::size_t size) {
    if (size == 0) return;
    if (block_ == nullptr || size > block_->capacity - block_->end) make_room(size);
    __builtin_memcpy(bytes() + block_->end, data, size);
    block_->end += size;
  }
  void append(std::string_view text) { append(text.data(), text.size()); }
  [[nodiscard]] std::string_view view() const noexcept {
    if (block_ == nullptr) return {};
    return {bytes() + block_->begin, block_->end - block_->begin};
  }
  [[nodiscard]] std::size_t size() const noexcept { return block_ == nullptr ? 0 : block_->end - block_->begin; }
  [[nodiscard]] bool empty() const noexcept { return block_ == nullptr; }
  void consume(std::size_t count) noexcept {
    if (block_ == nullptr) return;
    block_->begin += count;
    if (block_->begin == block_->end) clear();
  }
  void clear() noexcept;

 private:
  struct header {
    std::size_t capacity, begin, end;  // of the bytes behind it; begin < end, or there is no block
  };
  [[nodiscard]] char* bytes() const noexcept { return reinterpret_cast<char*>(block_ + 1); }
  void make_room(std::size_t size);

  buffer_pool* pool_;
  header* block_ = nullptr;
};

}  // namespace tidegate::session
