// Rules, a session's binding and commands as text, for tests of matching and admission.
#pragma once

#include <chrono>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "limiter/rule_set.hpp"
#include "resp/command_table.hpp"
#include "resp/request_parser.hpp"

namespace tidegate::limiter::testing_support {

inline constexpr steady_ns second = 1'000'000'000;

// A delaying rule per client for any grow command: 10/s, burst 5.
[[nodiscard]] config::limit_rule make_rule(std::string name);

// A command with everything that match() wants.
class command {
 public:
  command(const resp::command_table& table, std::initializer_list<std::string_view> args);
  explicit command(const resp::command_table& table, const std::vector<std::string>& args);

  std::string bytes;
  resp::request_parser parser;
  const resp::command_spec* spec = nullptr;
  std::vector<resp::key_ref> keys;

 private:
  void read(const resp::command_table& table);
};

class world {
 public:
  std::shared_ptr<const resp::command_table> table = resp::command_table::builtin();
  std::shared_ptr<bucket_store> store = make_bucket_store();
  std::unique_ptr<rule_set> set;
  binding session;
  charges found;

  void use(const std::vector<config::limit_rule>& rules, steady_ns now = 0);
  // Matches a command of `session` under the first pattern or the one given.
  [[nodiscard]] charges& match(std::initializer_list<std::string_view> args, attribution::pattern_number pattern = 1);
  [[nodiscard]] charges& match(const binding& of, std::initializer_list<std::string_view> args,
                               attribution::pattern_number pattern = 1);
  // What the command costs in tokens under the only rule; none if it does not match.
  [[nodiscard]] std::optional<double> cost(std::initializer_list<std::string_view> args);
};

}  // namespace tidegate::limiter::testing_support
