// One load in progress: what has been found wrong so far, and typed access to the tree that finds it.
//
// Thread safety: one thread. Ownership: refers to the document, which outlives it. Invariants: (1) a failed access
// leaves the target at its default and books exactly one mistake; (2) a quoted value is quoted as written, before
// `${NAME}` is expanded, so that what came from the environment is never shown; (3) values under a secret key are never
// quoted.
#pragma once

#include <sys/types.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/address.hpp"
#include "config/document.hpp"
#include "config/load.hpp"
#include "config/quantity.hpp"

namespace tidegate::config {

inline constexpr std::size_t mistakes_max = 10'000;
inline constexpr std::size_t name_bytes_max = 128;
inline constexpr std::size_t pattern_bytes_max = 512;
inline constexpr std::size_t path_bytes_max = 4096;
inline constexpr std::size_t secret_bytes_max = 4096;

// A value and where it stands.
struct place {
  const node* value = nullptr;
  std::string key;
  std::uint32_t line = 0;
  [[nodiscard]] bool is(node_kind kind) const { return value->kind == kind; }
};

enum class file_use : std::uint8_t { readable, private_key };

class reading {
 public:
  // mode: of the config file; absent for a text from elsewhere.
  reading(std::string file, std::optional<mode_t> mode);

  void book(std::uint32_t line, std::string key, std::string text);
  void book(const place& at, std::string text) { book(at.line, at.key, std::move(text)); }
  void warn(std::uint32_t line, std::string key, std::string text);
  // Only where nothing is wrong with the values: a comparison of defaults would mislead.
  [[nodiscard]] std::size_t mistakes() const { return mistakes_.size(); }
  // In the order of lines.
  [[nodiscard]] std::vector<mistake> take_mistakes();
  [[nodiscard]] std::vector<mistake> take_warnings();

  // The scalar with `${NAME}` expanded; wants: what to write, for everything that is no scalar.
  [[nodiscard]] std::optional<std::string> scalar(const place& at, std::string_view wants);
  // A name, glob or the like: one to `bytes_max` bytes without control characters.
  bool text(const place& at, std::string_view wants, std::size_t bytes_max, std::string& out);
  bool duration(const place& at, std::chrono::milliseconds min, std::chrono::milliseconds max,
                std::chrono::milliseconds& out);
  bool whole_seconds(const place& at, std::chrono::seconds min, std::chrono::seconds max, std::chrono::seconds& out);
  bool size(const place& at, std::uint64_t min, std::uint64_t max, std::uint64_t& out);
  bool count(const place& at, std::uint32_t min, std::uint32_t max, std::uint32_t& out);
  bool fraction(const place& at, double& out);
  bool boolean(const place& at, bool& out);
  bool listen_address(const place& at, endpoint& out);
  // A file that must be readable now; relative paths stand against the config file's folder.
  bool file(const place& at, file_use use, std::string& out);
  // The same for a path that is already resolved: the CA that a URL names.
  bool ca_file(const place& at, const std::string& path);
  // A path of ours, which need not exist.
  bool path(const place& at, std::string& out);
  // Text, `${NAME}` or `file:PATH`.
  bool secret(const place& at, std::string& out);
  // `off`, `false` or `no`.
  [[nodiscard]] bool is_off(const place& at) const;

  template <class Enum>
  using choices = std::initializer_list<std::pair<std::string_view, Enum>>;
  template <class Enum>
  bool choice(const place& at, choices<Enum> among, Enum& out) {
    return choice(at, std::span(among.begin(), among.size()), out);
  }
  template <class Enum>
  bool choice(const place& at, std::span<const std::pair<std::string_view, Enum>> among, Enum& out) {
    std::vector<std::string_view> names;
    for (const auto& one : among) names.push_back(one.first);
    const auto index = choose(at, names);
    if (!index) return false;
    out = among[*index].second;
    return true;
  }

  // A list's items, each with its place; null counts as an empty list. `item`: an example of one.
  [[nodiscard]] std::vector<place> list(const place& at, std::string_view item, std::size_t items_max);

  [[nodiscard]] std::string resolved(std::string_view path) const;
  // How a value is repeated in a mistake.
  [[nodiscard]] static std::string quoted(std::string_view raw);

 private:
  [[nodiscard]] std::optional<std::size_t> choose(const place& at, std::span<const std::string_view> names);
  [[nodiscard]] std::optional<std::string> expand(const place& at, std::string_view raw, bool& literal);
  void not_understood(const place& at, std::string_view why);
  bool secret_from_file(const place& at, const std::string& path, std::string& out);

  std::string file_;
  std::string folder_;
  std::optional<mode_t> mode_;
  std::vector<mistake> mistakes_, warnings_;
};

// One mapping: says at once which of its keys are unknown or stand twice.
class section {
 public:
  // secret: it can hold a password, so that even an unknown key is only repeated when it has a value of its own.
  section(reading& in, const place& at, std::initializer_list<std::string_view> known, std::string_view example,
          bool secret = false);

  // False when it is no mapping (already booked as a mistake).
  [[nodiscard]] bool readable() const { return readable_; }
  [[nodiscard]] std::optional<place> find(std::string_view key) const;
  // The same, and a mistake where it is absent.
  [[nodiscard]] std::optional<place> need(std::string_view key, std::string_view example);
  [[nodiscard]] const place& where() const { return at_; }

 private:
  void check_keys(std::initializer_list<std::string_view> known, bool secret);

  reading& in_;
  place at_;
  bool readable_ = false;
};

// The known name that `name` was probably meant to be; empty when none is near.
[[nodiscard]] std::string_view nearest(std::string_view name, std::span<const std::string_view> known);

}  // namespace tidegate::config
