#include "evidence/capture/file_reader.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "tests/evidence/capture/capture_files.hpp"

namespace tidegate::capture {
namespace {

struct seen {
  std::int64_t wall_ms;
  std::string client, session, words;
  std::uint32_t db;
  bool digested;
  bool operator==(const seen&) const = default;
};

std::vector<seen> read_all(file_reader& from) {
  std::vector<seen> all;
  for (;;) {
    const auto more = from.next();
    EXPECT_TRUE(more) << more.error();
    if (!more || !*more) return all;
    const record& one = from.now();
    std::string words;
    for (std::size_t i = 0; i < one.request.size(); ++i) words.append(i == 0 ? "" : " ").append(one.request[i]);
    all.push_back({one.wall_ms, std::string(one.client), std::string(one.session), words, one.db, one.digested});
  }
}

std::vector<seen> read_file(const std::string& path) {
  auto opened = file_reader::open(path);
  EXPECT_TRUE(opened);
  return read_all(*opened);
}

const std::string two_writers = "#TS:1000\r\n#TG:client=a source=10.0.0.1 session=7 pattern=k:* ms=12\r\n" +
                                command({"SELECT", "0"}) + command({"SET", "k:1", "v", "EX", "60"}) +
                                "#TG:client=b session=8 ms=999 values=digest\r\n" + command({"SELECT", "3"}) +
                                command({"SADD", "s", "x"}) + "#something of a later version\r\n" + "#TS:1001\r\n" +
                                command({"DEL", "s"});
const std::vector<seen> of_two_writers{{1'000'012, "a", "7", "SET k:1 v EX 60", 0, false},
                                       {1'000'999, "b", "8", "SADD s x", 3, true},
                                       {1'001'000, "b", "8", "DEL s", 3, true}};

TEST(capture_file, tells_each_command_with_when_and_by_whom) {
  const folder here;
  EXPECT_EQ(read_file(here.write("a.aof", two_writers)), of_two_writers);
}

TEST(capture_file, is_read_compressed_whatever_it_is_called) {
  const folder here;
  EXPECT_EQ(read_file(here.write_packed("a.aof.zst", two_writers)), of_two_writers);
  EXPECT_EQ(read_file(here.write_packed("b.aof", two_writers)), of_two_writers);
}

TEST(capture_file, takes_unix_milliseconds_as_they_are) {
  const folder here;
  const auto all = read_file(here.write("a.aof", "#TG:client=a ms=1770000000123\r\n" + command({"DEL", "k"})));
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].wall_ms, 1'770'000'000'123);
}

TEST(capture_file, that_stops_within_a_command_is_read_up_to_there) {
  const folder here;
  for (std::size_t cut = 1; cut < command({"DEL", "s"}).size(); ++cut) {
    auto opened = file_reader::open(here.write("cut.aof", two_writers.substr(0, two_writers.size() - cut)));
    ASSERT_TRUE(opened);
    EXPECT_EQ(read_all(*opened).size(), 2U) << cut;
    EXPECT_TRUE(opened->truncated()) << cut;
  }
}

TEST(capture_file, that_stops_within_its_compression_is_read_up_to_there) {
  const folder here;
  std::string many;
  for (int i = 0; i < 200'000; ++i) many += command({"SET", "key:" + std::to_string(i * 7919), "v"});
  const std::string whole = here.write_packed("whole.zst", many);
  std::ifstream file(whole, std::ios::binary);
  const std::string packed{std::istreambuf_iterator<char>(file), {}};
  auto opened = file_reader::open(here.write("cut.zst", packed.substr(0, packed.size() / 2)));
  ASSERT_TRUE(opened);
  const std::size_t read = read_all(*opened).size();
  EXPECT_GT(read, 1000U);
  EXPECT_LT(read, 200'000U);
  EXPECT_TRUE(opened->truncated());
}

TEST(capture_file, holds_values_longer_than_a_read) {
  const folder here;
  const std::string big(3'000'000, 'x');
  const auto all = read_file(here.write("a.aof", command({"SET", "k", big}) + command({"DEL", "k"})));
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].words, "SET k " + big);
}

TEST(capture_file, that_is_something_else_is_an_error_with_its_place) {
  const folder here;
  auto opened = file_reader::open(here.write("a.aof", command({"DEL", "k"}) + "hello\r\n"));
  ASSERT_TRUE(opened);
  ASSERT_TRUE(*opened->next());
  const auto failed = opened->next();
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().find("at byte 20"), std::string::npos) << failed.error();
  EXPECT_FALSE(file_reader::open(here.path() + "/nothing.aof"));
}

}  // namespace
}  // namespace tidegate::capture
