#include "evidence/report/wording.hpp"

#include "evidence/report/chinese.hpp"
#include "evidence/report/english.hpp"

namespace tidegate::report {
namespace {

void append_plain(document::line& into, std::string_view text) {
  if (text.empty()) return;
  if (into.empty() || into.back().how != document::emphasis::plain) into.push_back(document::plain(""));
  into.back().text += text;
}

}  // namespace

const wording& words_in(language which) noexcept {
  return which == language::chinese ? chinese : english;
}

document::line filled(std::string_view sentence, std::initializer_list<document::span> values) {
  document::line made;
  while (!sentence.empty()) {
    const std::size_t at = sentence.find_first_of("{`");
    append_plain(made, sentence.substr(0, at));
    if (at == std::string_view::npos) break;
    sentence.remove_prefix(at);
    if (sentence.front() == '`') {
      const std::size_t end = sentence.find('`', 1);
      made.push_back(document::code_span(std::string(sentence.substr(1, end - 1))));
      sentence.remove_prefix(end == std::string_view::npos ? sentence.size() : end + 1);
      continue;
    }
    const auto index = static_cast<std::size_t>(sentence.size() > 1 ? sentence[1] - '0' : 9);
    if (index < values.size()) {
      const document::span& value = values.begin()[index];
      if (value.how == document::emphasis::plain) {
        append_plain(made, value.text);
      } else {
        made.push_back(value);
      }
    }
    sentence.remove_prefix(std::min<std::size_t>(3, sentence.size()));
  }
  return made;
}

std::string filled_text(std::string_view sentence, std::initializer_list<std::string_view> values) {
  std::string made;
  for (std::size_t at = 0; at < sentence.size(); ++at) {
    if (sentence[at] == '`') continue;
    if (sentence[at] == '{' && at + 2 < sentence.size() && sentence[at + 2] == '}') {
      const auto index = static_cast<std::size_t>(sentence[at + 1] - '0');
      if (index < values.size()) made += values.begin()[index];
      at += 2;
      continue;
    }
    made += sentence[at];
  }
  return made;
}

}  // namespace tidegate::report
