#include "evidence/capture/capture_set.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <optional>
#include <tuple>

#include "resp/keyword.hpp"

namespace tidegate::capture {
namespace {

namespace fs = std::filesystem;

// What orders the files of an instance: the time in the name, then the number, which has no leading zeros.
struct file_name {
  std::string instance, time;
  std::uint64_t number = 0;
};

std::optional<file_name> read_name(std::string name) {
  for (const std::string_view end : {".zst", ".aof"}) {
    if (name.ends_with(end)) {
      name.resize(name.size() - end.size());
    } else if (end == ".aof") {
      return std::nullopt;
    }
  }
  constexpr std::string_view prefix = "tidegate-";
  if (!name.starts_with(prefix)) return std::nullopt;
  const std::size_t counter = name.rfind('-');
  const std::size_t time = counter == 0 ? std::string::npos : name.rfind('-', counter - 1);
  if (time == std::string::npos || time < prefix.size()) return std::nullopt;
  file_name read{name.substr(prefix.size(), time - prefix.size()), name.substr(time + 1, counter - time - 1), 0};
  const char* const end = name.data() + name.size();
  const auto parsed = std::from_chars(name.data() + counter + 1, end, read.number);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return read;
}

}  // namespace

std::expected<capture_set, std::string> capture_set::open(const std::string& path, const window& when) {
  capture_set made;
  made.when_ = when;
  std::error_code failed;
  if (fs::is_directory(path, failed)) {
    std::map<std::string, std::vector<std::tuple<std::string, std::uint64_t, std::string>>> by_instance;
    for (const fs::directory_entry& entry : fs::directory_iterator(path, failed)) {
      if (const auto name = read_name(entry.path().filename().string())) {
        by_instance[name->instance].emplace_back(name->time, name->number, entry.path().string());
      }
    }
    if (failed) return std::unexpected(path + ": it cannot be listed: " + failed.message());
    for (auto& [instance, files] : by_instance) {
      std::ranges::sort(files);
      line& one = made.lines_.emplace_back();
      // A writer that was killed while it compressed a file leaves both; the plain one comes first and is whole.
      const auto same = [](const auto& a, const auto& b) {
        return std::get<0>(a) == std::get<0>(b) && std::get<1>(a) == std::get<1>(b);
      };
      files.erase(std::ranges::unique(files, same).begin(), files.end());
      for (auto& [time, number, file] : files) one.paths.push_back(std::move(file));
    }
    if (made.lines_.empty()) {
      return std::unexpected(path + ": there is no capture file (tidegate-INSTANCE-TIME-N.aof or .aof.zst) in it");
    }
  } else if (fs::exists(path, failed)) {
    made.lines_.emplace_back().paths.push_back(path);
  } else {
    return std::unexpected(path + ": there is no such file or directory; give capture.directory, or a file of it");
  }
  for (const line& one : made.lines_) {
    for (const std::string& file : one.paths) {
      ++made.files_;
      const auto size = fs::file_size(file, failed);
      if (!failed) made.bytes_total_ += size;
    }
  }
  return made;
}

std::uint64_t capture_set::bytes_read() const noexcept {
  std::uint64_t sum = bytes_done_;
  for (const line& one : lines_) sum += one.reader ? one.reader->bytes_read() : 0;
  return sum;
}

// Reads on to the next command of this instance that is wanted.
std::expected<bool, std::string> capture_set::advance(line& which) {
  which.ready = false;
  for (;;) {
    if (!which.reader) {
      if (which.next_path == which.paths.size()) return false;
      auto opened = file_reader::open(which.paths[which.next_path++]);
      if (!opened) return std::unexpected(opened.error());
      which.reader = std::make_unique<file_reader>(std::move(*opened));
    }
    const auto more = which.reader->next();
    if (!more) return std::unexpected(more.error());
    if (!*more) {
      if (which.reader->truncated()) ++truncated_;
      bytes_done_ += which.reader->bytes_read();
      which.reader.reset();
      which.in_transaction = false;
      continue;
    }
    const record& one = which.reader->now();
    if (!which.in_transaction) which.wanted = one.wall_ms >= when_.since_ms && one.wall_ms < when_.until_ms;
    if (resp::is_keyword(one.request[0], "multi")) which.in_transaction = true;
    if (resp::is_keyword(one.request[0], "exec")) which.in_transaction = false;
    if (which.wanted) {
      which.ready = true;
      return true;
    }
  }
}

std::expected<bool, std::string> capture_set::next() {
  if (!begun_) {
    begun_ = true;
    for (line& one : lines_) {
      if (const auto read = advance(one); !read) return std::unexpected(read.error());
    }
  } else if (lines_[current_].ready) {
    // Within a transaction the others wait: it stays in one piece.
    const bool inside = lines_[current_].in_transaction;
    const auto read = advance(lines_[current_]);
    if (!read) return std::unexpected(read.error());
    if (inside && *read) return true;
  }
  const line* first = nullptr;
  for (const line& one : lines_) {
    if (one.ready && (first == nullptr || one.reader->now().wall_ms < first->reader->now().wall_ms)) first = &one;
  }
  if (first == nullptr) return false;
  current_ = static_cast<std::size_t>(first - lines_.data());
  return true;
}

}  // namespace tidegate::capture
