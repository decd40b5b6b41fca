// The independent opinion on replies: it knows what is in a stream because it wrote it.
#pragma once

#include <cstdint>
#include <cstring>
#include <random>
#include <string>

#include "reply_vectors.hpp"
#include "resp/error_code.hpp"

namespace tidegate::resp::test {

// Writes random replies and what must be found in them.
class reply_writer {
 public:
  explicit reply_writer(unsigned seed) : random_(seed) {}

  void frame() {
    integer_ = 0;
    outcomes_.clear();
    if (pick(5) == 0) {
      attribute(2);
      integer_ = 0;  // of no interest before the frame's value
    }
    const std::size_t begin = wire.size();
    kind_.clear();
    elements_ = 0;
    null_ = false;
    value(3, pick(6) == 0 ? '>' : any_type(), true);
    const char type = wire[begin];
    wants += wants.empty() ? "" : " ";
    wants += type;
    wants += null_ ? "N" : "";
    wants += elements_ != 0 ? "#" + std::to_string(elements_) : "";
    wants += integer_ != 0 ? "i(" + std::to_string(integer_) + ")" : "";
    wants += type == '-' || type == '!' ? "e(" + error_ + ")" : "";
    wants += kind_.empty() ? "" : "k(" + kind_.substr(0, 32) + ")";
    wants += type == '*' && !outcomes_.empty() ? "x[" + outcomes_ + "]" : "";
  }

  std::string wire;
  std::string wants;

 private:
  std::size_t pick(std::size_t below) { return random_() % below; }
  char any_type() { return "+-:$$*_#,(!=%~"[pick(14)]; }

  std::string text(bool binary) {
    std::string out(pick(8) == 0 ? pick(400) : pick(12), ' ');
    for (char& c : out) {
      c = binary && pick(3) == 0 ? "\r\n$*:"[pick(5)] : static_cast<char>('a' + pick(26));
    }
    return out;
  }

  void attribute(int depth) {
    const std::size_t pairs = pick(3);
    wire += "|" + std::to_string(pairs) + "\r\n";
    for (std::size_t i = 0; i < 2 * pairs; ++i) {
      value(depth - 1, any_type(), false);
    }
  }

  void element(int depth, bool top, bool first, bool of_array) {
    bool attributed = false;
    if (depth > 0 && pick(8) == 0) {
      attribute(depth);
      attributed = true;
    }
    const char type = any_type();
    const std::size_t begin = wire.size();
    value(depth - 1, type, false);
    if (top && first && !attributed && (type == '+' || type == '$') && wire[begin + 1] != '-') {
      kind_ = text_;
    }
    if (top && of_array) {
      outcomes_ += type;
      outcomes_ += type == '-' || type == '!' ? code(classify_error(error_)) : "";
    }
  }

  void value(int depth, char type, bool top) {
    if (depth <= 0 && std::strchr("*%~", type) != nullptr) {
      type = ':';
    }
    wire += type;
    switch (type) {
      case '+':
        wire += (text_ = text(false)) + "\r\n";
        break;
      case '-':
        error_ = (pick(2) == 0 ? "OOM " : "ERR ") + text(false);
        wire += error_ + "\r\n";
        break;
      case ':':
        integer_ = static_cast<std::int64_t>(random_()) - (1LL << 31U);
        wire += std::to_string(integer_) + "\r\n";
        break;
      case '_':
        wire += "\r\n";
        null_ = top;
        break;
      case '#':
        wire += pick(2) == 0 ? "t\r\n" : "f\r\n";
        break;
      case ',':
        wire += std::to_string(static_cast<double>(pick(1000)) / 8) + "\r\n";
        break;
      case '(':
        wire += std::to_string(random_()) + std::to_string(random_()) + "\r\n";
        break;
      case '$':
      case '=':
      case '!':
        string(type, top);
        break;
      default:
        aggregate(depth, type, top);
    }
  }

  void string(char type, bool top) {
    if (type == '$' && pick(6) == 0) {
      wire += "-1\r\n";
      null_ = top;
      return;
    }
    const std::string body = text(true);
    wire += std::to_string(body.size()) + "\r\n" + body + "\r\n";
    (type == '!' ? error_ : text_) = body;
  }

  void aggregate(int depth, char type, bool top) {
    if (type == '*' && pick(8) == 0) {
      wire += "-1\r\n";
      null_ = top;
      return;
    }
    const std::size_t count = pick(5);
    const std::size_t values = type == '%' ? 2 * count : count;
    wire += std::to_string(count) + "\r\n";
    if (top) {
      elements_ = values;
    }
    for (std::size_t i = 0; i < values; ++i) {
      const std::size_t begin = wire.size();
      element(depth, top, i == 0, type == '*');
      if (top && type == '*') {
        fix_outcome(begin);
      }
    }
  }

  // value() may have turned a nested aggregate into an integer: the outcome's type is the byte that was written.
  void fix_outcome(std::size_t begin) {
    if (wire[begin] != '|' && !outcomes_.empty() && outcomes_.back() != wire[begin] &&
        std::strchr("*%~", outcomes_.back()) != nullptr) {
      outcomes_.back() = wire[begin];
    }
  }

  std::mt19937 random_;
  std::string text_;
  std::string error_;
  std::string kind_;
  std::string outcomes_;
  std::size_t elements_ = 0;
  std::int64_t integer_ = 0;
  bool null_ = false;
};

}  // namespace tidegate::resp::test
