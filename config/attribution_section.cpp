#include <algorithm>
#include <map>

#include "config/sections.hpp"

namespace tidegate::config {
namespace {

// Books a value that stands twice in one list.
class once {
 public:
  explicit once(reading& in) : in_(in) {}
  void check(const place& at, const std::string& value) {
    const auto [first, is_new] = seen_.emplace(value, at.line);
    if (is_new) return;
    in_.book(at, "stands twice, first on line " + std::to_string(first->second) + "; remove one of them");
  }

 private:
  reading& in_;
  std::map<std::string, std::uint32_t> seen_;
};

void read_identify_by(reading& in, const place& at, std::vector<identity_source>& out) {
  const std::size_t before = in.mistakes();
  const auto items = in.list(at, "client_name, username, tls_subject, source", 16);
  out.clear();
  if (items.empty() && in.mistakes() == before) {
    in.book(at, "is empty: no client would have a name; write [client_name, username, tls_subject, source]");
  }
  for (const place& item : items) {
    identity_source source{};
    if (!in.choice<identity_source>(item,
                                    {{"client_name", identity_source::client_name},
                                     {"username", identity_source::username},
                                     {"tls_subject", identity_source::tls_subject},
                                     {"source", identity_source::source},
                                     {"library", identity_source::library}},
                                    source)) {
      continue;
    }
    if (std::ranges::find(out, source) != out.end()) {
      in.book(item, "stands twice; the first one wins, remove this one");
      continue;
    }
    out.push_back(source);
  }
}

void read_names(reading& in, const place& at, std::vector<name_fold>& out) {
  constexpr std::string_view example = R"({ match: "campaign-*", as: campaign })";
  once seen(in);
  for (const place& item : in.list(at, example, names_max)) {
    section one(in, item, {"match", "as"}, example);
    if (!one.readable()) continue;
    name_fold made;
    const auto match = one.need("match", R"(match: "campaign-*")");
    if (match && in.text(*match, glob_example, name_bytes_max, made.match)) seen.check(*match, made.match);
    if (const auto it = one.need("as", "as: NAME")) in.text(*it, "write a name", name_bytes_max, made.as);
    out.push_back(std::move(made));
  }
}

void read_source(reading& in, section& one, once& seen, source_name& made) {
  const auto block = one.need("cidr", "cidr: 10.0.3.0/24");
  if (!block || !in.text(*block, "write a block, like 10.0.3.0/24", name_bytes_max, made.cidr)) return;
  const auto parsed = parse_cidr(made.cidr);
  if (!parsed) {
    in.book(*block, reading::quoted(block->value->text) + ": " + parsed.error());
    return;
  }
  if (parsed->host_bits) {
    in.warn(block->line, block->key, "has bits set behind its prefix; the whole block is meant all the same");
  }
  made.v6 = parsed->ip.v6;
  std::ranges::copy(parsed->ip.bytes, made.bytes);
  made.prefix = parsed->prefix;
  std::string same(parsed->ip.bytes.begin(), parsed->ip.bytes.end());
  same += static_cast<char>(made.prefix);
  same += made.v6 ? '6' : '4';
  seen.check(*block, same);
}

}  // namespace

void read_attribution(reading& in, const place& at, attribution& out) {
  section all(in, at, {"identify_by", "names", "sources", "patterns"},
              "identify_by:, names:, sources: or patterns: below it");
  if (!all.readable()) return;
  if (const auto it = all.find("identify_by")) read_identify_by(in, *it, out.identify_by);
  if (const auto it = all.find("names")) read_names(in, *it, out.names);
  if (const auto list = all.find("sources")) {
    constexpr std::string_view example = "{ cidr: 10.0.3.0/24, as: batch-subnet }";
    once seen(in);
    for (const place& item : in.list(*list, example, sources_max)) {
      section one(in, item, {"cidr", "as"}, example);
      if (!one.readable()) continue;
      source_name made;
      read_source(in, one, seen, made);
      if (const auto it = one.need("as", "as: NAME")) in.text(*it, "write a name", name_bytes_max, made.as);
      out.sources.push_back(std::move(made));
    }
  }
  if (const auto list = all.find("patterns")) {
    once seen(in);
    for (const place& item : in.list(*list, R"("contact:*")", patterns_max)) {
      std::string pattern;
      if (!in.text(item, glob_example, pattern_bytes_max, pattern)) continue;
      seen.check(item, pattern);
      out.patterns.push_back(std::move(pattern));
    }
  }
}

}  // namespace tidegate::config
