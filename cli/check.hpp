// `tidegate check`: every mistake of a configuration at once, before it is served.
//
// Thread safety: none needed. Invariant: what `check` accepts, `serve` starts with. Cost: at most one look at the
// upstream.
#pragma once

#include <expected>
#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "config/load.hpp"

namespace tidegate::cli {

enum class output_format : unsigned char { text, json };

struct check_options {
  std::string config_path;
  output_format format = output_format::text;
  bool offline = false;  // do not ask the upstream
};

// What `check` must know of an upstream; the error says why it could not be asked.
struct upstream_sight {
  bool cluster = false;
  std::string eviction_policy;
};
using look_at = std::function<std::expected<upstream_sight, std::string>(const config::upstream&)>;

// Exit status: 0 = can be served, 1 = has mistakes. Data goes to `out`.
[[nodiscard]] int check(const check_options& how, const look_at& look, std::ostream& out);

}  // namespace tidegate::cli
