#include "rule_set_fixture.hpp"

#include <cstdlib>

#include "resp/encoder.hpp"

namespace tidegate::limiter::testing_support {

config::limit_rule make_rule(std::string name) {
  config::limit_rule rule;
  rule.name = std::move(name);
  rule.rate = 10;
  rule.burst = 5;
  return rule;
}

command::command(const resp::command_table& table, std::initializer_list<std::string_view> args) {
  resp::append_array_header(bytes, args.size());
  for (const std::string_view arg : args) resp::append_bulk(bytes, arg);
  read(table);
}

command::command(const resp::command_table& table, const std::vector<std::string>& args) {
  resp::append_array_header(bytes, args.size());
  for (const std::string& arg : args) resp::append_bulk(bytes, arg);
  read(table);
}

void command::read(const resp::command_table& table) {
  if (parser.parse(bytes) != resp::parse_status::complete) std::abort();
  spec = &table.find(parser.request());
  (void)resp::find_keys(*spec, parser.request(), keys);
}

void world::use(const std::vector<config::limit_rule>& rules, steady_ns now) {
  set = std::make_unique<rule_set>(rules, store, table, 4, now);
  set->bind(session, "isales-campaign", "10.0.3.7", now);
}

charges& world::match(const binding& of, std::initializer_list<std::string_view> args,
                      attribution::pattern_number pattern) {
  const command one(*table, args);
  set->match(of, *one.spec, one.parser.request(), one.keys, pattern, found);
  return found;
}

charges& world::match(std::initializer_list<std::string_view> args, attribution::pattern_number pattern) {
  return match(session, args, pattern);
}

std::optional<double> world::cost(std::initializer_list<std::string_view> args) {
  const charges& all = match(args);
  if (all.size == 0) return std::nullopt;
  return static_cast<double>(all.items[0].cost) / all.items[0].which->clock->units_per_token();
}

}  // namespace tidegate::limiter::testing_support
