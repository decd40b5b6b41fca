// What the config tests share: a folder of their own, environment variables for one test, and rows of broken texts.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "config/load.hpp"

namespace tidegate::config {

class scratch_folder {
 public:
  scratch_folder() {
    std::string name = (std::filesystem::temp_directory_path() / "tidegate-config-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  ~scratch_folder() { std::filesystem::remove_all(path_); }
  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;

  std::string write(const std::string& name, std::string_view text, mode_t mode = 0600) const {
    const std::string file = path_ + "/" + name;
    std::filesystem::create_directories(std::filesystem::path(file).parent_path());
    std::ofstream(file, std::ios::binary) << text;
    if (::chmod(file.c_str(), mode) != 0) std::abort();
    return file;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class environment {
 public:
  environment(std::string name, const std::string& value) : name_(std::move(name)) {
    ::setenv(name_.c_str(), value.c_str(), 1);
  }
  ~environment() { ::unsetenv(name_.c_str()); }
  environment(const environment&) = delete;
  environment& operator=(const environment&) = delete;

 private:
  std::string name_;
};

inline constexpr std::string_view listen_line = "listen: [ { address: \"127.0.0.1:6380\" } ]\n";
inline constexpr std::string_view upstream_line = "upstream: { url: \"redis://127.0.0.1:6379\" }\n";

// The smallest valid text, two lines, and what follows from line 3 on.
inline std::string with(std::string_view rest) {
  return std::string(listen_line) + std::string(upstream_line) + std::string(rest);
}
// The same around another listen or upstream section, which begins on line 2.
inline std::string with_listen(std::string_view rest) {
  return std::string(upstream_line) + std::string(rest);
}
inline std::string with_upstream(std::string_view rest) {
  return std::string(listen_line) + std::string(rest);
}

struct broken {
  std::string text;
  std::uint32_t line;
  std::string key;
  std::string remedy;  // a part of the mistake's text
};

inline std::string all_of(const std::vector<mistake>& list) {
  std::string out;
  for (const auto& one : list) out += one.to_string() + "\n";
  return out;
}

// Exactly this mistake and no other: a row that brings others along would hide one that is lost.
inline void expect_broken(const broken& row) {
  const auto loaded = load_text(row.text, "proxy.yaml");
  ASSERT_FALSE(loaded.has_value()) << "accepted:\n" << row.text;
  ASSERT_EQ(loaded.error().size(), 1U) << row.text << "---\n" << all_of(loaded.error());
  const mistake& found = loaded.error().front();
  EXPECT_EQ(found.file, "proxy.yaml");
  EXPECT_EQ(found.line, row.line) << row.text << "---\n" << found.to_string();
  EXPECT_EQ(found.key, row.key) << row.text << "---\n" << found.to_string();
  EXPECT_NE(found.text.find(row.remedy), std::string::npos) << row.text << "---\n" << found.to_string();
}

}  // namespace tidegate::config
