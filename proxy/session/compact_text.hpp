// Text that is mostly absent, in eight bytes: what a session remembers of its names.
//
// Thread safety: none. Ownership: owns its bytes. Invariants: empty text owns no memory. Cost: an assignment allocates,
// so it belongs to naming events; reading is free.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace tidegate::session {

class compact_text {
 public:
  compact_text() = default;
  compact_text& operator=(std::string_view text) {
    if (text.empty()) {
      bytes_.reset();
      return *this;
    }
    const auto size = static_cast<std::uint32_t>(text.size());
    auto bytes = std::make_unique<char[]>(sizeof(size) + size);
    std::memcpy(bytes.get(), &size, sizeof(size));
    std::memcpy(bytes.get() + sizeof(size), text.data(), size);
    bytes_ = std::move(bytes);  // last: `text` may be its own
    return *this;
  }
  [[nodiscard]] bool empty() const noexcept { return bytes_ == nullptr; }
  void clear() noexcept { bytes_.reset(); }
  [[nodiscard]] std::string_view view() const noexcept {
    if (bytes_ == nullptr) return {};
    std::uint32_t size = 0;
    std::memcpy(&size, bytes_.get(), sizeof(size));
    return {bytes_.get() + sizeof(size), size};
  }
  [[nodiscard]] std::string str() const { return std::string(view()); }
  explicit(false) operator std::string_view() const noexcept { return view(); }

 private:
  std::unique_ptr<char[]> bytes_;
};

}  // namespace tidegate::session
