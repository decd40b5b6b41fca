#include "evidence/capture/capture_set.hpp"

#include <gtest/gtest.h>

#include "tests/evidence/capture/capture_files.hpp"

namespace tidegate::capture {
namespace {

std::string keys_of(const std::string& path, const window& when = {}) {
  auto opened = capture_set::open(path, when);
  EXPECT_TRUE(opened) << opened.error();
  std::string keys;
  for (;;) {
    const auto more = opened->next();
    EXPECT_TRUE(more) << more.error();
    if (!more || !*more) return keys;
    const record& one = opened->now();
    keys += one.request.size() > 1 ? std::string(one.request[1]) : std::string(one.request[0]);
    keys += ' ';
  }
}

std::string del(std::int64_t second, std::string_view key) {
  return stamp(second, "c", "1", 0) + command({"DEL", key});
}

TEST(capture_set, follows_an_instances_files_as_they_were_written) {
  const folder here;
  here.write("tidegate-a-20260210T090000Z-10.aof", del(1010, "fourth"));
  here.write_packed("tidegate-a-20260210T090000Z-9.aof.zst", del(1005, "third"));
  here.write_packed("tidegate-a-20260210T085000Z-11.aof.zst", del(1000, "first") + del(1001, "second"));
  here.write("tidegate.db", "no capture");
  EXPECT_EQ(keys_of(here.path()), "first second third fourth ");
}

TEST(capture_set, reads_a_file_once_that_lies_there_twice) {
  const folder here;
  here.write_packed("tidegate-a-20260210T090000Z-1.aof.zst", del(1000, "first"));
  here.write("tidegate-a-20260210T090000Z-1.aof", del(1000, "first"));
  here.write("tidegate-a-20260210T090000Z-2.aof", del(1001, "second"));
  EXPECT_EQ(keys_of(here.path()), "first second ");
}

TEST(capture_set, merges_instances_by_time_and_keeps_transactions_whole) {
  const folder here;
  here.write("tidegate-a-b-20260210T090000Z-1.aof", del(1000, "a1") + stamp(1002, "c", "1", 0) + command({"MULTI"}) +
                                                        command({"DEL", "a2"}) + stamp(1006, "c", "1", 0) +
                                                        command({"DEL", "a3"}) + command({"EXEC"}) + del(1007, "a4"));
  here.write("tidegate-other-20260210T090000Z-1.aof", del(1001, "b1") + del(1003, "b2") + del(1008, "b3"));
  EXPECT_EQ(keys_of(here.path()), "a1 b1 MULTI a2 a3 EXEC b2 a4 b3 ");
}

TEST(capture_set, leaves_out_what_lies_outside_the_window_but_no_half_of_a_transaction) {
  const folder here;
  const std::string file =
      here.write("x.aof", del(1000, "a") + del(1001, "b") + stamp(1002, "c", "1", 0) + command({"MULTI"}) +
                              stamp(1004, "c", "1", 0) + command({"DEL", "c"}) + command({"EXEC"}) + del(1005, "d"));
  EXPECT_EQ(keys_of(file, {.since_ms = 1'001'000, .until_ms = 1'003'000}), "b MULTI c EXEC ");
  EXPECT_EQ(keys_of(file, {.since_ms = 1'003'000}), "d ");
}

TEST(capture_set, says_what_it_missed) {
  const folder here;
  const auto empty = capture_set::open(here.path(), {});
  ASSERT_FALSE(empty);
  EXPECT_NE(empty.error().find("tidegate-INSTANCE"), std::string::npos);
  EXPECT_FALSE(capture_set::open(here.path() + "/nowhere", {}));
}

}  // namespace
}  // namespace tidegate::capture
