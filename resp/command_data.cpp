// The built-in table: the rows of command_rows_*.hpp behind one another, numbered; made by the compiler.
#include <algorithm>
#include <array>
#include <type_traits>

#include "resp/answer_rules.hpp"
#include "resp/command_rows.hpp"
#include "resp/command_rows_collections.hpp"
#include "resp/command_rows_server.hpp"
#include "resp/command_rows_values.hpp"
#include "resp/command_table.hpp"

namespace tidegate::resp {

namespace {

constexpr command_spec unknown_command = [] {
  command_spec spec;
  spec.arity = -1;
  spec.keys = key_layout::opaque;
  return spec;
}();

template <class... Groups>
constexpr auto number(const Groups&... groups) {
  std::array<command_spec, 1 + (std::extent_v<Groups> + ...)> table{};
  std::uint16_t id = 0;
  table[id++] = unknown_command;
  const auto take = [&](const auto& group) {
    for (command_spec spec : group) {
      spec.id = id;
      table[id++] = spec;
    }
  };
  (take(groups), ...);
  return table;
}

constexpr auto table =
    number(rows::string_rows, rows::bit_rows, rows::geo_rows, rows::key_rows, rows::list_rows, rows::set_rows,
           rows::sorted_set_rows, rows::hash_rows, rows::stream_rows, rows::connection_rows, rows::pubsub_rows,
           rows::transaction_rows, rows::script_rows, rows::cluster_rows, rows::server_rows, rows::operator_rows);

static_assert(std::ranges::all_of(answer_rules,
                                  [](const answer_rule& rule) {
                                    return std::ranges::count(table, rule.name, &command_spec::name) == 1 &&
                                           std::ranges::count(answer_rules, rule.name, &answer_rule::name) == 1;
                                  }),
              "each answer rule is about a command of the table, and the only one about it");

constexpr auto table_with_answers = [] {
  auto ruled = table;
  for (const answer_rule& rule : answer_rules) {
    command_spec& spec = *std::ranges::find(ruled, rule.name, &command_spec::name);
    spec.answers = rule.answers;
    spec.multi = rule.multi;
  }
  return ruled;
}();

}  // namespace

std::span<const command_spec> builtin_commands() noexcept {
  return table_with_answers;
}

std::string_view to_string(command_class cls) noexcept {
  switch (cls) {
    case command_class::grow:
      return "grow";
    case command_class::free:
      return "free";
    case command_class::read:
      return "read";
    case command_class::script:
      return "script";
    case command_class::connection:
      return "connection";
    case command_class::admin:
      return "admin";
  }
  return "admin";
}

std::string_view to_string(dedicate why) noexcept {
  switch (why) {
    case dedicate::none:
      return "none";
    case dedicate::exchange:
      return "exchange";
    case dedicate::transaction:
      return "transaction";
    case dedicate::blocking:
      return "blocking";
    case dedicate::script:
      return "script";
    case dedicate::subscribe:
      return "subscribe";
    case dedicate::monitor:
      return "monitor";
    case dedicate::client:
      return "client";
    case dedicate::wait:
      return "wait";
    case dedicate::other_db:
      return "other_db";
    case dedicate::admin:
      return "admin";
    case dedicate::unknown:
      return "unknown";
  }
  return "unknown";
}

}  // namespace tidegate::resp
