// The committed corpus holds every seed, byte for byte. TIDEGATE_WRITE_SEEDS=1 writes what is missing or has changed.
#include "seeds.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "resp/command_table.hpp"

namespace tidegate::fuzz {
namespace {

std::filesystem::path path_of(const seed& one) {
  return std::filesystem::path(TIDEGATE_CORPUS) / one.target / one.name;
}

std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST(Seeds, AreAllInTheCorpus) {
  const bool write = std::getenv("TIDEGATE_WRITE_SEEDS") != nullptr;
  for (const seed& one : seeds()) {
    const std::filesystem::path path = path_of(one);
    if (write) {
      std::filesystem::create_directories(path.parent_path());
      std::ofstream(path, std::ios::binary) << one.bytes;
    }
    EXPECT_TRUE(std::filesystem::exists(path)) << path << " is missing: TIDEGATE_WRITE_SEEDS=1 seeds_test writes it";
    EXPECT_EQ(contents(path), one.bytes) << path;
  }
}

TEST(Seeds, AreThereForEveryCommandOfTheTable) {
  std::set<std::string> names;
  for (const seed& one : seeds()) names.insert(one.target + "/" + one.name);
  EXPECT_EQ(names.size(), seeds().size()) << "two seeds have one name";
  for (const resp::command_spec& spec : resp::builtin_commands()) {
    if (spec.id == 0) continue;
    std::string name(spec.name);
    for (char& c : name) c = c == '|' ? '+' : c;
    EXPECT_TRUE(names.contains("request_parser_fuzz/command_" + name)) << name;
    EXPECT_TRUE(names.contains("session_fuzz/command_" + name)) << name;
  }
}

}  // namespace
}  // namespace tidegate::fuzz
