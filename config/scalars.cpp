// The typed values of config/reading.hpp.
#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "config/private_file.hpp"
#include "config/reading.hpp"

namespace tidegate::config {
namespace {

bool name_character(char c, bool first) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (!first && c >= '0' && c <= '9');
}

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

std::string written(std::chrono::milliseconds d) {
  const auto ms = d.count();
  if (ms % 86'400'000 == 0 && ms != 0) return std::to_string(ms / 86'400'000) + "d";
  if (ms % 3'600'000 == 0 && ms != 0) return std::to_string(ms / 3'600'000) + "h";
  if (ms % 60'000 == 0 && ms != 0) return std::to_string(ms / 60'000) + "m";
  if (ms % 1000 == 0) return std::to_string(ms / 1000) + "s";
  return std::to_string(ms) + "ms";
}

std::string written(std::uint64_t bytes) {
  if (bytes != 0 && bytes % (1ULL << 30) == 0) return std::to_string(bytes >> 30) + "GiB";
  if (bytes != 0 && bytes % (1ULL << 20) == 0) return std::to_string(bytes >> 20) + "MiB";
  if (bytes != 0 && bytes % (1ULL << 10) == 0) return std::to_string(bytes >> 10) + "KiB";
  return std::to_string(bytes) + "B";
}

template <class T>
std::string out_of_range(const T& min, const T& max) {
  return "out of range; write a value from " + written(min) + " to " + written(max);
}

}  // namespace

void reading::not_understood(const place& at, std::string_view why) {
  book(at, quoted(at.value->text) + ": " + std::string(why));
}

std::optional<std::string> reading::expand(const place& at, std::string_view raw, bool& literal) {
  std::string out;
  literal = false;
  while (!raw.empty()) {
    if (raw.starts_with("$${")) {
      out += "${";
      literal = true;
      raw.remove_prefix(3);
      continue;
    }
    if (!raw.starts_with("${")) {
      out += raw.front();
      literal = true;
      raw.remove_prefix(1);
      continue;
    }
    const auto close = raw.find('}');
    const std::string name(raw.substr(2, close == std::string_view::npos ? close : close - 2));
    bool good = close != std::string_view::npos && !name.empty() && name.size() <= name_bytes_max;
    for (std::size_t i = 0; good && i < name.size(); ++i) good = name_character(name[i], i == 0);
    if (!good) {
      book(at, "a ${ that is no reference to an environment variable; write ${NAME}, or $${ for a literal ${");
      return std::nullopt;
    }
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) {
      book(at, "the environment variable " + name + " is not set; set it, or write $${" + name + "} for literal text");
      return std::nullopt;
    }
    out += value;
    raw.remove_prefix(close + 1);
  }
  return out;
}

std::optional<std::string> reading::scalar(const place& at, std::string_view wants) {
  if (at.is(node_kind::null)) {
    book(at, "has no value (what begins with # must be quoted); " + std::string(wants));
    return std::nullopt;
  }
  if (!at.is(node_kind::scalar)) {
    book(at, "must be a single value; " + std::string(wants));
    return std::nullopt;
  }
  bool literal = false;
  return expand(at, at.value->text, literal);
}

bool reading::text(const place& at, std::string_view wants, std::size_t bytes_max, std::string& out) {
  auto value = scalar(at, wants);
  if (!value) return false;
  if (value->empty()) {
    book(at, "is empty; " + std::string(wants));
    return false;
  }
  if (value->size() > bytes_max) {
    book(at, "is longer than " + std::to_string(bytes_max) + " bytes; shorten it");
    return false;
  }
  if (has_control(*value)) {
    book(at, "holds a control character (a line break?); " + std::string(wants));
    return false;
  }
  out = std::move(*value);
  return true;
}

bool reading::duration(const place& at, std::chrono::milliseconds min, std::chrono::milliseconds max,
                       std::chrono::milliseconds& out) {
  const auto value = scalar(at, "write a duration, like 250ms, 2s, 30m, 1h or 60d");
  if (!value) return false;
  const auto parsed = parse_duration(*value);
  if (!parsed) {
    not_understood(at, parsed.error());
    return false;
  }
  if (*parsed < min || *parsed > max) {
    not_understood(at, out_of_range(min, max));
    return false;
  }
  out = *parsed;
  return true;
}

bool reading::whole_seconds(const place& at, std::chrono::seconds min, std::chrono::seconds max,
                            std::chrono::seconds& out) {
  std::chrono::milliseconds fine{};
  if (!duration(at, min, max, fine)) return false;
  if (fine.count() % 1000 != 0) {
    not_understood(at, "must be whole seconds; write 1s, 10s, 14d");
    return false;
  }
  out = std::chrono::duration_cast<std::chrono::seconds>(fine);
  return true;
}

bool reading::size(const place& at, std::uint64_t min, std::uint64_t max, std::uint64_t& out) {
  const auto value = scalar(at, "write a size, like 150KiB, 64MiB or 1GiB");
  if (!value) return false;
  const auto parsed = parse_size(*value);
  if (!parsed) {
    not_understood(at, parsed.error());
    return false;
  }
  if (*parsed < min || *parsed > max) {
    not_understood(at, out_of_range(min, max));
    return false;
  }
  out = *parsed;
  return true;
}

bool reading::count(const place& at, std::uint32_t min, std::uint32_t max, std::uint32_t& out) {
  const auto value = scalar(at, "write a whole number");
  if (!value) return false;
  const auto parsed = parse_count(*value);
  if (!parsed) {
    not_understood(at, parsed.error());
    return false;
  }
  if (*parsed < min || *parsed > max) {
    not_understood(at, "out of range; write a number from " + std::to_string(min) + " to " + std::to_string(max));
    return false;
  }
  out = static_cast<std::uint32_t>(*parsed);
  return true;
}

bool reading::fraction(const place& at, double& out) {
  const auto value = scalar(at, "write a share, like 60% or 0.6");
  if (!value) return false;
  const auto parsed = parse_fraction(*value);
  if (!parsed) {
    not_understood(at, parsed.error());
    return false;
  }
  out = *parsed;
  return true;
}

bool reading::boolean(const place& at, bool& out) {
  auto value = scalar(at, "write true or false");
  if (!value) return false;
  std::ranges::transform(*value, value->begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (*value == "true" || *value == "yes" || *value == "on") {
    out = true;
  } else if (*value == "false" || *value == "no" || *value == "off") {
    out = false;
  } else {
    not_understood(at, "is neither; write true or false");
    return false;
  }
  return true;
}

bool reading::listen_address(const place& at, endpoint& out) {
  const auto value = scalar(at, "write \"127.0.0.1:6379\"");
  if (!value) return false;
  auto parsed = parse_endpoint(*value);
  if (!parsed) {
    book(at, parsed.error());  // unquoted: it may be a URL with a password, put here by accident
    return false;
  }
  out = std::move(*parsed);
  return true;
}

bool reading::path(const place& at, std::string& out) {
  std::string written_path;
  if (!text(at, "write a path", path_bytes_max, written_path)) return false;
  out = resolved(written_path);
  return true;
}

bool reading::file(const place& at, file_use use, std::string& out) {
  if (!path(at, out)) return false;
  const auto mode = probe_file(out);
  if (!mode) {
    not_understood(at, "cannot be read: " + mode.error() +
                           "; correct the path or its permissions (relative paths count "
                           "from the folder of the configuration file)");
    return false;
  }
  if (use == file_use::private_key && (*mode & open_to_others) != 0) {
    not_understood(at, "a private key that others can read or write; run chmod 600 on it");
    return false;
  }
  return true;
}

bool reading::ca_file(const place& at, const std::string& path) {
  const auto mode = probe_file(path);
  if (!mode) book(at, "the file behind ?ca= cannot be read: " + mode.error() + "; correct the path or its permissions");
  return mode.has_value();
}

bool reading::secret_from_file(const place& at, const std::string& path, std::string& out) {
  auto file = read_whole(path, secret_bytes_max);
  if (!file) {
    book(at, "the file behind file: cannot be read: " + file.error() + "; correct the path or its permissions");
    return false;
  }
  if ((file->mode & open_to_others) != 0) {
    book(at, "the file behind file: is open to others; run chmod 600 on it");
    return false;
  }
  if (file->text.ends_with('\n')) file->text.pop_back();
  if (file->text.ends_with('\r')) file->text.pop_back();
  if (file->text.empty()) {
    book(at, "the file behind file: is empty; write the secret into it");
    return false;
  }
  out = std::move(file->text);
  return true;
}

bool reading::secret(const place& at, std::string& out) {
  constexpr std::string_view wants = "write \"${NAME}\" (from the environment) or file:PATH";
  if (at.is(node_kind::null) || !at.is(node_kind::scalar)) {
    book(at, "must be a single value; " + std::string(wants));
    return false;
  }
  constexpr std::string_view scheme = "file:";
  bool literal = false;
  // The scheme counts only as written: a password from the environment may begin with anything.
  const bool from_file = at.value->text.starts_with(scheme);
  const std::string_view raw = std::string_view(at.value->text).substr(from_file ? scheme.size() : 0);
  auto value = expand(at, raw, literal);
  if (!value) return false;
  if (value->empty()) {
    book(at, "is empty; " + std::string(wants));
    return false;
  }
  if (from_file) return secret_from_file(at, resolved(*value), out);
  if (value->size() > secret_bytes_max) {
    book(at, "is longer than " + std::to_string(secret_bytes_max) + " bytes; shorten it");
    return false;
  }
  if (literal && mode_ && (*mode_ & open_to_others) != 0) {
    book(at, "stands as text in a file that others can read; run chmod 600 on the file, or " + std::string(wants));
    return false;
  }
  out = std::move(*value);
  return true;
}

}  // namespace tidegate::config
