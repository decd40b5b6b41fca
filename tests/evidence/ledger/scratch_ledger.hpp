// A folder of its own for a test's ledger, gone with it, and rows to put into one.
//
// Thread safety: none.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "evidence/ledger/reader.hpp"
#include "evidence/ledger/writer.hpp"

namespace tidegate::ledger {

class scratch_ledger : public ::testing::Test {
 protected:
  scratch_ledger() {
    std::string name = (std::filesystem::temp_directory_path() / "tidegate-ledger-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~scratch_ledger() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::string path() const { return folder_ + "/ledger.db"; }
  [[nodiscard]] writer_options options() const { return {.path = path(), .instance = "proxy-a", .version = "0.1.0"}; }
  [[nodiscard]] std::unique_ptr<writer> opened(unix_ms now = 1'000) const {
    auto made = writer::open(options(), now);
    EXPECT_TRUE(made) << made.error().text;
    return made ? std::move(*made) : nullptr;
  }
  [[nodiscard]] reader read() const {
    auto made = reader::open(path());
    EXPECT_TRUE(made) << made.error();
    return std::move(*made);
  }
  static write_row row(std::string client, std::string source, std::string command, std::string pattern,
                       std::uint64_t commands, int first_key = 0) {
    write_row out{std::move(client), std::move(source), std::move(command), std::move(pattern), {}};
    out.sums.commands = commands;
    out.sums.elements = 2 * commands;
    out.sums.bytes = 100 * commands;
    out.sums.without_ttl = commands / 2;
    for (int n = 0; n < static_cast<int>(commands); ++n) out.sums.keys.add("k" + std::to_string(first_key + n));
    return out;
  }
  [[nodiscard]] static bucket bucket_at(unix_ms at, std::vector<write_row> writes) {
    bucket out;
    out.at = at;
    out.until = at + 10'000;
    out.writes = std::move(writes);
    return out;
  }

  std::string folder_;
};

}  // namespace tidegate::ledger
