#include "cli/paragraph.hpp"

#include <algorithm>

namespace tidegate::cli {

std::string paragraph(const std::string& label, const std::string& text, std::size_t indent, std::size_t width) {
  std::string out = label;
  out.resize(std::max(label.size(), indent), ' ');
  std::size_t column = out.size();
  bool begun = false;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    const std::size_t size = end - begin;
    if (begun && (column >= width || size > width - column - 1)) {
      out += '\n' + std::string(indent, ' ');
      column = indent;
    } else if (begun) {
      out += ' ';
      ++column;
    }
    out.append(text, begin, size);
    column += size;
    begun = true;
    begin = end + 1;
  }
  return out + '\n';
}

}  // namespace tidegate::cli
