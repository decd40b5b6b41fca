#include "evidence/keyspace/plan.hpp"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

namespace tidegate::keyspace {
namespace {

using nlohmann::json;  // keys sorted: the canonical form

constexpr int format_version = 1;

std::string hex_sha256(const std::string& text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> sum{};
  unsigned int size = 0;
  if (EVP_Digest(text.data(), text.size(), sum.data(), &size, EVP_sha256(), nullptr) != 1) return {};
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (unsigned int i = 0; i < size; ++i) {
    out += digits[sum[i] >> 4U];
    out += digits[sum[i] & 15U];
  }
  return out;
}

// Patterns are bytes: what is no UTF-8 must still come back as it was.
std::string escaped(const std::string& bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '%') {
      out += c;
    } else {
      out += '%';
      out += digits[byte >> 4U];
      out += digits[byte & 15U];
    }
  }
  return out;
}

std::string unescaped(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      out += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

json rules_json(const std::vector<mending_rule>& rules) {
  json list = json::array();
  for (const mending_rule& rule : rules) {
    json one{{"pattern", escaped(rule.pattern)}, {"jitter", rule.jitter}};
    if (rule.default_ttl) one["default_ms"] = rule.default_ttl->count();
    if (rule.max_ttl) one["max_ms"] = rule.max_ttl->count();
    list.push_back(std::move(one));
  }
  return list;
}

std::vector<mending_rule> rules_of(const json& list) {
  std::vector<mending_rule> rules;
  for (const json& one : list) {
    mending_rule rule{.pattern = unescaped(one.at("pattern").get<std::string>()),
                      .default_ttl = std::nullopt,
                      .max_ttl = std::nullopt,
                      .jitter = one.at("jitter").get<double>()};
    if (one.contains("default_ms")) rule.default_ttl = std::chrono::milliseconds(one["default_ms"].get<std::int64_t>());
    if (one.contains("max_ms")) rule.max_ttl = std::chrono::milliseconds(one["max_ms"].get<std::int64_t>());
    rules.push_back(std::move(rule));
  }
  return rules;
}

json contents(const plan& made) {
  json expected = json::array();
  for (const expectation& one : made.expected) {
    json row{{"pattern", escaped(one.pattern)}, {"keys", one.keys}, {"give", one.give}, {"cut", one.cut}};
    if (one.bytes) row["bytes"] = *one.bytes;
    expected.push_back(std::move(row));
  }
  return {{"tidegate_plan", format_version}, {"target", made.target}, {"made_by", made.made_by},
          {"made_at", made.made_at},         {"rate", made.rate},     {"rules", rules_json(made.rules)},
          {"expected", std::move(expected)}};
}

std::string dumped(const json& document, int indent) {
  return document.dump(indent, ' ', false, json::error_handler_t::replace);
}

}  // namespace

std::string plan::digest() const {
  return hex_sha256(dumped(contents(*this), -1));
}

std::string write_plan(const plan& made) {
  json document = contents(made);
  document["digest"] = made.digest();
  if (made.approved) {
    document["approval"] = {{"by", made.approved->by}, {"at", made.approved->at}, {"digest", made.approved->digest}};
  }
  return dumped(document, 2) + "\n";
}

std::expected<plan, std::string> read_plan(const std::string& text) {
  try {
    const json document = json::parse(text);
    if (document.at("tidegate_plan").get<int>() != format_version) {
      return std::unexpected(std::string("a plan of another version: make it anew with --dry-run --plan"));
    }
    plan made;
    made.target = document.at("target").get<std::string>();
    made.made_by = document.at("made_by").get<std::string>();
    made.made_at = document.at("made_at").get<std::string>();
    made.rate = document.at("rate").get<double>();
    made.rules = rules_of(document.at("rules"));
    for (const json& row : document.at("expected")) {
      expectation one{.pattern = unescaped(row.at("pattern").get<std::string>()),
                      .keys = row.at("keys").get<std::uint64_t>(),
                      .give = row.at("give").get<std::uint64_t>(),
                      .cut = row.at("cut").get<std::uint64_t>(),
                      .bytes = std::nullopt};
      if (row.contains("bytes")) one.bytes = row["bytes"].get<std::uint64_t>();
      made.expected.push_back(std::move(one));
    }
    if (document.at("digest").get<std::string>() != made.digest()) {
      return std::unexpected(
          std::string("it was edited after it was made (its digest does not fit): make it anew with "
                      "--dry-run --plan, or put it back as it was"));
    }
    if (document.contains("approval")) {
      const json& seal = document["approval"];
      made.approved = approval{.by = seal.at("by").get<std::string>(),
                               .at = seal.at("at").get<std::string>(),
                               .digest = seal.at("digest").get<std::string>()};
    }
    if (std::string why = wrong_with(made.rules); !why.empty()) return std::unexpected(std::move(why));
    return made;
  } catch (const std::exception&) {
    return std::unexpected(std::string("not a plan: make one with `tidegate ttl fix … --dry-run --plan FILE`"));
  }
}

std::string wrong_with(const plan& made, const std::string& target) {
  if (!made.approved) {
    return "nobody has approved it: a second person reads it and runs `tidegate ttl approve --plan FILE --by NAME`";
  }
  if (made.approved->digest != made.digest()) {
    return "it was changed after " + made.approved->by + " approved it: have it approved again";
  }
  if (made.approved->by == made.made_by) return "it was approved by who made it: a second person must approve it";
  if (made.target != target) return "it was made for " + made.target + ", and this is " + target;
  return {};
}

std::string digest_of(const std::vector<mending_rule>& rules, const std::string& target) {
  return hex_sha256(dumped({{"rules", rules_json(rules)}, {"target", target}}, -1));
}

std::string write_state(const run_state& state) {
  return dumped({{"tidegate_fix_state", format_version},
                 {"digest", state.digest},
                 {"run_id", state.run_id},
                 {"cursor", state.cursor},
                 {"looked_at", state.looked_at},
                 {"given", state.given},
                 {"cut", state.cut},
                 {"saved_at", state.saved_at},
                 {"slots", state.slots},
                 {"node", state.node},
                 {"finished", state.finished}},
                2) +
         "\n";
}

std::expected<run_state, std::string> read_state(const std::string& text) {
  try {
    const json document = json::parse(text);
    if (document.at("tidegate_fix_state").get<int>() != format_version) {
      return std::unexpected(std::string("a state of another version"));
    }
    return run_state{.digest = document.at("digest").get<std::string>(),
                     .run_id = document.at("run_id").get<std::string>(),
                     .cursor = document.at("cursor").get<std::uint64_t>(),
                     .looked_at = document.at("looked_at").get<std::uint64_t>(),
                     .given = document.at("given").get<std::uint64_t>(),
                     .cut = document.at("cut").get<std::uint64_t>(),
                     .saved_at = document.at("saved_at").get<std::string>(),
                     .slots = document.value("slots", std::string()),
                     .node = document.value("node", std::string()),
                     .finished = document.value("finished", std::vector<std::string>())};
  } catch (const std::exception&) {
    return std::unexpected(std::string("not a state file of `tidegate ttl fix`"));
  }
}

std::string replace_file(const std::string& path, const std::string& text) {
  const std::string fresh = path + ".new";
  const auto failed = [&] {
    std::string why = path + ": " + std::strerror(errno);
    ::unlink(fresh.c_str());
    return why;
  };
  const int file = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return path + ": " + std::strerror(errno);
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t size = ::write(file, text.data() + done, text.size() - done);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) {
      std::string why = failed();
      ::close(file);
      return why;
    }
    done += static_cast<std::size_t>(size);
  }
  const bool kept = ::fsync(file) == 0;
  if (::close(file) != 0 || !kept || ::rename(fresh.c_str(), path.c_str()) != 0) return failed();
  // The new name is on the disk with its folder.
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const int above = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (above >= 0) {
    static_cast<void>(::fsync(above));
    ::close(above);
  }
  return {};
}

}  // namespace tidegate::keyspace
