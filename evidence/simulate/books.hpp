// What a simulation counts as it goes, and the memory curve it draws; becomes an outcome at the end.
//
// Thread safety: none. Ownership: values only. Cost: a map's step a count; the curve is thinned to memory_points_max.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "evidence/simulate/outcome.hpp"

namespace tidegate::simulate {

class books {
 public:
  enum class limit_word : std::uint8_t { delayed, rejected, observed };
  enum class ttl_word : std::uint8_t { injected, capped, observed, refused };

  void came(std::string_view client, std::uint64_t bytes, std::int64_t at_ms);
  void limited(std::string_view client, std::string_view rule, limit_word what);
  void waited(std::string_view client, std::string_view rule, double seconds);
  void ended(std::string_view client, double seconds_late);
  void timed(std::string_view pattern, std::string_view command, ttl_word what);
  void unreadable() noexcept { ++sums_.unreadable; }
  void remember(std::int64_t at_ms, double before, double after);
  [[nodiscard]] std::int64_t from_ms() const noexcept { return sums_.from_ms; }
  [[nodiscard]] std::int64_t until_ms() const noexcept { return sums_.until_ms; }

  [[nodiscard]] outcome close();

 private:
  using pair_key = std::pair<std::string, std::string>;
  [[nodiscard]] client_line& of_client(std::string_view client);
  [[nodiscard]] limit_line& of_limit(std::string_view client, std::string_view rule);

  outcome sums_;
  std::map<std::string, client_line, std::less<>> clients_;
  std::map<pair_key, limit_line> limits_;
  std::map<pair_key, ttl_line> ttl_;
  std::uint64_t every_ = 1, seen_ = 0;  // of the memory points, every so many is kept
};

}  // namespace tidegate::simulate
