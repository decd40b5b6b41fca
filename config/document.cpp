#include "config/document.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>

namespace tidegate::config {
namespace {

// Put behind the text as a comment: yaml-cpp takes the end of the text for a closing quote, and only a value that has
// swallowed this shows it.
constexpr std::string_view end_of_text = "#tidegate:end-of-text";

std::string_view line_at(std::string_view text, std::uint32_t line) {
  for (; line > 1; --line) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  return text.substr(0, text.find('\n'));
}

struct stop {
  syntax_mistake why;
};

std::uint32_t line_of(const YAML::Mark& mark) {
  return mark.line < 0 ? 1 : static_cast<std::uint32_t>(mark.line) + 1;
}

// Builds the tree from yaml-cpp's events: its own node tree drops duplicate keys and follows aliases without a bound.
class builder final : public YAML::EventHandler {
 public:
  builder(document& into, std::string_view yaml) : into_(into), yaml_(yaml) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) throw stop{{line_of(mark), "a second document begins here; keep one, without a line of ---"}};
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { leaf(node_kind::null, mark, anchor, {}); }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_tag(mark, tag);
    if (value.find(end_of_text) != std::string::npos) {
      throw stop{{line_of(mark), "not valid YAML: a quote is opened here and never closed; close it"}};
    }
    leaf(node_kind::scalar, mark, anchor, value);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw stop{{line_of(mark), "an alias (*name) inside its own anchor (&name)"}};
    const bool open = std::ranges::any_of(open_, [&](const level& l) { return l.of == found->second; });
    if (open) throw stop{{line_of(mark), "an alias (*name) inside its own anchor (&name)"}};
    place(*found->second, line_of(mark));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override {
    refuse_tag(mark, tag);
    begin(node_kind::sequence, mark, anchor);
    open_.back().dashes = style == YAML::EmitterStyle::Block;
  }
  void OnSequenceEnd() override { end(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    refuse_tag(mark, tag);
    begin(node_kind::mapping, mark, anchor);
  }
  void OnMapEnd() override { end(); }

 private:
  struct level {
    node* of = nullptr;
    bool has_key = false;
    bool dashes = false;  // a list of "- " entries
    std::string key;
    std::uint32_t key_line = 0;
  };

  static void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!" || tag.starts_with("tag:yaml.org,2002:")) return;
    throw stop{{line_of(mark), "a YAML tag (!name) has no meaning here; remove it, or put the value in quotes"}};
  }

  node& make(node_kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (into_.nodes.size() >= nodes_max) too_many(line_of(mark));
    node& made = into_.nodes.emplace_back();
    made.kind = kind;
    made.line = line_of(mark);
    if (anchor != 0) anchors_[anchor] = &made;
    return made;
  }

  [[noreturn]] static void too_many(std::uint32_t line) {
    throw stop{
        {line, "more than " + std::to_string(nodes_max) + " values (aliases counted in full); make the file smaller"}};
  }

  void leaf(node_kind kind, const YAML::Mark& mark, YAML::anchor_t anchor, std::string text) {
    node& made = make(kind, mark, anchor);
    made.text = std::move(text);
    if (kind == node_kind::null && !open_.empty() && open_.back().dashes) made.line = dash_above(made.line);
    place(made, made.line);
  }

  void begin(node_kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (open_.size() >= depth_max) {
      throw stop{{line_of(mark), "nested deeper than " + std::to_string(depth_max) +
                                     " levels; a value that begins with "
                                     "[ or { must be quoted"}};
    }
    if (!open_.empty() && open_.back().of->kind == node_kind::mapping && !open_.back().has_key) bad_key(line_of(mark));
    open_.push_back({&make(kind, mark, anchor), false, false, {}, 0});
  }

  void end() {
    const node& done = *open_.back().of;
    open_.pop_back();
    place(done, done.line);
  }

  // yaml-cpp notices a missing entry at the token behind it; the dash is what has to be mended.
  std::uint32_t dash_above(std::uint32_t line) const {
    for (std::uint32_t above = line; above-- > 1 && line - above < 1000;) {
      std::string_view text = line_at(yaml_, above);
      text = text.substr(0, text.find('#'));
      const auto end = text.find_last_not_of(" \t\r");
      if (end != std::string_view::npos) return text[end] == '-' ? above : line;
    }
    return line;
  }

  [[noreturn]] static void bad_key(std::uint32_t line) {
    throw stop{{line, "a key must be a plain name; a value that begins with { or [ must be quoted, also \"${NAME}\""}};
  }

  // A finished node goes where it belongs: the root, the next item, the next key or the value of the last key.
  void place(const node& done, std::uint32_t line) {
    if (open_.empty()) {
      into_.root = &done;
      return;
    }
    level& in = open_.back();
    in.of->weight += done.weight;
    if (in.of->weight > nodes_max) too_many(line);
    if (in.of->kind == node_kind::sequence) {
      in.of->items.push_back(&done);
    } else if (in.has_key) {
      in.of->entries.push_back({std::move(in.key), in.key_line, &done});
      in.has_key = false;
    } else {
      if (done.kind != node_kind::scalar) bad_key(line);
      in.key = done.text;
      in.key_line = line;
      in.has_key = true;
    }
  }

  document& into_;
  std::string_view yaml_;
  std::vector<level> open_;
  std::map<YAML::anchor_t, node*> anchors_;
  std::uint32_t documents_ = 0;
};

// Length of the UTF-8 sequence at `at`, or 0 where there is none (RFC 3629: no overlong form, no surrogate).
std::size_t utf8_size(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) -> unsigned {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto tail = [&](std::size_t i) { return (byte(i) & 0xc0U) == 0x80U; };
  const unsigned first = byte(at);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return tail(at + 1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    if (!tail(at + 1) || !tail(at + 2)) return 0;
    if (first == 0xe0 && byte(at + 1) < 0xa0) return 0;
    if (first == 0xed && byte(at + 1) >= 0xa0) return 0;
    return 3;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    if (!tail(at + 1) || !tail(at + 2) || !tail(at + 3)) return 0;
    if (first == 0xf0 && byte(at + 1) < 0x90) return 0;
    if (first == 0xf4 && byte(at + 1) >= 0x90) return 0;
    return 4;
  }
  return 0;
}

// yaml-cpp takes byte 4 for the end of the text and would silently ignore all that follows; it guesses UTF-16 as well.
std::optional<syntax_mistake> unreadable_byte(std::string_view text) {
  std::uint32_t line = 1;
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == '\n') ++line;
    if ((c < 0x20 && c != '\n' && c != '\r' && c != '\t') || c == 0x7f) {
      return syntax_mistake{line, "a control character; save the file as plain UTF-8 text"};
    }
    const std::size_t size = utf8_size(text, i);
    if (size == 0) return syntax_mistake{line, "not UTF-8; save the file as plain UTF-8 text"};
    i += size;
  }
  return std::nullopt;
}

// yaml-cpp's words, and what they usually mean. Its text for an unknown anchor repeats the name: not ours, it may be an
// unquoted password that begins with `*`.
syntax_mistake explain(const YAML::Exception& error, std::string_view yaml) {
  const auto lines = static_cast<std::uint32_t>(std::min<std::ptrdiff_t>(std::ranges::count(yaml, '\n'), 1 << 30));
  const std::uint32_t last = yaml.ends_with('\n') ? std::max(lines, 1U) : lines + 1;
  const std::uint32_t line = std::min(line_of(error.mark), last);
  if (error.msg.starts_with("the referenced anchor")) {
    return {line, "*name refers to an anchor that does not exist; a value that begins with * must be quoted: \"*\""};
  }
  const std::string_view culprit = line_at(yaml, line);
  const auto indent = culprit.substr(0, culprit.find_first_not_of(" \t"));
  std::string text = "not valid YAML: " + error.msg;
  // It repeats the byte that it calls an unknown escape: a control character, or the first of a longer one.
  std::ranges::replace_if(text, [](char c) { return c < ' ' || c > '~'; }, '?');
  if (indent.find('\t') != std::string_view::npos) {
    text += "; indent with spaces, not with a tab";
  } else if (culprit.find("${") != std::string_view::npos) {
    text += "; put values with ${NAME} in quotes: \"${NAME}\"";
  } else {
    text += "; check the indentation, the colons, brackets and quotes at and above this line";
  }
  return {line, std::move(text)};
}

}  // namespace

std::expected<document, syntax_mistake> parse_document(std::string_view yaml) {
  if (yaml.size() > text_bytes_max)
    return std::unexpected(syntax_mistake{1, "the file is larger than 4MiB; make it smaller"});
  if (auto bad = unreadable_byte(yaml)) return std::unexpected(std::move(*bad));
  document result;
  builder events(result, yaml);
  try {
    std::istringstream in(std::string(yaml) + "\n" + std::string(end_of_text) + "\n");
    YAML::Parser parser(in);
    while (parser.HandleNextDocument(events)) continue;
  } catch (const stop& reason) {
    return std::unexpected(reason.why);
  } catch (const YAML::Exception& error) {
    return std::unexpected(explain(error, yaml));
  }
  return result;
}

}  // namespace tidegate::config
