// The memory curve as a picture that needs nothing else: SVG 1.1, and a page around it.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <sstream>

#include "evidence/simulate/outcome_text.hpp"

namespace tidegate::simulate {
namespace {

constexpr double width = 960, height = 420, left = 90, right = 20, top = 40, bottom = 50;
constexpr int grid_lines = 5;
constexpr std::array percents{70, 85, 100};

std::string escaped(std::string_view text) {
  std::string out;
  for (const char one : text) {
    switch (one) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        // What XML 1.0 has no way to write.
        out += static_cast<unsigned char>(one) < 0x20 && one != '\n' && one != '\t' ? '?' : one;
    }
  }
  return out;
}

std::string format(const char* how, auto... values) {
  std::array<char, 512> text{};
  std::snprintf(text.data(), text.size(), how, values...);
  return text.data();
}

class frame {
 public:
  explicit frame(const outcome& what) {
    from_ = what.memory.front().at_ms;
    until_ = std::max(what.memory.back().at_ms, from_ + 1);
    double least = what.memory.front().before;
    for (const memory_point& one : what.memory) {
      least = std::min({least, one.before, one.after});
      most_ = std::max({most_, one.before, one.after});
    }
    if (what.memory_is_absolute && what.maxmemory != 0)
      most_ = std::max(most_, 0.72 * static_cast<double>(what.maxmemory));
    const double room = std::max((most_ - least) * 0.08, 1.0);
    least_ = std::max(0.0, least - room);
    most_ += room;
  }
  [[nodiscard]] double x(std::int64_t at_ms) const {
    return left + (width - left - right) * static_cast<double>(at_ms - from_) / static_cast<double>(until_ - from_);
  }
  [[nodiscard]] double y(double bytes) const {
    return height - bottom - (height - top - bottom) * (bytes - least_) / (most_ - least_);
  }
  [[nodiscard]] double least() const { return least_; }
  [[nodiscard]] double most() const { return most_; }
  [[nodiscard]] std::int64_t from() const { return from_; }
  [[nodiscard]] std::int64_t until() const { return until_; }

 private:
  std::int64_t from_ = 0, until_ = 1;
  double least_ = 0, most_ = 0;
};

void draw_line(const outcome& what, const frame& at, double memory_point::* which, const char* style,
               std::ostringstream& out) {
  out << "<polyline class=\"" << style << "\" points=\"";
  for (const memory_point& one : what.memory) out << format("%.1f,%.1f ", at.x(one.at_ms), at.y(one.*which));
  out << "\"/>\n";
}

}  // namespace

std::string to_svg(const outcome& what) {
  std::ostringstream out;
  out << format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" font-family=\"system-ui, "
      "sans-serif\" font-size=\"13\">\n",
      width, height);
  if (what.memory.empty()) return out.str() + "<text x=\"20\" y=\"40\">There is nothing to draw.</text></svg>\n";
  out << "<title>Memory without and with the rules: peak " << size_text(what.peak_before) << " and "
      << size_text(what.peak_after) << "</title>\n"
      << "<style>rect{fill:#fff}text{fill:#333}.grid{stroke:#ddd}.mark{stroke:#c60;stroke-dasharray:6 4}"
         "polyline{fill:none;stroke-width:2.5}.before{stroke:#b5341f}.after{stroke:#16679a}"
         ".of_before{fill:#b5341f}.of_after{fill:#16679a}</style>\n"
      << "<rect width=\"100%\" height=\"100%\"/>\n";
  const frame at(what);
  for (int i = 0; i <= grid_lines; ++i) {
    const double bytes = at.least() + (at.most() - at.least()) * i / grid_lines;
    out << format("<line class=\"grid\" x1=\"%.0f\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\"/>", left, width - right,
                  at.y(bytes), at.y(bytes))
        << format("<text x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">", left - 8, at.y(bytes) + 4) << size_text(bytes)
        << "</text>\n";
    const auto time = at.from() + (at.until() - at.from()) * i / grid_lines;
    out << format("<text x=\"%.1f\" y=\"%.0f\" text-anchor=\"%s\">", at.x(time), height - bottom + 22,
                  i == 0            ? "start"
                  : i == grid_lines ? "end"
                                    : "middle")
        << time_text(time).substr(11, 8) << "</text>\n";
  }
  for (const int percent : percents) {
    const double bytes = static_cast<double>(what.maxmemory) * percent / 100;
    if (!what.memory_is_absolute || what.maxmemory == 0 || bytes > at.most() || bytes < at.least()) continue;
    out << format("<line class=\"mark\" x1=\"%.0f\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\"/>", left, width - right,
                  at.y(bytes), at.y(bytes))
        << format("<text x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">%d %%</text>\n", width - right - 4, at.y(bytes) - 5,
                  percent);
  }
  draw_line(what, at, &memory_point::before, "before", out);
  draw_line(what, at, &memory_point::after, "after", out);
  out << format("<text class=\"of_before\" x=\"%.0f\" y=\"22\">", left) << "without these rules, peak "
      << size_text(what.peak_before) << "</text>\n"
      << format("<text class=\"of_after\" x=\"%.0f\" y=\"22\">", left + 320) << "with them, peak "
      << size_text(what.peak_after) << "</text>\n"
      << format("<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"end\">", width - right, height - 8)
      << time_text(at.from()).substr(0, 10) << ", UTC</text>\n</svg>\n";
  return out.str();
}

std::string to_html(const outcome& what, std::string_view traffic) {
  std::ostringstream text, out;
  print_text(what, traffic, text);
  out << "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>tidegate simulate</title>\n"
         "<style>body{font-family:system-ui,sans-serif;margin:2rem auto;max-width:64rem;padding:0 1rem;color:#222}"
         "svg{width:100%;height:auto}pre{overflow-x:auto;background:#f6f6f6;padding:1rem;font-size:.85rem}</style>"
         "</head><body>\n<h1>What these rules would have done</h1>\n"
      << to_svg(what) << "<pre>" << escaped(text.str()) << "</pre>\n</body></html>\n";
  return out.str();
}

}  // namespace tidegate::simulate
