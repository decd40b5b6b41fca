#include "evidence/ledger/rows.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

namespace tidegate::ledger {

namespace {

using attribution::ttl_class_keep;
using attribution::ttl_class_none;
using attribution::ttl_classes;
using attribution::ttl_classes_timed;

std::string class_name(std::size_t which) {
  if (which == ttl_class_none) return "none";
  if (which == ttl_class_keep) return "keep";
  return std::to_string(which);
}

std::size_t class_called(std::string_view name) {
  if (name == "none") return ttl_class_none;
  if (name == "keep") return ttl_class_keep;
  std::size_t which = ttl_classes;
  const auto parsed = std::from_chars(name.data(), name.data() + name.size(), which);
  const bool whole = parsed.ec == std::errc() && parsed.ptr == name.data() + name.size();
  return whole && which < ttl_classes_timed ? which : ttl_classes;
}

}  // namespace

void ttl_histogram::merge(const ttl_histogram& other) noexcept {
  for (std::size_t which = 0; which < cells.size(); ++which) {
    add(which, other.cells[which].writes, other.cells[which].bytes);
  }
}

bool ttl_histogram::empty() const noexcept {
  return *this == ttl_histogram{};
}

std::string ttl_histogram::to_json() const {
  std::string out = "{";
  for (std::size_t which = 0; which < cells.size(); ++which) {
    if (cells[which] == cell{}) continue;
    if (out.size() > 1) out += ',';
    out += '"' + class_name(which) + "\":[" + std::to_string(cells[which].writes) + ',' +
           std::to_string(cells[which].bytes) + ']';
  }
  return out + '}';
}

ttl_histogram ttl_histogram::from_json(std::string_view text) {
  ttl_histogram out;
  const nlohmann::json read = nlohmann::json::parse(text, nullptr, false);
  if (!read.is_object()) return out;
  for (const auto& [name, value] : read.items()) {
    const std::size_t which = class_called(name);
    const bool pair =
        value.is_array() && value.size() == 2 && value[0].is_number_unsigned() && value[1].is_number_unsigned();
    if (which < ttl_classes && pair) out.add(which, value[0].get<std::uint64_t>(), value[1].get<std::uint64_t>());
  }
  return out;
}

void write_sums::merge(const write_sums& other) {
  commands += other.commands;
  elements += other.elements;
  bytes += other.bytes;
  without_ttl += other.without_ttl;
  if (other.ttl_min_ms) ttl_min_ms = std::min(ttl_min_ms.value_or(*other.ttl_min_ms), *other.ttl_min_ms);
  if (other.ttl_max_ms) ttl_max_ms = std::max(ttl_max_ms.value_or(*other.ttl_max_ms), *other.ttl_max_ms);
  keys.merge(other.keys);
  ttl.merge(other.ttl);
}

std::uint64_t write_sums::distinct() const noexcept {
  return static_cast<std::uint64_t>(std::llround(keys.estimate()));
}

}  // namespace tidegate::ledger
