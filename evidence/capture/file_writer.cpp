#include "evidence/capture/file_writer.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>
#include <filesystem>

#include "resp/encoder.hpp"

namespace tidegate::capture {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t name_bytes_max = 96;  // an annotation stays under 512 bytes whatever it names
constexpr int compression_level = 3;

std::string stamp_of(std::int64_t now_ms) {
  const std::time_t seconds = now_ms / 1000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ", &parts)};
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out += ' ';
  out += name;
  out += '=';
  resp::append_sanitized(out, value, name_bytes_max);
}

void append_number(std::string& out, std::string_view name, std::int64_t value) {
  std::array<char, 24> digits{};
  char* const end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out += ' ';
  out += name;
  out += '=';
  out.append(digits.data(), end);
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t taken = ::write(fd, bytes.data(), bytes.size());
    if (taken < 0 && errno == EINTR) continue;
    if (taken <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(taken));
  }
  return true;
}

}  // namespace

// A slice a call, so that the rings are emptied in between. The plain file goes only when the other is whole.
class file_writer::compression {
 public:
  explicit compression(std::string path)
      : path_(std::move(path)),
        stream_(ZSTD_createCCtx()),
        in_(::open(path_.c_str(), O_RDONLY | O_CLOEXEC)),
        out_(::open((path_ + ".zst.part").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) {
    ZSTD_CCtx_setParameter(stream_, ZSTD_c_compressionLevel, compression_level);
    ZSTD_CCtx_setParameter(stream_, ZSTD_c_checksumFlag, 1);
  }
  ~compression() {
    ZSTD_freeCCtx(stream_);
    if (in_ >= 0) ::close(in_);
    if (out_ >= 0) ::close(out_);
    std::error_code ignored;
    fs::remove(path_ + ".zst.part", ignored);
  }
  compression(const compression&) = delete;
  compression& operator=(const compression&) = delete;

  // False: it is done, or cannot be, and then the plain file stays.
  bool step() {
    if (in_ < 0 || out_ < 0) return false;
    const ssize_t got = ::read(in_, plain_.data(), plain_.size());
    if (got < 0) return false;
    ZSTD_inBuffer from{plain_.data(), static_cast<std::size_t>(got), 0};
    const ZSTD_EndDirective mode = got == 0 ? ZSTD_e_end : ZSTD_e_continue;
    for (;;) {
      ZSTD_outBuffer to{packed_.data(), packed_.size(), 0};
      const std::size_t left = ZSTD_compressStream2(stream_, &to, &from, mode);
      if (ZSTD_isError(left) != 0 || !write_all(out_, {packed_.data(), to.pos})) return false;
      if (mode == ZSTD_e_end ? left == 0 : from.pos == from.size) break;
    }
    if (got != 0) return true;
    std::error_code failed;
    fs::rename(path_ + ".zst.part", path_ + ".zst", failed);
    if (!failed) fs::remove(path_, failed);
    return false;
  }

 private:
  std::string path_;
  ZSTD_CCtx* stream_;
  int in_, out_;
  std::vector<char> plain_ = std::vector<char>(256U << 10), packed_ = std::vector<char>(ZSTD_CStreamOutSize());
};

file_writer::file_writer(writer_options how) : how_(std::move(how)) {}

file_writer::~file_writer() {
  close_file();
}

void file_writer::annotate(const described& what) {
  if (!told_ || what.wall_ms / 1000 != second_) {
    second_ = what.wall_ms / 1000;
    batch_ += "#TS:" + std::to_string(second_) + "\r\n";
  }
  const bool same = told_ && what.client == client_ && what.source == source_ && what.pattern == pattern_ &&
                    what.session == session_ && what.wall_ms == wall_ms_;
  if (!same) {
    batch_ += "#TG:";
    // Those that change seldom are said when they do; the pattern holds for the one line.
    if (!told_ && how_.digested) batch_ += " values=digest";
    if (!told_ || what.client != client_) append_field(batch_, "client", what.client);
    if (!told_ || what.source != source_) append_field(batch_, "source", what.source);
    if (!told_ || what.session != session_) append_number(batch_, "session", static_cast<std::int64_t>(what.session));
    append_field(batch_, "pattern", what.pattern);
    append_number(batch_, "ms", what.wall_ms);
    batch_ += "\r\n";
    client_ = what.client;
    source_ = what.source;
    pattern_ = what.pattern;
    session_ = what.session;
    wall_ms_ = what.wall_ms;
  }
  told_ = true;
}

void file_writer::write(const described& what, std::string_view arguments) {
  if (in_transaction_ && !opened_) {
    opened_ = true;
    annotate(what);
    resp::append_command(batch_, "MULTI");
  }
  if (what.db != db_) {
    resp::append_command(batch_, "SELECT", std::to_string(what.db));
    db_ = what.db;
  }
  annotate(what);
  batch_ += arguments;
  ++batch_records_;
}

void file_writer::end_transaction() {
  if (opened_) resp::append_command(batch_, "EXEC");
  in_transaction_ = opened_ = false;
}

std::string file_writer::open_file(std::int64_t now_ms) {
  std::error_code failed;
  fs::create_directories(how_.directory, failed);
  if (stamp_.empty()) stamp_ = stamp_of(now_ms);
  std::string name = "tidegate-";
  resp::append_sanitized(name, how_.instance, name_bytes_max);
  std::replace(name.begin(), name.end(), '/', '_');
  path_ = how_.directory + "/" + name + "-" + stamp_ + "-" + std::to_string(++files_) + ".aof";
  // Keys are in it, perhaps values: nobody else's to read.
  fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
  size_ = 0;
  return fd_ >= 0 ? std::string() : path_ + ": " + std::strerror(errno);
}

void file_writer::close_file() {
  if (fd_ < 0) return;
  ::close(fd_);
  fd_ = -1;
  std::error_code ignored;
  if (size_ == 0) {
    fs::remove(path_, ignored);
  } else {
    closed_.push_back(path_);
  }
  size_ = 0;
  told_ = false;
  db_ = 0;  // an AOF begins in db 0
}

// The batch was made for the file that is open: a new one begins with the next batch.
file_writer::flushed file_writer::flush(std::int64_t now_ms) {
  flushed out;
  if (batch_.empty()) return out;
  if (fd_ < 0) out.error = open_file(now_ms);
  if (out.error.empty() && !write_all(fd_, batch_)) {
    out.error = path_ + ": " + std::strerror(errno);
    if (::ftruncate(fd_, static_cast<off_t>(size_)) != 0)
      out.error += "; and it cannot be cut to its last whole command";
  }
  out.records = batch_records_;
  if (out.error.empty()) {
    out.bytes = batch_.size();
    size_ += batch_.size();
  } else {
    close_file();
    told_ = false;
    db_ = 0;
    retain();
  }
  batch_.clear();
  batch_records_ = 0;
  if (size_ >= how_.rotate && !in_transaction_) {
    close_file();
    retain();
  }
  return out;
}

bool file_writer::compress_some() {
  if (!compressing_) {
    if (closed_.empty()) return false;
    compressing_ = std::make_unique<compression>(std::move(closed_.front()));
    closed_.erase(closed_.begin());
  }
  if (!compressing_->step()) compressing_.reset();
  return true;
}

void file_writer::close() {
  close_file();
  while (compress_some()) {
  }
}

void file_writer::retain() {
  struct found {
    fs::file_time_type at;
    std::uint64_t size;
    fs::path path;
  };
  std::vector<found> all;
  std::uint64_t total = 0;
  std::error_code failed;
  for (const fs::directory_entry& entry : fs::directory_iterator(how_.directory, failed)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("tidegate-") || !(name.ends_with(".aof") || name.ends_with(".aof.zst"))) continue;
    std::error_code gone;
    const found one{entry.last_write_time(gone), entry.file_size(gone), entry.path()};
    if (gone) continue;
    total += one.size;
    all.push_back(one);
  }
  std::sort(all.begin(), all.end(), [](const found& a, const found& b) { return a.at < b.at; });
  const auto oldest = fs::file_time_type::clock::now() - how_.keep;
  for (const found& one : all) {
    if (one.at >= oldest && total <= how_.max_size) break;
    if (one.path == path_) continue;
    std::erase(closed_, one.path.string());
    fs::remove(one.path, failed);
    if (!failed) total -= one.size;
  }
}

}  // namespace tidegate::capture
