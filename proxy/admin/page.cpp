#include "proxy/admin/page.hpp"

#include <algorithm>
#include <array>

#include "embedded/chart_script.hpp"
#include "embedded/page_caps.hpp"
#include "embedded/page_charts.hpp"
#include "embedded/page_html.hpp"
#include "embedded/page_rates.hpp"
#include "embedded/page_screen.hpp"
#include "embedded/page_style.hpp"
#include "embedded/page_tables.hpp"
#include "embedded/page_writer.hpp"

namespace tidegate::admin {

const page_file* find_page_file(std::string_view path) {
  constexpr std::string_view script = "text/javascript; charset=utf-8";
  // Not constexpr: the linker knows the sizes, the compiler does not.
  static const std::array<page_file, 9> files{{
      {"/", "text/html; charset=utf-8", embedded::page_html},
      {"/page/page.css", "text/css; charset=utf-8", embedded::page_style},
      {"/page/chart.js", script, embedded::chart_script},
      {"/page/screen.js", script, embedded::page_screen},
      {"/page/rates.js", script, embedded::page_rates},
      {"/page/charts.js", script, embedded::page_charts},
      {"/page/tables.js", script, embedded::page_tables},
      {"/page/writer.js", script, embedded::page_writer},
      {"/page/caps.js", script, embedded::page_caps},
  }};
  const auto* const found =
      std::find_if(files.begin(), files.end(), [path](const page_file& file) { return file.path == path; });
  return found == files.end() ? nullptr : found;
}

}  // namespace tidegate::admin
