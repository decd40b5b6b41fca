#include "bench/load/script.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <numeric>
#include <random>

namespace tidegate::load {
namespace {

void append_bulk(std::string& wire, std::string_view word) {
  wire += '$';
  wire += std::to_string(word.size());
  wire += "\r\n";
  wire += word;
  wire += "\r\n";
}

}  // namespace

std::string key_of(std::string_view family, std::size_t number, std::size_t patterns) {
  std::array<char, 40> text{};
  const int length = std::snprintf(text.data(), text.size(), "%05zu:%08zu", number % patterns, number / patterns);
  return std::string(family).append(text.data(), static_cast<std::size_t>(length));
}

script::script(const script_shape& shape) : pipeline_(shape.pipeline) {
  const std::string value(shape.value_bytes, 'v');
  replies_ = "+OK\r\n";
  set_reply_bytes_ = replies_.size();
  append_bulk(replies_, value);

  const std::size_t pair_bytes = shape.value_bytes + 128;
  const std::size_t wanted = std::min(script_commands_max, 2 * std::max<std::size_t>(1, script_bytes_max / pair_bytes));
  const std::size_t batches = std::max<std::size_t>(1, wanted / (2 * pipeline_)) * 2;
  const std::size_t commands = batches * pipeline_;

  std::vector<std::size_t> order(shape.keys);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::mt19937_64 chance(7);  // the same order in every run and for every peer
  std::shuffle(order.begin(), order.end(), chance);

  ends_.reserve(commands + 1);
  ends_.push_back(0);
  for (std::size_t pair = 0; pair < commands / 2; ++pair) {
    const std::string key = key_of(shape.family, order[pair % order.size()], shape.patterns);
    wire_ += "*3\r\n$3\r\nSET\r\n";
    append_bulk(wire_, key);
    append_bulk(wire_, value);
    ends_.push_back(wire_.size());
    wire_ += "*2\r\n$3\r\nGET\r\n";
    append_bulk(wire_, key);
    ends_.push_back(wire_.size());
  }
}

std::string_view script::commands(std::size_t first, std::size_t count) const {
  return std::string_view(wire_).substr(ends_[first], ends_[first + count] - ends_[first]);
}

std::size_t script::place_of(std::size_t index, std::size_t count) const {
  const std::size_t pairs_of_batches = size() / (2 * pipeline_);
  return index * pairs_of_batches / count % pairs_of_batches * 2 * pipeline_;
}

std::size_t script::replies_within(std::size_t bytes) const {
  return bytes / replies_.size() * 2 + (bytes % replies_.size() >= set_reply_bytes_ ? 1 : 0);
}

}  // namespace tidegate::load
