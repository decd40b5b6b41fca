// A request made of a test's words.
//
// Ownership: the bytes, in one heap block of exactly their size, so that a sanitizer sees a read behind them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "resp/request.hpp"

namespace tidegate::resp::testing {

using words = std::vector<std::string>;

class held_request {
 public:
  explicit held_request(const words& args) {
    std::size_t size = 0;
    for (const std::string& arg : args) size += arg.size();
    bytes_.reset(new char[size]);
    std::uint32_t offset = 0;
    for (const std::string& arg : args) {
      arg.copy(bytes_.get() + offset, arg.size());
      refs_.push_back({offset, static_cast<std::uint32_t>(arg.size())});
      offset += static_cast<std::uint32_t>(arg.size());
    }
    refs_.shrink_to_fit();
  }
  [[nodiscard]] request view() const {
    request view;
    view.base = bytes_.get();
    view.refs = refs_;
    return view;
  }

 private:
  std::unique_ptr<char[]> bytes_;
  std::vector<arg_ref> refs_;
};

}  // namespace tidegate::resp::testing
