#include "cli/screen_width.hpp"

#include <sys/ioctl.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string_view>

namespace tidegate::cli {

std::size_t screen_width(int descriptor) noexcept {
  winsize size{};
  std::size_t columns = 0;
  // Serial lines and some containers have a terminal of 0 columns, which is one of unknown width.
  if (::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col != 0) {
    columns = size.ws_col;
  } else if (const char* text = std::getenv("COLUMNS"); text != nullptr) {
    const std::string_view digits = text;
    std::from_chars(digits.data(), digits.data() + digits.size(), columns);
  }
  return columns == 0 ? endless_width : std::max(columns, narrowest_width);
}

}  // namespace tidegate::cli
