#include "evidence/simulate/key_model.hpp"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

#include "resp/encoder.hpp"
#include "resp/request_parser.hpp"

namespace tidegate::simulate {
namespace {

class a_key_model : public testing::Test {
 protected:
  void run(std::int64_t now_ms, std::initializer_list<std::string_view> words, std::uint32_t db = 0) {
    std::string raw;
    resp::append_array_header(raw, words.size());
    for (const std::string_view word : words) resp::append_bulk(raw, word);
    ASSERT_EQ(parser_.parse(raw), resp::parse_status::complete);
    const resp::request& request = parser_.request();
    const resp::command_spec& spec = table_->find(request);
    std::vector<resp::key_ref> keys;
    ASSERT_TRUE(resp::find_keys(spec, request, keys));
    model.apply(spec, request, keys, db, now_ms);
  }
  std::optional<std::int64_t> ends(std::string_view key, std::uint32_t db = 0) { return model.expires_at(db, key); }

  key_model model;

 private:
  std::shared_ptr<const resp::command_table> table_ = resp::command_table::builtin();
  resp::request_parser parser_;
};

TEST_F(a_key_model, sets_replaces_and_forgets) {
  run(1000, {"SET", "k", "12345", "EX", "10"});
  EXPECT_EQ(ends("k"), 11'000);
  EXPECT_EQ(model.bytes(), 6 + 2 + 2 + key_model::key_overhead + key_model::ttl_overhead);
  run(2000, {"SET", "k", "1", "KEEPTTL"});
  EXPECT_EQ(ends("k"), 11'000);
  run(3000, {"SET", "k", "1"});
  EXPECT_EQ(ends("k"), 0);
  run(4000, {"DEL", "k"});
  EXPECT_EQ(ends("k"), std::nullopt);
  EXPECT_EQ(model.bytes(), 0U);
}

TEST_F(a_key_model, expires_what_is_due_and_not_what_was_set_again) {
  run(1000, {"SETEX", "a", "10", "v"});
  run(1000, {"SETEX", "b", "10", "v"});
  run(5000, {"EXPIRE", "b", "60"});
  model.expire_until(11'000);
  EXPECT_EQ(ends("a"), std::nullopt);
  EXPECT_EQ(ends("b"), 65'000);
  EXPECT_EQ(model.mortal_bytes(), model.bytes());
}

TEST_F(a_key_model, knows_the_conditions_of_expire) {
  run(0, {"SADD", "k", "m"});
  run(0, {"EXPIRE", "k", "50", "XX"});
  EXPECT_EQ(ends("k"), 0);
  run(0, {"EXPIRE", "k", "50", "GT"});
  EXPECT_EQ(ends("k"), 0) << "no TTL is the longest";
  run(0, {"EXPIRE", "k", "50", "LT"});
  EXPECT_EQ(ends("k"), 50'000);
  run(0, {"EXPIRE", "k", "40", "NX"});
  EXPECT_EQ(ends("k"), 50'000);
  run(0, {"PEXPIREAT", "k", "70000", "GT"});
  EXPECT_EQ(ends("k"), 70'000);
  run(0, {"PERSIST", "k"});
  EXPECT_EQ(ends("k"), 0);
  run(0, {"EXPIRE", "k", "-1"});
  EXPECT_EQ(ends("k"), std::nullopt);
}

TEST_F(a_key_model, moves_the_ttl_with_the_value) {
  run(0, {"SET", "a", "v", "PX", "500"});
  run(0, {"RENAME", "a", "b"});
  EXPECT_EQ(ends("a"), std::nullopt);
  EXPECT_EQ(ends("b"), 500);
  run(0, {"COPY", "b", "c"});
  EXPECT_EQ(ends("b"), 500);
  EXPECT_EQ(ends("c"), 500);
}

TEST_F(a_key_model, adds_members_and_clears_ttls_as_redis_does) {
  run(0, {"SADD", "s", "aaaa"});
  const std::uint64_t one = model.bytes();
  run(0, {"EXPIRE", "s", "10"});
  run(0, {"SADD", "s", "bbbb"});
  EXPECT_EQ(ends("s"), 10'000);
  EXPECT_GT(model.bytes(), one);
  run(0, {"SREM", "s", "bbbb"});
  run(0, {"MSET", "s", "v", "t", "w"});
  EXPECT_EQ(ends("s"), 0);
  EXPECT_EQ(ends("t"), 0);
  run(0, {"SETNX", "t", "zzzzzzzz"});
  EXPECT_EQ(model.keys(), 2U);
}

TEST_F(a_key_model, tells_dbs_apart) {
  run(0, {"SET", "k", "v"}, 0);
  run(0, {"SET", "k", "v", "EX", "1"}, 1);
  EXPECT_EQ(ends("k", 0), 0);
  EXPECT_EQ(ends("k", 1), 1000);
}

TEST_F(a_key_model, tells_whether_a_follow_up_takes) {
  run(0, {"SET", "k", "v"});
  EXPECT_TRUE(model.expire_if_none(0, "k", 1000, 0));
  EXPECT_FALSE(model.expire_if_none(0, "k", 500, 0));
  EXPECT_FALSE(model.expire_if_less(0, "k", 2000, 0));
  EXPECT_TRUE(model.expire_if_less(0, "k", 500, 0));
  EXPECT_FALSE(model.expire_if_none(0, "absent", 500, 0));
}

}  // namespace
}  // namespace tidegate::simulate
