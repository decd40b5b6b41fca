// Finding a command's row: open addressing over names folded in registers.
#include "resp/command_table.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <deque>
#include <limits>
#include <utility>

namespace tidegate::resp {

namespace {

// What an upstream may add: modules bring hundreds of commands, a broken answer could bring any number.
constexpr std::size_t commands_max = 8192;
constexpr std::size_t name_bytes_max = 64;
constexpr std::uint16_t no_parent = 0;

// Eight letters at once. Only A-Z change: with a plain `| 0x20` a carriage return would be a dash ("restore\rasking").
std::uint64_t to_lower(std::uint64_t word) noexcept {
  constexpr std::uint64_t ones = 0x0101010101010101;
  const std::uint64_t low = word & (0x7f * ones);
  const std::uint64_t above_z = low + (0x7f - 'Z') * ones;
  const std::uint64_t from_a = low + (0x80 - 'A') * ones;
  const std::uint64_t upper = (from_a ^ above_z) & ~word & (0x80 * ones);
  return word | (upper >> 2);
}

template <class Word>
std::uint64_t load(const char* from) noexcept {
  Word word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

// First and last eight bytes, folded: the whole of a name up to 16 bytes, which nearly all are.
struct folded {
  std::uint64_t head = 0;
  std::uint64_t tail = 0;

  explicit folded(std::string_view name) noexcept {
    const std::size_t size = name.size();
    const char* bytes = name.data();
    if (size >= 8) {
      head = load<std::uint64_t>(bytes);
      tail = load<std::uint64_t>(bytes + size - 8);
    } else if (size >= 4) {
      head = load<std::uint32_t>(bytes);
      tail = load<std::uint32_t>(bytes + size - 4);
    } else if (size > 0) {
      const auto byte = [&](std::size_t at) { return std::uint64_t{static_cast<unsigned char>(bytes[at])}; };
      head = byte(0) | byte(size / 2) << 8 | byte(size - 1) << 16;
    }
    head = to_lower(head);
    tail = to_lower(tail);
  }
};

char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

bool same_folded(std::string_view given, std::string_view name) noexcept {
  return std::ranges::equal(given, name, [](char a, char b) { return lower(a) == b; });
}

std::size_t hash(const folded& name, std::size_t size, std::uint16_t parent) noexcept {
  std::uint64_t mixed = (name.head ^ std::rotl(name.tail, 29)) + (std::uint64_t{parent} << 40) + size;
  mixed *= 0x9e3779b97f4a7c15;
  return static_cast<std::size_t>(mixed >> 32);
}

bool has_flag(const upstream_command& told, std::string_view flag) noexcept {
  return std::ranges::find(told.flags, flag) != told.flags.end();
}

bool fits(std::int64_t value) noexcept {
  return value >= std::numeric_limits<std::int16_t>::min() && value <= std::numeric_limits<std::int16_t>::max();
}

// A command that the build does not know, from what COMMAND says of it.
command_spec spec_of(const upstream_command& told) noexcept {
  command_spec spec;
  spec.arity = fits(told.arity) && told.arity != 0 ? static_cast<std::int16_t>(told.arity) : std::int16_t{-1};
  spec.write = has_flag(told, "write");
  spec.denyoom = has_flag(told, "denyoom");
  spec.no_auth = has_flag(told, "no_auth");
  spec.no_multi = has_flag(told, "no_multi");
  if (has_flag(told, "blocking")) spec.answers = answer::late;
  if (spec.write) {
    spec.cls = spec.denyoom ? command_class::grow : command_class::free;
  } else {
    spec.cls = has_flag(told, "readonly") ? command_class::read : command_class::admin;
  }
  // One that grows may leave a key without a TTL; a follow-up that finds one does no harm.
  if (spec.cls == command_class::grow) spec.ttl = ttl_effect::keeps;
  spec.first_access = spec.other_access = spec.write ? key_access::write : key_access::read;
  if (has_flag(told, "movablekeys") || !fits(told.first_key) || !fits(told.last_key) || !fits(told.step)) {
    spec.keys = key_layout::opaque;
  } else if (told.first_key > 0 && told.step > 0) {
    spec.keys = key_layout::range;
    spec.key_first = static_cast<std::int16_t>(told.first_key);
    spec.key_last = static_cast<std::int16_t>(told.last_key);
    spec.key_step = static_cast<std::int16_t>(told.step);
  }
  return spec;
}

}  // namespace

struct command_table::index {
  struct slot {
    std::uint64_t head = 0;
    std::uint64_t tail = 0;
    std::string_view name;  // without its family's
    std::uint16_t parent = no_parent;
    std::uint16_t id = 0;  // 0 = empty
  };

  std::vector<command_spec> specs;
  std::vector<std::uint8_t> listed;  // by id: whether the upstream has it
  std::deque<std::string> names;     // of added commands; a deque, as specs look into them
  std::vector<slot> slots;           // a power of two, at most half full

  [[nodiscard]] std::uint16_t lookup(std::uint16_t parent, std::string_view name) const noexcept {
    if (name.empty() || name.size() > name_bytes_max) return 0;
    const folded words{name};
    const std::size_t mask = slots.size() - 1;
    for (std::size_t at = hash(words, name.size(), parent) & mask;; at = (at + 1) & mask) {
      const slot& here = slots[at];
      if (here.id == 0) return 0;
      if (here.head == words.head && here.tail == words.tail && here.name.size() == name.size() &&
          here.parent == parent && (name.size() <= 16 || same_folded(name, here.name))) {
        return here.id;
      }
    }
  }

  void insert(const slot& added) noexcept {
    const std::size_t mask = slots.size() - 1;
    std::size_t at = hash(folded{added.name}, added.name.size(), added.parent) & mask;
    while (slots[at].id != 0) at = (at + 1) & mask;
    slots[at] = added;
  }

  void enter(std::uint16_t id, std::string_view full_name) {
    const std::size_t bar = full_name.find('|');
    const std::uint16_t parent = bar == full_name.npos ? no_parent : lookup(no_parent, full_name.substr(0, bar));
    const std::string_view name = bar == full_name.npos ? full_name : full_name.substr(bar + 1);
    const folded words{name};
    insert({words.head, words.tail, name, parent, id});
  }

  [[nodiscard]] std::uint16_t lookup_full(std::string_view full_name) const noexcept {
    const std::size_t bar = full_name.find('|');
    if (bar == full_name.npos) return lookup(no_parent, full_name);
    const std::uint16_t parent = lookup(no_parent, full_name.substr(0, bar));
    return parent == 0 ? std::uint16_t{0} : lookup(parent, full_name.substr(bar + 1));
  }

  void grow_for(std::size_t commands) {
    const std::size_t wanted = std::bit_ceil(commands * 4);
    if (wanted <= slots.size()) return;
    const std::vector<slot> old = std::exchange(slots, std::vector<slot>(wanted));
    for (const slot& moved : old) {
      if (moved.id != 0) insert(moved);
    }
  }

  void add(const upstream_command& told);
  void merge(const upstream_command& told, bool subcommand);
  void settle_families(std::span<const upstream_command> upstream);
};

void command_table::index::add(const upstream_command& told) {
  if (specs.size() >= commands_max) return;
  std::string& name = names.emplace_back(told.name);
  std::ranges::transform(name, name.begin(), lower);
  command_spec spec = spec_of(told);
  spec.name = name;
  spec.id = static_cast<std::uint16_t>(specs.size());
  specs.push_back(spec);
  listed.push_back(1);
  grow_for(specs.size());
  enter(spec.id, spec.name);
}

void command_table::index::merge(const upstream_command& told, bool subcommand) {
  const std::size_t bar = told.name.find('|');
  if ((bar != std::string::npos) != subcommand) return;
  const std::size_t own_bytes = subcommand ? told.name.size() - bar - 1 : told.name.size();
  if (own_bytes == 0 || own_bytes > name_bytes_max) return;
  if (subcommand) {
    const std::uint16_t parent = lookup(no_parent, std::string_view{told.name}.substr(0, bar));
    if (parent == 0) return;
    specs[parent].container = true;
  }
  const std::uint16_t id = lookup_full(told.name);
  if (id == 0) return add(told);
  listed[id] = 1;
  if (fits(told.arity) && told.arity != 0) specs[id].arity = static_cast<std::int16_t>(told.arity);
}

// Before 7.0 a server knows families only as one command: COMMAND lists no subcommand, and commandstats books
// `XGROUP CREATE` as `xgroup`, with the flags of that.
void command_table::index::settle_families(std::span<const upstream_command> upstream) {
  std::vector<std::uint8_t> split(specs.size(), 0);
  for (const upstream_command& told : upstream) {
    const std::size_t bar = told.name.find('|');
    if (bar != std::string::npos) split[lookup(no_parent, std::string_view{told.name}.substr(0, bar))] = 1;
  }
  std::vector<std::uint8_t> writes(specs.size(), 0);
  for (const upstream_command& told : upstream) {
    const std::uint16_t id = lookup_full(told.name);
    if (has_flag(told, "write")) writes[id] = 1;
    if (specs[id].container && split[id] == 0) specs[id].write = writes[id] != 0;
  }
  for (const slot& entry : slots) {
    const std::uint16_t parent = entry.parent;
    if (entry.id == 0 || parent == no_parent || listed[parent] == 0 || split[parent] != 0) continue;
    listed[entry.id] = 1;
    specs[entry.id].name = specs[parent].name;
    specs[entry.id].write = writes[parent] != 0;
  }
}

command_table::command_table() : index_(std::make_unique<index>()) {
  const std::span<const command_spec> rows = builtin_commands();
  index_->specs.assign(rows.begin(), rows.end());
  index_->listed.assign(rows.size(), 1);
  index_->grow_for(rows.size());
  // Families first: their subcommands are found by the family's id.
  for (const bool subcommands : {false, true}) {
    for (const command_spec& spec : rows.subspan(1)) {
      if ((spec.name.find('|') != spec.name.npos) == subcommands) index_->enter(spec.id, spec.name);
    }
  }
}

command_table::~command_table() = default;

std::shared_ptr<const command_table> command_table::builtin() {
  return std::make_shared<command_table>();
}

std::shared_ptr<const command_table> command_table::completed(std::span<const upstream_command> upstream) {
  auto table = std::make_shared<command_table>();
  if (upstream.empty()) return table;
  index& known = *table->index_;
  std::ranges::fill(known.listed, std::uint8_t{0});
  for (const bool subcommands : {false, true}) {
    for (const upstream_command& told : upstream) known.merge(told, subcommands);
  }
  known.settle_families(upstream);
  return table;
}

const command_spec& command_table::find(const request& request) const noexcept {
  const index& known = *index_;
  if (request.empty()) return known.specs.front();
  const command_spec& spec = known.specs[known.lookup(no_parent, request[0])];
  if (!spec.container || request.size() == 1) return spec;
  const std::uint16_t subcommand = known.lookup(spec.id, request[1]);
  return subcommand == 0 ? spec : known.specs[subcommand];
}

const command_spec* command_table::find_name(std::string_view name) const noexcept {
  const std::uint16_t id = index_->lookup_full(name);
  return id == 0 ? nullptr : &index_->specs[id];
}

const command_spec& command_table::by_id(std::uint16_t id) const noexcept {
  return index_->specs[id < index_->specs.size() ? id : 0];
}

std::size_t command_table::size() const noexcept {
  return index_->specs.size();
}

bool command_table::known_upstream(std::uint16_t id) const noexcept {
  return id < index_->listed.size() && index_->listed[id] != 0;
}

}  // namespace tidegate::resp
