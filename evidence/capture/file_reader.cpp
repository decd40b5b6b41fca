#include "evidence/capture/file_reader.hpp"

#include <zstd.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>
#include <vector>

#include "resp/keyword.hpp"
#include "resp/request_parser.hpp"

namespace tidegate::capture {
namespace {

constexpr std::size_t chunk_bytes = 256UL << 10;
constexpr std::int64_t absolute_ms_from = 100'000'000'000;  // Unix milliseconds of 1973, or 3,170 years in seconds

struct close_file {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};
struct free_stream {
  void operator()(ZSTD_DStream* stream) const noexcept { ZSTD_freeDStream(stream); }
};

template <class Number>
std::optional<Number> number_of(std::string_view text) noexcept {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// tidegate-<instance>-<yyyymmddThhmmssZ>-<n>.aof[.zst]
std::string instance_of(const std::string& path) {
  const std::string name = std::filesystem::path(path).filename().string();
  constexpr std::string_view prefix = "tidegate-";
  const std::size_t counter = name.rfind('-');
  const std::size_t time = counter == std::string::npos || counter == 0 ? counter : name.rfind('-', counter - 1);
  if (!name.starts_with(prefix) || time == std::string::npos || time <= prefix.size()) return {};
  return name.substr(prefix.size(), time - prefix.size());
}

}  // namespace

struct file_reader::state {
  std::string path;
  std::string instance;
  std::unique_ptr<std::FILE, close_file> file;
  std::unique_ptr<ZSTD_DStream, free_stream> stream;  // null for a plain file
  std::vector<char> packed;
  ZSTD_inBuffer in{nullptr, 0, 0};
  bool ended = false, frame_open = false, truncated = false;
  std::uint64_t bytes_read = 0;
  std::uint64_t offset = 0;  // of bytes[0] in the AOF

  std::string bytes;
  std::size_t at = 0;
  resp::request_parser parser;

  std::int64_t second = 0, wall_ms = 0;
  std::string client, source, pattern, session;
  bool digested = false;
  std::uint32_t db = 0;
  record told;

  [[nodiscard]] std::string place(std::string_view what) const {
    return path + ": at byte " + std::to_string(offset + at) + ": " + std::string(what);
  }

  // Appends what comes next to `bytes`; false at the end.
  std::expected<bool, std::string> read_more() {
    if (at > 0) {
      bytes.erase(0, at);
      offset += at;
      at = 0;
    }
    const std::size_t before = bytes.size();
    bytes.resize(before + chunk_bytes);
    std::size_t got = 0;
    while (got == 0) {
      if (!stream) {
        got = std::fread(bytes.data() + before, 1, chunk_bytes, file.get());
        bytes_read += got;
        if (got == 0) break;
        continue;
      }
      if (in.pos == in.size) {
        in = {packed.data(), std::fread(packed.data(), 1, packed.size(), file.get()), 0};
        bytes_read += in.size;
        if (in.size == 0) {
          truncated = truncated || frame_open;
          break;
        }
      }
      ZSTD_outBuffer out{bytes.data() + before, chunk_bytes, 0};
      const std::size_t left = ZSTD_decompressStream(stream.get(), &out, &in);
      if (ZSTD_isError(left) != 0) {
        bytes.resize(before);
        return std::unexpected(path + ": it does not decompress: " + ZSTD_getErrorName(left));
      }
      frame_open = left != 0;
      got = out.pos;
    }
    bytes.resize(before + got);
    if (std::ferror(file.get()) != 0) return std::unexpected(path + ": it cannot be read: " + std::strerror(errno));
    return got != 0;
  }

  void annotate(std::string_view line) {
    if (line.starts_with("#TS:")) {
      if (const auto seconds = number_of<std::int64_t>(line.substr(4))) {
        second = *seconds;
        wall_ms = second * 1000;
      }
      return;
    }
    if (!line.starts_with("#TG:")) return;
    line.remove_prefix(4);
    pattern.clear();
    while (!line.empty()) {
      const std::size_t end = line.find(' ');
      const std::string_view word = line.substr(0, end);
      line.remove_prefix(end == std::string_view::npos ? line.size() : end + 1);
      const std::size_t equals = word.find('=');
      if (equals == std::string_view::npos) continue;
      const std::string_view name = word.substr(0, equals), value = word.substr(equals + 1);
      if (name == "client") client = value;
      if (name == "source") source = value;
      if (name == "pattern") pattern = value;
      if (name == "session") session = value;
      if (name == "values") digested = value == "digest";
      if (name == "ms") {
        if (const auto ms = number_of<std::int64_t>(value))
          wall_ms = *ms >= absolute_ms_from ? *ms : second * 1000 + *ms;
      }
    }
  }

  // True: an annotation was taken. False: more bytes are needed.
  std::expected<bool, std::string> take_annotation() {
    const std::string_view rest = std::string_view(bytes).substr(at);
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) {
      if (rest.size() > annotation_bytes_max) return std::unexpected(place("an annotation that does not end"));
      return false;
    }
    std::string_view line = rest.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    annotate(line);
    at += end + 1;
    return true;
  }

  // True: a command was taken, and `told` set unless it was a SELECT.
  std::expected<bool, std::string> take_command() {
    const std::string_view rest = std::string_view(bytes).substr(at);
    switch (parser.parse(rest)) {
      case resp::parse_status::error:
        return std::unexpected(place("this is no command of an AOF"));
      case resp::parse_status::incomplete:
        if (rest.size() > command_bytes_max) return std::unexpected(place("a command that is too long"));
        return false;
      case resp::parse_status::complete:
        break;
    }
    const resp::request& request = parser.request();
    if (request.is_inline) return std::unexpected(place("this is no command of an AOF"));
    at += request.raw.size();
    told.request = {};
    if (request.empty()) return true;
    if (request.size() == 2 && resp::is_keyword(request[0], "select")) {
      db = number_of<std::uint32_t>(request[1]).value_or(db);
      return true;
    }
    told = {.wall_ms = wall_ms,
            .client = client,
            .source = source,
            .pattern = pattern,
            .session = session,
            .instance = instance,
            .db = db,
            .digested = digested,
            .request = request};
    return true;
  }
};

file_reader::file_reader(std::unique_ptr<state> opened) noexcept : state_(std::move(opened)) {}
file_reader::file_reader(file_reader&&) noexcept = default;
file_reader& file_reader::operator=(file_reader&&) noexcept = default;
file_reader::~file_reader() = default;

std::expected<file_reader, std::string> file_reader::open(const std::string& path) {
  auto made = std::make_unique<state>();
  made->path = path;
  made->instance = instance_of(path);
  made->file.reset(std::fopen(path.c_str(), "rbe"));
  if (!made->file) return std::unexpected(path + ": it cannot be opened: " + std::strerror(errno));
  // By its first bytes (RFC 8878, section 3.1.1) and not by its name.
  constexpr std::array<unsigned char, 4> magic{0x28, 0xb5, 0x2f, 0xfd};
  std::array<unsigned char, 4> first{};
  const bool compressed = std::fread(first.data(), 1, first.size(), made->file.get()) == first.size() && first == magic;
  std::rewind(made->file.get());
  if (compressed) {
    made->stream.reset(ZSTD_createDStream());
    made->packed.resize(ZSTD_DStreamInSize());
    if (!made->stream) return std::unexpected(path + ": no memory to decompress it");
  }
  return file_reader(std::move(made));
}

std::expected<bool, std::string> file_reader::next() {
  state& s = *state_;
  for (;;) {
    if (s.at < s.bytes.size()) {
      const bool annotation = s.bytes[s.at] == '#';
      const auto taken = annotation ? s.take_annotation() : s.take_command();
      if (!taken) return std::unexpected(taken.error());
      if (*taken && !annotation && !s.told.request.empty()) return true;
      if (*taken) continue;
    }
    if (s.ended) return false;
    // The parser keeps its place in a request that goes on; its bytes may move.
    const auto more = s.read_more();
    if (!more) return std::unexpected(more.error());
    if (!*more) {
      s.ended = true;
      s.truncated = s.truncated || s.at < s.bytes.size();
      return false;
    }
  }
}

const record& file_reader::now() const noexcept {
  return state_->told;
}
bool file_reader::truncated() const noexcept {
  return state_->truncated;
}
std::uint64_t file_reader::bytes_read() const noexcept {
  return state_->bytes_read;
}

}  // namespace tidegate::capture
