// A request of a test: owns the bytes and the argument table that a resp::request views.
#pragma once

#include <cstdint>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "resp/encoder.hpp"
#include "resp/request.hpp"

namespace tidegate::ttl {

class built_request {
 public:
  explicit built_request(const std::vector<std::string>& arguments, bool as_inline = false) {
    if (as_inline) {
      for (const std::string& argument : arguments) add(argument, " ");
      raw_ = bytes_ + "\n";
    } else {
      resp::append_array_header(bytes_, arguments.size());
      for (const std::string& argument : arguments) {
        resp::append_number_line(bytes_, '$', static_cast<std::int64_t>(argument.size()));
        add(argument, "\r\n");
      }
      raw_ = bytes_;
    }
    view_ = {raw_, as_inline ? bytes_.data() : raw_.data(), refs_, as_inline};
  }
  built_request(const built_request&) = delete;
  built_request& operator=(const built_request&) = delete;

  [[nodiscard]] const resp::request& view() const noexcept { return view_; }
  [[nodiscard]] const std::string& raw() const noexcept { return raw_; }

 private:
  void add(std::string_view argument, std::string_view end) {
    refs_.push_back({static_cast<std::uint32_t>(bytes_.size()), static_cast<std::uint32_t>(argument.size())});
    bytes_.append(argument).append(end);
  }

  std::string bytes_, raw_;
  std::vector<resp::arg_ref> refs_;
  resp::request view_;
};

// "SET k v" -> {"SET", "k", "v"}
inline std::vector<std::string> words(std::string_view line) {
  std::istringstream in{std::string(line)};
  std::vector<std::string> result;
  for (std::string word; in >> word;) result.push_back(word);
  return result;
}

}  // namespace tidegate::ttl
