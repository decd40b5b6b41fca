#include "evidence/document/html.hpp"

#include <array>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "embedded/chart_js.hpp"
#include "embedded/page_css.hpp"
#include "embedded/page_js.hpp"
#include "evidence/document/clock_text.hpp"

namespace tidegate::document {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t figures_max = 24;  // rows of a chart's table

std::string escaped(std::string_view text) {
  std::string made;
  for (const char each : text) {
    switch (each) {
      case '&':
        made += "&amp;";
        break;
      case '<':
        made += "&lt;";
        break;
      case '>':
        made += "&gt;";
        break;
      case '"':
        made += "&quot;";
        break;
      case '\'':
        made += "&#39;";
        break;
      default:
        made += each;
    }
  }
  return made;
}

std::string text_of(const line& of) {
  std::string made;
  for (const span& each : of) {
    if (each.how == emphasis::code) {
      made += "<code>" + escaped(each.text) + "</code>";
    } else if (each.how == emphasis::strong) {
      made += "<strong>" + escaped(each.text) + "</strong>";
    } else {
      made += escaped(each.text);
    }
  }
  return made;
}

std::string figure_of(std::optional<double> value, std::string_view unit) {
  if (!value) return "–";
  std::array<char, 48> text{};
  if (unit == "%") {
    std::snprintf(text.data(), text.size(), "%.1f %%", *value);
  } else if (unit.starts_with("bytes")) {
    const bool large = *value >= 1024.0 * 1024;
    std::snprintf(text.data(), text.size(), large ? "%.1f MiB%s" : "%.1f KiB%s",
                  *value / (large ? 1024.0 * 1024 : 1024), unit.ends_with("/s") ? "/s" : "");
  } else {
    std::snprintf(text.data(), text.size(), "%.0f%s", *value, std::string(unit).c_str());
  }
  return text.data();
}

ordered_json data_of(const chart& of) {
  constexpr std::array<const char*, 3> kinds{"lines", "stacked", "bars"};
  ordered_json all = ordered_json::array();
  for (const series& each : of.series) {
    ordered_json values = ordered_json::array();
    for (const auto& value : each.values) {
      values.push_back(value ? ordered_json(std::round(*value * 100) / 100) : ordered_json());
    }
    all.push_back({{"name", each.name}, {"values", values}});
  }
  ordered_json limits = ordered_json::array();
  for (const threshold& each : of.thresholds) limits.push_back({{"name", each.name}, {"value", each.value}});
  ordered_json made{{"kind", kinds[static_cast<std::size_t>(of.how)]},
                    {"title", of.title},
                    {"unit", of.unit},
                    {"series", all},
                    {"thresholds", limits}};
  if (of.how == chart::kind::bars) {
    made["categories"] = of.categories;
  } else {
    made["times"] = of.times_ms;
  }
  if (of.from_ms && of.to_ms) made["shaded"] = {{"from", *of.from_ms}, {"to", *of.to_ms}, {"name", of.shaded}};
  return made;
}

// In a script, `<` could end it or begin a comment.
std::string script_json(const ordered_json& of) {
  std::string made;
  for (const char each : of.dump(-1, ' ', false, ordered_json::error_handler_t::replace)) {
    if (each == '<') {
      made += "\\u003c";
    } else {
      made += each;
    }
  }
  return made;
}

class html {
 public:
  explicit html(const document& of) : of_(of) {}
  std::string made;

  void operator()(const paragraph& of) { made += "<p>" + text_of(of.text) + "</p>\n"; }

  void operator()(const callout& of) {
    constexpr std::array<const char*, 4> tones{"neutral", "good", "warning", "bad"};
    made += std::string("<div class=\"callout ") + tones[static_cast<std::size_t>(of.tone)] +
            "\" role=\"note\"><p><strong>" + text_of(of.title) + "</strong></p>";
    if (!of.text.empty()) made += "<p>" + text_of(of.text) + "</p>";
    made += "</div>\n";
  }

  void operator()(const table& of) {
    made += "<div class=\"scroll\" tabindex=\"0\" role=\"group\"><table>";
    if (!of.caption.empty()) made += "<caption>" + escaped(of.caption) + "</caption>";
    made += "<thead><tr>";
    for (const column& each : of.columns) {
      made += std::string("<th scope=\"col\"") + (each.is_number ? " class=\"number\"" : "") + ">" +
              escaped(each.title) + "</th>";
    }
    made += "</tr></thead><tbody>\n";
    for (const table_row& row : of.rows) {
      made += row.is_marked ? "<tr class=\"marked\">" : "<tr>";
      for (std::size_t cell = 0; cell < row.cells.size(); ++cell) {
        const bool is_number = cell < of.columns.size() && of.columns[cell].is_number;
        made += cell == 0 ? "<th scope=\"row\">" : is_number ? "<td class=\"number\">" : "<td>";
        made += text_of(row.cells[cell]) + (cell == 0 ? "</th>" : "</td>");
      }
      made += "</tr>\n";
    }
    made += "</tbody></table></div>\n";
  }

  void operator()(const listing& of) {
    const bool is_numbered = of.how == listing::kind::numbers;
    made += is_numbered ? "<ol>" : of.how == listing::kind::tasks ? "<ul class=\"tasks\">" : "<ul>";
    for (const line& each : of.items) {
      made += "<li>";
      if (of.how == listing::kind::tasks) {
        made += "<label><input type=\"checkbox\"> <span>" + text_of(each) + "</span></label>";
      } else {
        made += text_of(each);
      }
      made += "</li>\n";
    }
    made += is_numbered ? "</ol>\n" : "</ul>\n";
  }

  void operator()(const code& of) {
    made += "<pre tabindex=\"0\"><code class=\"" + escaped(of.language) + "\">" + escaped(of.text) + "</code></pre>\n";
  }

  void operator()(const chart& of) {
    const std::string id = "chart-" + std::to_string(++charts_);
    made += "<figure><figcaption>" + escaped(of.title) + "</figcaption><div class=\"plot\"><canvas id=\"" + id +
            "\" role=\"img\" aria-label=\"" + escaped(of.title) +
            "\"></canvas></div>\n<script type=\"application/json\" data-chart=\"" + id + "\">" +
            script_json(data_of(of)) + "</script>\n";
    made += "<details><summary>" + escaped(of_.data_table) + "</summary>\n";
    (*this)(figures_of(of));
    made += "</details></figure>\n";
  }

 private:
  // As many rows as a reader can bear; of each stretch of time the last value.
  static table figures_of(const chart& of) {
    table made;
    made.columns.push_back({of.how == chart::kind::bars ? "" : "UTC", false});
    for (const series& each : of.series) made.columns.push_back({each.name, true});
    const std::size_t count = of.how == chart::kind::bars ? of.categories.size() : of.times_ms.size();
    const std::size_t stride = (count + figures_max - 1) / figures_max;
    for (std::size_t at = 0; at < count; at += stride) {
      table_row row;
      row.cells.push_back({plain(of.how == chart::kind::bars ? of.categories[at] : clock_text(of.times_ms[at]))});
      for (const series& each : of.series) {
        row.cells.push_back({plain(figure_of(at < each.values.size() ? each.values[at] : std::nullopt, of.unit))});
      }
      made.rows.push_back(std::move(row));
    }
    return made;
  }

  const document& of_;
  int charts_ = 0;
};

std::string contents_of(const document& of) {
  std::string made =
      "<nav aria-label=\"" + escaped(of.contents) + "\"><details><summary>" + escaped(of.contents) + "</summary><ol>\n";
  for (const section& each : of.sections) {
    if (each.level == 2) made += "<li><a href=\"#" + escaped(each.id) + "\">" + escaped(each.heading) + "</a></li>\n";
  }
  return made + "</ol></details></nav>\n";
}

}  // namespace

std::string to_html(const document& of) {
  html page(of);
  page.made = "<!doctype html>\n<html lang=\"" + escaped(of.language) +
              "\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, "
              "initial-scale=1\">\n"
              "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
              "script-src "
              "'unsafe-inline'; img-src data:\">\n<meta name=\"color-scheme\" content=\"light dark\">\n<title>" +
              escaped(of.title) + "</title>\n<style>\n" + std::string(embedded::page_css) +
              "</style>\n</head>\n<body>\n<main>\n<header><h1>" + escaped(of.title) + "</h1>\n";
  if (!of.subtitle.empty()) page.made += "<p class=\"subtitle\">" + escaped(of.subtitle) + "</p>\n";
  page.made += "</header>\n" + contents_of(of);
  for (const section& each : of.sections) {
    const std::string level = std::to_string(each.level);
    page.made += "<section" + (each.id.empty() ? "" : " id=\"" + escaped(each.id) + "\"") + ">\n<h" + level + ">" +
                 escaped(each.heading) + "</h" + level + ">\n";
    for (const block& part : each.blocks) std::visit(page, part);
    page.made += "</section>\n";
  }
  page.made += "<footer>\n";
  for (const line& each : of.footer) page.made += "<p>" + text_of(each) + "</p>\n";
  page.made += "</footer>\n</main>\n<script>\n" + std::string(embedded::chart_js) + "\n</script>\n<script>\n" +
               std::string(embedded::page_js) + "</script>\n</body>\n</html>\n";
  return std::move(page.made);
}

}  // namespace tidegate::document
