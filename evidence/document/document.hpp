// A document without a format: sections of blocks, blocks of lines, lines of spans.
//
// Thread safety: none; plain values. Ownership: owns everything. Invariants: (1) all text is valid UTF-8 without
// control characters (safe_text.hpp); (2) a name that came from outside stands in a code span, never inside plain text;
// (3) every row of a table has as many cells as it has columns. Cost: small.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace tidegate::document {

enum class emphasis : std::uint8_t { plain, strong, code };
struct span {
  emphasis how = emphasis::plain;
  std::string text;
};
using line = std::vector<span>;

enum class tone : std::uint8_t { neutral, good, warning, bad };

struct paragraph {
  line text;
};
// Said before all else: a verdict.
struct callout {
  document::tone tone = document::tone::neutral;
  line title{}, text{};
};
struct column {
  std::string title;
  bool is_number = false;
};
struct table_row {
  std::vector<line> cells{};
  bool is_marked = false;  // the one to look at
};
struct table {
  std::string caption;  // for who cannot see it; may be empty
  std::vector<column> columns;
  std::vector<table_row> rows;
};
struct listing {
  enum class kind : std::uint8_t { bullets, numbers, tasks };
  kind how = kind::bullets;
  std::vector<line> items{};
};
struct code {
  std::string language;  // sh, yaml, promql, text
  std::string text;      // newlines as they are
};
struct series {
  std::string name;
  std::vector<std::optional<double>> values{};
};
struct threshold {
  std::string name;
  double value = 0;
};
struct chart {
  enum class kind : std::uint8_t { lines, stacked, bars };
  kind how = kind::lines;
  std::string title;
  std::string unit;                     // "%", "bytes", "bytes/s", "/s", "" (counts)
  std::vector<std::int64_t> times_ms;   // of the values, for lines and stacked
  std::vector<std::string> categories;  // for bars
  std::vector<document::series> series;
  std::vector<threshold> thresholds;
  std::optional<std::int64_t> from_ms, to_ms;  // shaded
  std::string shaded;                          // what the shaded time is
};
using block = std::variant<paragraph, callout, table, listing, code, chart>;

struct section {
  std::string id;  // a-z and -
  std::string heading;
  unsigned level = 2;
  std::vector<block> blocks{};
};

struct document {
  std::string language;  // en, zh
  std::string title, subtitle;
  std::string contents;    // what the list of sections is called
  std::string data_table;  // what the figures under a chart are called
  std::vector<section> sections;
  std::vector<line> footer;
};

[[nodiscard]] inline span plain(std::string text) {
  return {emphasis::plain, std::move(text)};
}
[[nodiscard]] inline span strong(std::string text) {
  return {emphasis::strong, std::move(text)};
}
[[nodiscard]] inline span code_span(std::string text) {
  return {emphasis::code, std::move(text)};
}

// Without its emphasis.
[[nodiscard]] inline std::string plain_text(const line& of) {
  std::string made;
  for (const span& each : of) made += each.text;
  return made;
}

}  // namespace tidegate::document
