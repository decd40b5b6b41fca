#include "config/address.hpp"

#include <algorithm>
#include <charconv>

namespace tidegate::config {
namespace {

constexpr std::size_t host_name_max = 253;  // RFC 1035 section 2.3.4, without the root's dot

std::unexpected<std::string> wrong(std::string_view text) {
  return std::unexpected(std::string(text));
}

std::optional<std::uint32_t> decimal(std::string_view text, std::uint32_t max) {
  if (text.empty() || text.size() > 5 || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > max) return std::nullopt;
  return value;
}

bool parse_v4(std::string_view text, std::uint8_t* out) {
  for (int i = 0; i < 4; ++i) {
    const auto dot = text.find('.');
    if ((dot == std::string_view::npos) != (i == 3)) return false;
    const auto number = decimal(text.substr(0, dot), 255);
    if (!number) return false;
    out[i] = static_cast<std::uint8_t>(*number);
    if (i < 3) text.remove_prefix(dot + 1);
  }
  return true;
}

// Groups of a half of an IPv6 address (what stands on one side of `::`), appended at `size`.
bool parse_groups(std::string_view text, bool may_end_in_v4, std::array<std::uint8_t, 16>& out, std::size_t& size) {
  while (!text.empty()) {
    const auto colon = text.find(':');
    const auto group = text.substr(0, colon);
    if (colon == std::string_view::npos && may_end_in_v4 && group.find('.') != std::string_view::npos) {
      if (size + 4 > out.size() || !parse_v4(group, out.data() + size)) return false;
      size += 4;
      return true;
    }
    unsigned value = 0;
    const auto [end, error] = std::from_chars(group.data(), group.data() + group.size(), value, 16);
    if (group.empty() || group.size() > 4 || error != std::errc{} || end != group.data() + group.size()) return false;
    if (size + 2 > out.size()) return false;
    out[size++] = static_cast<std::uint8_t>(value >> 8);
    out[size++] = static_cast<std::uint8_t>(value & 0xffU);
    if (colon == std::string_view::npos) return true;
    text.remove_prefix(colon + 1);
    if (text.empty()) return false;  // a colon at the end
  }
  return true;
}

bool parse_v6(std::string_view text, std::array<std::uint8_t, 16>& out) {
  const auto gap = text.find("::");
  std::size_t size = 0;
  if (gap == std::string_view::npos) return !text.empty() && parse_groups(text, true, out, size) && size == 16;
  std::array<std::uint8_t, 16> tail{};
  std::size_t tail_size = 0;
  if (!parse_groups(text.substr(0, gap), false, out, size)) return false;
  if (!parse_groups(text.substr(gap + 2), true, tail, tail_size)) return false;
  if (size + tail_size > 14) return false;  // `::` stands for at least one group
  std::copy_n(tail.begin(), tail_size, out.end() - static_cast<std::ptrdiff_t>(tail_size));
  return true;
}

bool host_name(std::string_view text) {
  if (text.empty() || text.size() > host_name_max || text.front() == '.' || text.front() == '-') return false;
  if (text.find("..") != std::string_view::npos) return false;
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
  });
}

struct host_and_port {
  std::string_view host, port;
  bool bracketed = false, has_port = false;
};

std::optional<host_and_port> split(std::string_view text) {
  host_and_port parts;
  if (!text.empty() && text.front() == '[') {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    parts.bracketed = true;
    parts.host = text.substr(1, close - 1);
    text.remove_prefix(close + 1);
    if (text.empty()) return parts;
    if (text.front() != ':') return std::nullopt;
  } else {
    const auto colon = text.rfind(':');
    parts.host = text.substr(0, colon);
    if (colon == std::string_view::npos) return parts;
    text.remove_prefix(colon);
  }
  parts.has_port = true;
  parts.port = text.substr(1);
  return parts;
}

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size() || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0) return std::nullopt;
    out += static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2]));
    i += 2;
  }
  if (out.empty() || out.find('\0') != std::string::npos) return std::nullopt;
  return out;
}

std::expected<void, std::string> read_authority(std::string_view authority, redis_url& url) {
  if (authority.find('@') != std::string_view::npos) {
    return wrong("credentials do not belong in the URL; put them under upstream.auth (and upstream.control)");
  }
  const auto parts = split(authority);
  if (!parts || parts->host.empty()) return wrong("the host is missing; write rediss://HOST:6379");
  const auto ip = parse_ip(parts->host);
  if (parts->bracketed != (ip && ip->v6)) {
    return wrong("an IPv6 address stands in brackets, nothing else does: rediss://[2001:db8::1]:6379");
  }
  if (!ip && !host_name(parts->host)) return wrong("not a host name; write rediss://HOST:6379");
  url.host = std::string(parts->host);
  if (!parts->has_port) return {};
  const auto port = decimal(parts->port, 65535);
  if (!port || *port == 0) return wrong("not a port; write rediss://HOST:6379");
  url.port = static_cast<std::uint16_t>(*port);
  return {};
}

}  // namespace

bool ip_address::loopback() const {
  if (!v6) return bytes[0] == 127;
  const bool zeros = std::all_of(bytes.begin(), bytes.begin() + 10, [](std::uint8_t b) { return b == 0; });
  if (!zeros) return false;
  if (bytes[10] == 0xff && bytes[11] == 0xff) return bytes[12] == 127;
  return std::all_of(bytes.begin() + 10, bytes.begin() + 15, [](std::uint8_t b) { return b == 0; }) && bytes[15] == 1;
}

bool ip_address::wildcard() const {
  return std::ranges::all_of(bytes, [](std::uint8_t b) { return b == 0; });
}

std::optional<ip_address> parse_ip(std::string_view text) {
  ip_address ip;
  if (text.find(':') == std::string_view::npos) {
    if (!parse_v4(text, ip.bytes.data())) return std::nullopt;
    return ip;
  }
  ip.v6 = true;
  if (!parse_v6(text, ip.bytes)) return std::nullopt;
  return ip;
}

std::expected<endpoint, std::string> parse_endpoint(std::string_view text) {
  constexpr std::string_view remedy = "; write \"127.0.0.1:6379\", \"0.0.0.0:6379\" (all IPv4) or \"[::]:6379\" (all)";
  const auto say = [&](std::string_view what) { return wrong(std::string(what) + std::string(remedy)); };
  const auto parts = split(text);
  if (!parts) return say("not an address");
  if (parts->host.empty()) return say("the host is missing");
  const auto ip = parse_ip(parts->host);
  if (!parts->bracketed && parts->host.find(':') != std::string_view::npos) {
    return say("an IPv6 address stands in brackets");
  }
  if (!parts->has_port) return say("the port is missing");
  if (!ip) return say("the host must be a numeric address, not a name");
  if (parts->bracketed && !ip->v6) return say("only an IPv6 address stands in brackets");
  const auto port = decimal(parts->port, 65535);
  if (!port) return say("the port must be a number from 0 to 65535");
  return endpoint{std::string(parts->host), *ip, static_cast<std::uint16_t>(*port)};
}

std::expected<cidr, std::string> parse_cidr(std::string_view text) {
  constexpr std::string_view remedy = "; write a block like 10.0.3.0/24 or 2001:db8::/32";
  const auto slash = text.find('/');
  const auto ip = parse_ip(text.substr(0, slash));
  if (!ip) return wrong("not an address block" + std::string(remedy));
  const std::uint32_t width = ip->v6 ? 128 : 32;
  std::uint32_t prefix = width;
  if (slash != std::string_view::npos) {
    const auto number = decimal(text.substr(slash + 1), width);
    if (!number) {
      return wrong("the prefix must be from 0 to " + std::to_string(width) + std::string(remedy));
    }
    prefix = *number;
  }
  cidr block{*ip, static_cast<std::uint8_t>(prefix), false};
  for (std::uint32_t bit = prefix; bit < width; ++bit) {
    auto& byte = block.ip.bytes[bit / 8];
    const auto mask = static_cast<std::uint8_t>(0x80U >> (bit % 8));
    if ((byte & mask) == 0) continue;
    block.host_bits = true;
    byte = static_cast<std::uint8_t>(byte & ~mask);
  }
  return block;
}

std::expected<redis_url, std::string> parse_url(std::string_view text) {
  redis_url url;
  constexpr std::string_view plain = "redis://", secure = "rediss://";
  if (text.starts_with(secure)) {
    url.tls = true;
    text.remove_prefix(secure.size());
  } else if (text.starts_with(plain)) {
    text.remove_prefix(plain.size());
  } else {
    return wrong("the URL must begin with rediss:// (TLS) or redis:// (plain); write rediss://HOST:6379");
  }
  // Whatever stands before an `@` may be a password, also one that holds `/` or `?`: seen before anything is split.
  if (text.substr(0, text.find("?ca=")).find('@') != std::string_view::npos) {
    return wrong("credentials do not belong in the URL; put them under upstream.auth (and upstream.control)");
  }
  const auto question = text.find('?');
  std::string_view query = question == std::string_view::npos ? std::string_view{} : text.substr(question + 1);
  std::string_view path = text.substr(0, question);
  const auto slash = path.find('/');
  const std::string_view authority = path.substr(0, slash);
  path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash);
  if (const auto read = read_authority(authority, url); !read) return std::unexpected(read.error());
  if (!path.empty() && path != "/" && path != "/0") {
    return wrong("a database does not belong in the URL: each session chooses its own; end the URL behind the port");
  }
  if (question == std::string_view::npos) return url;
  if (!query.starts_with("ca=")) return wrong("the only parameter is ?ca=FILE");
  if (!url.tls) return wrong("?ca=FILE needs TLS; write rediss://");
  const auto ca = percent_decoded(query.substr(3));
  if (!ca || query.find('&') != std::string_view::npos) return wrong("the only parameter is ?ca=FILE");
  url.ca = *ca;
  return url;
}

}  // namespace tidegate::config
