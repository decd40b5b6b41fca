#include "evidence/report/node_prices.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "config/document.hpp"
#include "config/quantity.hpp"
#include "embedded/node_prices.hpp"

namespace tidegate::report {
namespace {

struct wrong {
  std::uint32_t line;
  std::string text{};
};

std::optional<double> number_of(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !(value > 0) || value > 1e9) return std::nullopt;
  return value;
}

double number(const config::node::entry& entry) {
  const auto value = number_of(entry.value->text);
  if (!value) throw wrong{entry.line, entry.key + ": write a number above 0"};
  return *value;
}

std::uint64_t size(const config::node::entry& entry) {
  const auto value = config::parse_size(entry.value->text);
  if (!value) throw wrong{entry.line, entry.key + ": " + value.error()};
  return *value;
}

void take_size(const config::node& of, node_prices& into) {
  if (of.kind != config::node_kind::mapping)
    throw wrong{of.line, "write { type: …, memory: …, maxmemory: …, price: … }"};
  node_size made;
  for (const auto& entry : of.entries) {
    if (entry.key == "type") {
      made.type = entry.value->text;
    } else if (entry.key == "memory") {
      made.memory = size(entry);
    } else if (entry.key == "maxmemory") {
      made.maxmemory = size(entry);
    } else if (entry.key == "vcpu") {
      made.vcpu = static_cast<std::uint32_t>(number(entry));
    } else if (entry.key == "price") {
      made.price = number(entry);
    } else {
      throw wrong{entry.line, entry.key + ": no such key; a size has type, memory, maxmemory, vcpu and price"};
    }
  }
  if (made.type.empty() || made.maxmemory == 0 || made.price <= 0) {
    throw wrong{of.line, "a size needs type, maxmemory and price"};
  }
  if (into.sizes.size() == sizes_max) throw wrong{of.line, "at most " + std::to_string(sizes_max) + " sizes"};
  into.sizes.push_back(std::move(made));
}

node_prices taken(const config::node& root) {
  if (root.kind != config::node_kind::mapping) throw wrong{root.line, "write keys: region, nodes, sizes …"};
  node_prices made;
  for (const auto& entry : root.entries) {
    if (entry.key == "region") {
      made.region = entry.value->text;
    } else if (entry.key == "as_of") {
      made.as_of = entry.value->text;
    } else if (entry.key == "currency") {
      made.currency = entry.value->text;
    } else if (entry.key == "nodes") {
      made.nodes = static_cast<std::uint32_t>(number(entry));
    } else if (entry.key == "hours_a_month") {
      made.hours_a_month = number(entry);
    } else if (entry.key == "sizes") {
      if (entry.value->kind != config::node_kind::sequence) throw wrong{entry.line, "sizes: write a list"};
      for (const config::node* each : entry.value->items) take_size(*each, made);
    } else {
      throw wrong{entry.line,
                  entry.key + ": no such key; there are region, as_of, currency, nodes, hours_a_month, sizes"};
    }
  }
  std::ranges::sort(made.sizes, {}, &node_size::price);
  return made;
}

}  // namespace

std::expected<node_prices, std::string> parse_node_prices(std::string_view yaml, const std::string& name) {
  const auto document = config::parse_document(yaml);
  if (!document) {
    return std::unexpected(name + ":" + std::to_string(document.error().line) + ": " + document.error().text);
  }
  if (document->root == nullptr) return node_prices{};
  try {
    return taken(*document->root);
  } catch (const wrong& what) {
    return std::unexpected(name + ":" + std::to_string(what.line) + ": " + what.text);
  }
}

std::string_view shipped_node_prices() {
  return embedded::node_prices;
}

}  // namespace tidegate::report
