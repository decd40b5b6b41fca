#include "cli/cap_lines.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <ostream>
#include <utility>
#include <vector>

#include "cli/paragraph.hpp"

namespace tidegate::cli {
namespace {

using nlohmann::ordered_json;

std::string text_in(const ordered_json& from, const char* key) {
  const auto found = from.find(key);
  if (found == from.end() || found->is_null()) return {};
  return found->is_string() ? found->get<std::string>() : found->dump();
}

std::string or_dash(std::string text) {
  return text.empty() ? "-" : text;
}

std::int64_t number_in(const ordered_json& from, const char* key) {
  const auto found = from.find(key);
  return found != from.end() && found->is_number() ? found->get<std::int64_t>() : 0;
}

using cap_row = std::array<std::string, 8>;
using cap_widths = std::array<std::size_t, 8>;
constexpr std::size_t gap = 2, indent = 4;

void print_row(const cap_row& row, const cap_widths& widths, std::ostream& out) {
  std::string line;
  for (std::size_t i = 0; i < row.size(); ++i) {
    line += row[i];
    if (i + 1 < row.size()) line.append(widths[i] - row[i].size() + gap, ' ');
  }
  out << line << '\n';
}

void print_stacked(const cap_row& row, std::ostream& out, std::size_t width) {
  const auto& [client, held_to, left, connections, delayed, rejected, by, why] = row;
  const std::string blank(indent, ' ');
  out << paragraph(client + ": ", held_to + ", " + left + " left", indent, width)
      << paragraph(blank, connections + " connections, " + delayed + " delayed, " + rejected + " rejected", indent,
                   width)
      << paragraph(blank, "by " + by + ": " + why, indent, width);
}

}  // namespace

std::string cap_phrase(const ordered_json& cap) {
  const std::string rate = text_in(cap, "rate"), bytes = text_in(cap, "bytes"), key = text_in(cap, "key");
  std::string phrase = "blocked";
  if (text_in(cap, "action") != "block") {
    phrase = "at most " + rate + (!rate.empty() && !bytes.empty() ? " and " : "") + bytes;
  }
  return key.empty() ? phrase : phrase + " on " + key;
}

std::string span_text(std::int64_t seconds) {
  constexpr std::array<std::pair<std::int64_t, const char*>, 4> units{
      {{86'400, "d"}, {3'600, "h"}, {60, "m"}, {1, "s"}}};
  std::string text;
  int parts = 0;
  for (const auto& [size, name] : units) {
    if (seconds < size || parts == 2) continue;
    text += (text.empty() ? "" : " ") + std::to_string(seconds / size) + name;
    seconds %= size;
    ++parts;
  }
  return text.empty() ? "0s" : text;
}

void print_caps(const ordered_json& caps, std::ostream& out, std::size_t width) {
  std::vector<cap_row> rows{{"CLIENT", "HELD TO", "LEFT", "CONNECTIONS", "DELAYED", "REJECTED", "BY", "WHY"}};
  for (const ordered_json& cap : caps) {
    rows.push_back({or_dash(text_in(cap, "client")), cap_phrase(cap), span_text(number_in(cap, "seconds_left")),
                    or_dash(text_in(cap, "connections")), or_dash(text_in(cap, "delayed")),
                    or_dash(text_in(cap, "rejected")), or_dash(text_in(cap, "who")), or_dash(text_in(cap, "why"))});
  }
  cap_widths widths{};
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  if (std::accumulate(widths.begin(), widths.end(), gap * (widths.size() - 1)) > width) {
    for (std::size_t i = 1; i < rows.size(); ++i) print_stacked(rows[i], out, width);
  } else {
    for (const auto& row : rows) print_row(row, widths, out);
  }
}

std::expected<ordered_json, std::string> read_document(const std::expected<api_answer, api_error>& answer) {
  if (!answer) return std::unexpected(answer.error().text);
  ordered_json document = ordered_json::parse(answer->body, nullptr, false);
  if (document.is_discarded()) return std::unexpected("the admin API answered with something that is no JSON");
  return document;
}

}  // namespace tidegate::cli
