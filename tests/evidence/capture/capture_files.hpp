// Capture files of a test, in a folder of their own.
// Thread safety: none; a test's own.
#pragma once

#include <zstd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <string>
#include <string_view>

#include "resp/encoder.hpp"

namespace tidegate::capture {

class folder {
 public:
  folder() {
    std::string name = std::filesystem::temp_directory_path() / "tidegate-capture-XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  ~folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  folder(const folder&) = delete;
  folder& operator=(const folder&) = delete;

  std::string write(const std::string& name, std::string_view bytes) const {
    const std::string file = path_ + "/" + name;
    std::ofstream(file, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return file;
  }
  std::string write_packed(const std::string& name, std::string_view bytes) const {
    std::string packed(ZSTD_compressBound(bytes.size()), '\0');
    packed.resize(ZSTD_compress(packed.data(), packed.size(), bytes.data(), bytes.size(), 3));
    return write(name, packed);
  }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

inline std::string command(std::initializer_list<std::string_view> words) {
  std::string out;
  resp::append_array_header(out, words.size());
  for (const std::string_view word : words) resp::append_bulk(out, word);
  return out;
}

inline std::string stamp(std::int64_t second, std::string_view client, std::string_view session, int ms) {
  return "#TS:" + std::to_string(second) + "\r\n#TG:client=" + std::string(client) +
         " session=" + std::string(session) + " ms=" + std::to_string(ms) + "\r\n";
}

}  // namespace tidegate::capture
