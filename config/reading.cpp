#include "config/reading.hpp"

#include <algorithm>

namespace tidegate::config {
namespace {

std::string_view kind_name(node_kind kind) {
  switch (kind) {
    case node_kind::null:
      return "nothing";
    case node_kind::scalar:
      return "a single value";
    case node_kind::sequence:
      return "a list";
    case node_kind::mapping:
      return "a mapping";
  }
  std::abort();
}

// A key as it stands in a key path: what YAML allows in a key is not fit for a terminal.
std::string printable(std::string_view text, std::size_t bytes_max) {
  std::string out;
  for (const char c : text.substr(0, bytes_max)) {
    const auto byte = static_cast<unsigned char>(c);
    out += byte < 0x20 || byte == 0x7f ? '?' : c;
  }
  if (text.size() > bytes_max) {
    // No sequence is cut in its middle.
    while (!out.empty() && (static_cast<unsigned char>(out.back()) & 0xc0U) == 0x80U) out.pop_back();
    if (!out.empty() && static_cast<unsigned char>(out.back()) >= 0xc0U) out.pop_back();
    out += "...";
  }
  return out;
}

std::vector<mistake> in_order(std::vector<mistake> list) {
  std::ranges::stable_sort(list, {}, &mistake::line);
  return list;
}

std::string join(std::span<const std::string_view> names) {
  std::string out;
  for (const auto& one : names) {
    if (!out.empty()) out += ", ";
    out += one;
  }
  return out;
}

std::string child_key(const std::string& parent, std::string_view key) {
  const std::string name = printable(key, 64);
  return parent.empty() ? name : parent + "." + name;
}

}  // namespace

std::string mistake::to_string() const {
  std::string out = file;
  if (line > 0) out += ":" + std::to_string(line);
  if (!out.empty()) out += ": ";
  if (!key.empty()) out += key + ": ";
  return out + text;
}

reading::reading(std::string file, std::optional<mode_t> mode) : file_(std::move(file)), mode_(mode) {
  const auto slash = file_.rfind('/');
  if (slash != std::string::npos) folder_ = file_.substr(0, slash + 1);
}

void reading::book(std::uint32_t line, std::string key, std::string text) {
  if (mistakes_.size() < mistakes_max) mistakes_.push_back({file_, line, std::move(key), std::move(text)});
}

void reading::warn(std::uint32_t line, std::string key, std::string text) {
  if (warnings_.size() < mistakes_max) warnings_.push_back({file_, line, std::move(key), std::move(text)});
}

std::vector<mistake> reading::take_mistakes() {
  return in_order(std::move(mistakes_));
}
std::vector<mistake> reading::take_warnings() {
  return in_order(std::move(warnings_));
}

std::string reading::resolved(std::string_view path) const {
  if (path.starts_with('/')) return std::string(path);
  return folder_ + std::string(path);
}

std::string reading::quoted(std::string_view raw) {
  return "`" + printable(raw, 48) + "`";
}

bool reading::is_off(const place& at) const {
  if (!at.is(node_kind::scalar)) return false;
  std::string word = at.value->text;
  std::ranges::transform(word, word.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return word == "off" || word == "false" || word == "no";
}

std::optional<std::size_t> reading::choose(const place& at, std::span<const std::string_view> names) {
  const auto value = scalar(at, "write one of: " + join(names));
  if (!value) return std::nullopt;
  const auto found = std::ranges::find(names, std::string_view(*value));
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  std::string text = quoted(at.value->text) + " is not known; ";
  const auto near = nearest(*value, names);
  if (!near.empty()) text += "did you mean " + std::string(near) + "? ";
  book(at, text + "write one of: " + join(names));
  return std::nullopt;
}

std::vector<place> reading::list(const place& at, std::string_view item, std::size_t items_max) {
  std::vector<place> items;
  if (at.is(node_kind::null)) return items;  // a heading whose entries are all commented out
  if (!at.is(node_kind::sequence)) {
    book(at, "must be a list, not " + std::string(kind_name(at.value->kind)) + "; write [ " + std::string(item) +
                 " ], or each entry on a line of its own behind \"- \"");
    return items;
  }
  if (at.value->items.size() > items_max) {
    book(at, "holds " + std::to_string(at.value->items.size()) + " entries; at most " + std::to_string(items_max) +
                 " are possible, join or remove some");
    return items;
  }
  for (std::size_t i = 0; i < at.value->items.size(); ++i) {
    const node* value = at.value->items[i];
    items.push_back({value, at.key + "[" + std::to_string(i) + "]", value->line});
  }
  return items;
}

section::section(reading& in, const place& at, std::initializer_list<std::string_view> known, std::string_view example,
                 bool secret)
    : in_(in), at_(at) {
  if (!at.is(node_kind::mapping)) {
    in.book(at, "must be a mapping, not " + std::string(kind_name(at.value->kind)) + "; write " + std::string(example));
    return;
  }
  readable_ = true;
  check_keys(known, secret);
}

void section::check_keys(std::initializer_list<std::string_view> known, bool secret) {
  const std::span<const std::string_view> names(known.begin(), known.size());
  std::vector<const node::entry*> sorted;
  for (const auto& entry : at_.value->entries) sorted.push_back(&entry);
  std::ranges::stable_sort(sorted, {}, [](const node::entry* e) -> const std::string& { return e->key; });
  const node::entry* first = nullptr;
  for (const node::entry* entry : sorted) {
    // A secret typed where a key belongs (`{ hunter2 }`) must not come back in a message.
    const bool hide = secret && entry->value->kind == node_kind::null;
    const bool is_known = std::ranges::find(names, std::string_view(entry->key)) != names.end();
    const std::string key = hide && !is_known ? at_.key : child_key(at_.key, entry->key);
    if (first != nullptr && first->key == entry->key) {
      in_.book(entry->line, key, "stands twice, first on line " + std::to_string(first->line) + "; remove one of them");
      continue;
    }
    first = entry;
    if (is_known) continue;
    if (entry->key == "<<") {
      in_.book(entry->line, key, "merge keys (<<) are not supported; write the values out");
      continue;
    }
    std::string text = "unknown key; ";
    const auto near = hide ? std::string_view{} : nearest(entry->key, names);
    if (!near.empty()) text += "did you mean " + std::string(near) + "? ";
    in_.book(entry->line, key, text + "known here: " + join(names));
  }
}

std::optional<place> section::find(std::string_view key) const {
  if (!readable_) return std::nullopt;
  for (const auto& entry : at_.value->entries) {
    if (entry.key != key) continue;
    // An absent value begins nowhere, and an alias's stands elsewhere: the key's line is the one to look at.
    const bool here = entry.value->kind != node_kind::null && entry.value->line >= entry.line;
    return place{entry.value, child_key(at_.key, key), here ? entry.value->line : entry.line};
  }
  return std::nullopt;
}

std::optional<place> section::need(std::string_view key, std::string_view example) {
  auto found = find(key);
  if (!found && readable_) {
    in_.book(at_.line, child_key(at_.key, key), "is missing; write " + std::string(example));
  }
  return found;
}

}  // namespace tidegate::config
