// How a row of the command table is written: one call a command, `class("name", arity, whatever differs …)`.
//
// Included by the command_rows_*.hpp and by command_data.cpp alone; everything is constant-evaluated.
// Invariants: a row without a word about keys has its one key as argument 1 (`read`, `grow`, `shrink`) or none (`on`);
//   `grow` sets write and denyoom, `shrink` sets write: what Redis flags otherwise is said in the row.
// Thread safety: constants and constexpr functions.
#pragma once

#include <string_view>

#include "resp/command_table.hpp"

namespace tidegate::resp::rows {

struct range {
  std::int16_t first, last = first, step = 1;
};
struct layout {
  key_layout how;
  std::int16_t first = 0, step = 1;
};
struct access {
  key_access first, other = first;
};
struct elements {
  element_count how;
  std::int16_t first = 0;
};
enum class flag : std::uint8_t { write, may_write, denyoom, no_auth, block_option, no_multi };

constexpr void apply(command_spec& spec, range keys) {
  spec.keys = key_layout::range;
  spec.key_first = keys.first;
  spec.key_last = keys.last;
  spec.key_step = keys.step;
}
constexpr void apply(command_spec& spec, layout keys) {
  spec.keys = keys.how;
  spec.key_first = keys.first;
  spec.key_last = 0;
  spec.key_step = keys.how == key_layout::none ? std::int16_t{0} : keys.step;
}
constexpr void apply(command_spec& spec, access how) {
  spec.first_access = how.first;
  spec.other_access = how.other;
}
constexpr void apply(command_spec& spec, elements counted) {
  spec.elements = counted.how;
  spec.element_first = counted.first;
}
constexpr void apply(command_spec& spec, command_class cls) {
  spec.cls = cls;
}
constexpr void apply(command_spec& spec, dedicate why) {
  spec.dedicated = why;
}
constexpr void apply(command_spec& spec, special kind) {
  spec.kind = kind;
}
constexpr void apply(command_spec& spec, ttl_effect effect) {
  spec.ttl = effect;
}
constexpr void apply(command_spec& spec, flag which) {
  switch (which) {
    case flag::write:
      spec.write = true;
      break;
    case flag::may_write:
      spec.may_write = true;
      break;
    case flag::denyoom:
      spec.denyoom = true;
      break;
    case flag::no_auth:
      spec.no_auth = true;
      break;
    case flag::block_option:
      spec.blocking_option = true;
      break;
    case flag::no_multi:
      spec.no_multi = true;
      break;
  }
}

// A command of any class, without keys.
template <class... Differences>
constexpr command_spec on(command_class cls, std::string_view name, std::int16_t arity, Differences... differences) {
  command_spec spec;
  spec.name = name;
  spec.arity = arity;
  spec.cls = cls;
  spec.dedicated = dedicate::none;
  (apply(spec, differences), ...);
  return spec;
}

// Only looks: one key, argument 1.
template <class... Differences>
constexpr command_spec read(std::string_view name, std::int16_t arity, Differences... differences) {
  return on(command_class::read, name, arity, range{1}, access{key_access::read}, differences...);
}

// Can take memory (Redis refuses it under OOM): one key, argument 1.
template <class... Differences>
constexpr command_spec grow(std::string_view name, std::int16_t arity, ttl_effect effect, Differences... differences) {
  return on(command_class::grow, name, arity, range{1}, access{key_access::write}, effect, flag::write, flag::denyoom,
            differences...);
}

// A write that Redis allows under OOM: one key, argument 1, that only loses unless the row says otherwise.
template <class... Differences>
constexpr command_spec shrink(std::string_view name, std::int16_t arity, Differences... differences) {
  return on(command_class::free, name, arity, range{1}, access{key_access::remove}, flag::write, differences...);
}

// The bare name of a command with subcommands. It is what an unknown subcommand resolves to, so it is trusted with
// nothing.
template <class... Differences>
constexpr command_spec family(command_class cls, std::string_view name, std::int16_t arity,
                              Differences... differences) {
  command_spec spec = on(cls, name, arity, dedicate::unknown, differences...);
  spec.container = true;
  return spec;
}

inline constexpr layout no_keys{key_layout::none};
inline constexpr ttl_effect clears = ttl_effect::clears;
inline constexpr ttl_effect keeps = ttl_effect::keeps;
inline constexpr ttl_effect moves = ttl_effect::moves;
inline constexpr access writes{key_access::write};
inline constexpr access looks{key_access::read};
inline constexpr access stores{key_access::write, key_access::read};      // destination first
inline constexpr access takes_to{key_access::remove, key_access::write};  // source first, and it loses
inline constexpr access copies_to{key_access::read, key_access::write};   // source first, and it stays
inline constexpr dedicate blocks = dedicate::blocking;
constexpr elements members(std::int16_t first) {
  return {element_count::members, first};
}
constexpr elements pairs(std::int16_t first) {
  return {element_count::pairs, first};
}
inline constexpr elements its_keys{element_count::keys};
// A count of keys at `first`, the keys behind it.
constexpr layout counted(std::int16_t first, std::int16_t step = 1) {
  return {key_layout::numkeys, first, step};
}

}  // namespace tidegate::resp::rows
