#include "resp/request_parser.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <utility>

#include "request_vectors.hpp"

namespace {
bool no_memory = false;
}

// The parser's only way to memory: lets a test take it away.
void* operator new[](std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
  return no_memory ? nullptr : ::operator new[](size);
}

namespace tidegate::resp {
namespace {

using namespace test;

std::vector<std::string_view> every_byte(std::string_view wire) {
  std::vector<std::string_view> chunks;
  for (std::size_t i = 0; i < wire.size(); ++i) {
    chunks.push_back(wire.substr(i, 1));
  }
  return chunks;
}

std::vector<std::string_view> random_chunks(std::string_view wire, std::mt19937& random, std::size_t longest) {
  std::vector<std::string_view> chunks;
  while (!wire.empty()) {
    chunks.push_back(wire.substr(0, 1 + random() % longest));
    wire.remove_prefix(chunks.back().size());
  }
  return chunks;
}

TEST(request_parser, reads_every_vector_in_one_piece) {
  const auto vectors = request_vectors();
  EXPECT_GE(vectors.size(), 300U);
  for (const auto& vector : vectors) {
    EXPECT_EQ(parse_stream({vector.wire}, vector.authenticated).rendered, vector.wants) << vector.wire;
  }
}

TEST(request_parser, reads_every_vector_byte_by_byte) {
  for (const auto& vector : request_vectors()) {
    EXPECT_EQ(parse_stream(every_byte(vector.wire), vector.authenticated).rendered, vector.wants) << vector.wire;
  }
}

TEST(request_parser, reads_every_vector_split_at_every_point) {
  for (const auto& vector : request_vectors()) {
    const std::string_view wire = vector.wire;
    for (std::size_t at = 0; at <= wire.size(); ++at) {
      ASSERT_EQ(parse_stream({wire.substr(0, at), wire.substr(at)}, vector.authenticated).rendered, vector.wants)
          << vector.wire << " split at " << at;
    }
  }
}

TEST(request_parser, bounds_lines_alike_however_they_arrive) {
  std::mt19937 random(7);
  for (const auto& vector : long_request_vectors()) {
    const std::string_view wire = vector.wire;
    const std::string start(wire.substr(0, 20));
    EXPECT_EQ(parse_stream({wire}, true).rendered, vector.wants) << start << " of " << wire.size();
    EXPECT_EQ(parse_stream(random_chunks(wire, random, 5000), true).rendered, vector.wants) << start;
    for (std::size_t at = wire.size() - std::min<std::size_t>(wire.size(), 8); at <= wire.size(); ++at) {
      EXPECT_EQ(parse_stream({wire.substr(0, at), wire.substr(at)}, true).rendered, vector.wants) << start;
    }
  }
}

TEST(request_parser, parses_a_pipeline_of_all_vectors_in_random_pieces) {
  std::string wire;
  std::string wants;
  for (const auto& vector : request_vectors()) {
    if (vector.wants.find_first_of("!?") == std::string::npos) {
      wire += vector.wire;
      wants += vector.wants;
    }
  }
  std::mt19937 random(1);
  for (int round = 0; round < 20; ++round) {
    ASSERT_EQ(parse_stream(random_chunks(wire, random, 1 + random() % 300), true).rendered, wants);
  }
}

TEST(request_parser, tells_an_empty_argument_from_an_empty_request) {
  EXPECT_EQ(parse_stream({"*1\r\n$0\r\n\r\n"}, true).requests.at(0).size(), 1U);
  EXPECT_EQ(parse_stream({"''\r\n"}, true).requests.at(0).size(), 1U);
  EXPECT_EQ(parse_stream({"*0\r\n"}, true).requests.at(0).size(), 0U);
}

TEST(request_parser, keeps_the_frame_as_it_came) {
  request_parser parser;
  const std::string wire = "*2\r\n$3\r\nGET\r\n$1\r\nk\r\nfoo \"\\x41\"\r\n";
  ASSERT_EQ(parser.parse(wire), parse_status::complete);
  EXPECT_EQ(parser.request().raw.data(), wire.data());
  EXPECT_EQ(parser.request().raw, "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
  EXPECT_FALSE(parser.request().is_inline);
  EXPECT_EQ(parser.request()[1].data(), wire.data() + 17);
  ASSERT_EQ(parser.parse(std::string_view(wire).substr(20)), parse_status::complete);
  EXPECT_EQ(parser.request().raw, "foo \"\\x41\"\r\n");
  EXPECT_TRUE(parser.request().is_inline);
  EXPECT_EQ(parser.request()[1], "A");
}

TEST(request_parser, words_errors_as_one_line) {
  EXPECT_EQ(parse_stream({"*1\r\n\r\n"}, true).error, "-ERR Protocol error: expected '$', got ' '\r\n");
  EXPECT_EQ(parse_stream({"*1\r\n\xfe\r\n"}, true).error, "-ERR Protocol error: expected '$', got '\xfe'\r\n");
  EXPECT_EQ(parse_stream({"*11\r\n"}, false).error, "-ERR Protocol error: unauthenticated multibulk length\r\n");
}

TEST(request_parser, stays_in_error_until_reset) {
  request_parser parser;
  ASSERT_EQ(parser.parse("*x\r\n"), parse_status::error);
  EXPECT_EQ(parser.parse("*1\r\n$4\r\nPING\r\n"), parse_status::error);
  EXPECT_EQ(parser.error_line(), "-ERR Protocol error: invalid multibulk length\r\n");
  EXPECT_FALSE(parser.in_progress().begun);
  parser.reset();
  EXPECT_EQ(parser.error_line(), "");
  EXPECT_EQ(parser.parse("*1\r\n$4\r\nPING\r\n"), parse_status::complete);
}

TEST(request_parser, forgets_a_hidden_line_end_on_reset) {
  request_parser parser;
  ASSERT_EQ(parser.parse(bytes("*1\0\r\n")), parse_status::incomplete);
  parser.reset();
  ASSERT_EQ(parser.parse("*1"), parse_status::incomplete);
  ASSERT_EQ(parser.parse("*1\r\n$4\r\nPING\r\n"), parse_status::complete);
  ASSERT_EQ(parser.parse(bytes("a\0\n")), parse_status::incomplete);
  parser.reset();
  EXPECT_EQ(parser.parse("PING\n"), parse_status::complete);
}

TEST(request_parser, reserves_nothing_for_what_is_only_announced) {
  request_parser parser;
  ASSERT_EQ(parser.parse("*2147483647\r\n"), parse_status::incomplete);
  EXPECT_EQ(parser.used_memory(), 0U);
  const std::string some = "*2147483647\r\n" + repeat("$1\r\na\r\n", 1000) + "$536870912\r\n";
  ASSERT_EQ(parser.parse(some), parse_status::incomplete);
  EXPECT_EQ(parser.complete_args().size(), 1000U);
  EXPECT_LE(parser.used_memory(), 2 * 1000 * sizeof(arg_ref));
  ASSERT_EQ(parser.parse(some + "x"), parse_status::incomplete);
  EXPECT_LE(parser.used_memory(), 2 * 1000 * sizeof(arg_ref));
}

TEST(request_parser, reuses_its_memory) {
  request_parser parser;
  const std::string large = "*100\r\n" + repeat("$1\r\na\r\n", 100);
  const std::string line = "foo " + std::string(1000, 'a') + "\n";
  ASSERT_EQ(parser.parse(large), parse_status::complete);
  ASSERT_EQ(parser.parse(line), parse_status::complete);
  const std::size_t used = parser.used_memory();
  no_memory = true;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(parser.parse(large), parse_status::complete);
    EXPECT_EQ(parser.parse(line), parse_status::complete);
  }
  no_memory = false;
  EXPECT_EQ(parser.used_memory(), used);
}

TEST(request_parser, answers_with_an_error_when_there_is_no_memory) {
  request_parser parser;
  no_memory = true;
  EXPECT_EQ(parser.parse("*1\r\n$4\r\nPING\r\n"), parse_status::error);
  EXPECT_EQ(parser.error_line(), "-ERR Protocol error: out of memory\r\n");
  parser.reset();
  EXPECT_EQ(parser.parse("PING\r\n"), parse_status::error);
  no_memory = false;
  EXPECT_EQ(parser.used_memory(), 0U);
  parser.reset();
  const std::string sixteen = "*17\r\n" + repeat("$1\r\na\r\n", 16);
  ASSERT_EQ(parser.parse(sixteen), parse_status::incomplete);
  no_memory = true;
  EXPECT_EQ(parser.parse(sixteen + "$1\r\nb\r\n"), parse_status::error);
  no_memory = false;
}

TEST(request_parser, tells_how_far_a_request_has_come) {
  request_parser parser;
  const std::string wire = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nhello\r\n";
  EXPECT_FALSE(parser.in_progress().begun);
  ASSERT_EQ(parser.parse(""), parse_status::incomplete);
  EXPECT_FALSE(parser.in_progress().begun);
  ASSERT_EQ(parser.parse("*"), parse_status::incomplete);
  EXPECT_TRUE(parser.in_progress().begun);
  EXPECT_TRUE(parser.in_progress().multibulk);
  EXPECT_EQ(parser.in_progress().args_announced, 0);
  EXPECT_EQ(parser.in_progress().bulk_announced, -1);
  ASSERT_EQ(parser.parse(std::string_view(wire).substr(0, 22)), parse_status::incomplete);
  EXPECT_EQ(parser.in_progress().args_announced, 3);
  EXPECT_EQ(parser.in_progress().args_complete, 2U);
  EXPECT_EQ(parser.in_progress().bulk_announced, -1);
  ASSERT_EQ(parser.parse(std::string_view(wire).substr(0, 26)), parse_status::incomplete);
  EXPECT_EQ(parser.in_progress().bulk_announced, 5);
  EXPECT_EQ(parser.in_progress().bulk_offset, 24U);
  ASSERT_EQ(parser.complete_args().size(), 2U);
  EXPECT_EQ(parser.complete_args()[1].offset, 17U);
  EXPECT_EQ(parser.complete_args()[1].length, 1U);
  ASSERT_EQ(parser.parse(wire), parse_status::complete);
  EXPECT_FALSE(parser.in_progress().begun);
}

TEST(request_parser, takes_blanks_of_an_inline_line_for_nothing_begun) {
  request_parser parser;
  ASSERT_EQ(parser.parse(" "), parse_status::incomplete);
  ASSERT_EQ(parser.parse(" \t\r"), parse_status::incomplete);
  EXPECT_FALSE(parser.in_progress().begun);
  ASSERT_EQ(parser.parse(" \t\rf"), parse_status::incomplete);
  EXPECT_TRUE(parser.in_progress().begun);
  EXPECT_FALSE(parser.in_progress().multibulk);
  ASSERT_EQ(parser.parse(" \t\rf\n "), parse_status::complete);
  ASSERT_EQ(parser.parse(" "), parse_status::incomplete);
  EXPECT_FALSE(parser.in_progress().begun);
  parser.reset();
  ASSERT_EQ(parser.parse(bytes(" \0")), parse_status::incomplete);
  EXPECT_TRUE(parser.in_progress().begun);
}

TEST(request_parser, hands_a_split_request_to_another_parser_and_back) {
  const std::vector<std::string> wires{"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nhello\r\n", "foo \"a b\" c d\r\n"};
  for (const std::string& wire : wires) {
    for (std::size_t at = 1; at < wire.size(); ++at) {
      request_parser shared;
      request_parser own;
      ASSERT_EQ(shared.parse(std::string_view(wire).substr(0, at)), parse_status::incomplete);
      own.swap(shared);
      ASSERT_EQ(shared.parse("*1\r\n$4\r\nPING\r\n"), parse_status::complete);  // of another session
      ASSERT_EQ(shared.request()[0], "PING");
      request_parser moved(std::move(own));
      ASSERT_EQ(moved.parse(wire), parse_status::complete);
      EXPECT_EQ(moved.request().raw, wire);
      EXPECT_EQ(moved.request()[0], parse_stream({wire}, true).requests.at(0).at(0));
      shared.swap(moved);
      EXPECT_EQ(shared.request().raw, wire);
    }
  }
}

TEST(request_parser, takes_the_stricter_limits_along_when_swapped) {
  request_parser shared;
  request_parser own;
  shared.set_authenticated(false);
  ASSERT_EQ(shared.parse("*1"), parse_status::incomplete);
  own.swap(shared);
  EXPECT_EQ(own.parse("*11\r\n"), parse_status::error);
  EXPECT_EQ(shared.parse("*11\r\n"), parse_status::incomplete);
}

TEST(request_parser, understands_a_frame_that_was_moved_between_calls) {
  request_parser parser;
  const std::string wire = "*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n";
  for (std::size_t size = 1; size < wire.size(); ++size) {
    const auto moved = std::make_unique<std::string>(wire.substr(0, size));
    ASSERT_EQ(parser.parse(*moved), parse_status::incomplete) << size;
  }
  const auto last = std::make_unique<std::string>(wire);
  ASSERT_EQ(parser.parse(*last), parse_status::complete);
  EXPECT_EQ(parser.request()[1], "key");
  EXPECT_EQ(parser.request()[1].data(), last->data() + 17);
}

// 4 GiB of address space, of which only the pages with length lines are ever touched.
class huge_frame {
 public:
  huge_frame()
      : data_(static_cast<char*>(
            mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))) {}
  huge_frame(const huge_frame&) = delete;
  huge_frame& operator=(const huge_frame&) = delete;
  ~huge_frame() { munmap(data_, size); }

  [[nodiscard]] bool mapped() const { return data_ != MAP_FAILED; }
  void write(std::string_view text, std::size_t skip = 0) {
    std::memcpy(data_ + end_, text.data(), text.size());
    end_ += text.size() + skip;
  }
  [[nodiscard]] std::string_view view() const { return {data_, end_}; }
  [[nodiscard]] std::size_t end() const { return end_; }

 private:
  static constexpr std::size_t size = (4ULL << 30U) + (64ULL << 20U);
  char* data_;
  std::size_t end_ = 0;
};

TEST(request_parser, refuses_a_frame_whose_offsets_would_not_fit) {
  constexpr std::uint64_t max = 0xffffffffULL;
  constexpr std::uint64_t nine_digits = std::string_view("$123456789\r\n").size();
  constexpr std::uint64_t eight_digits = nine_digits - 1;
  // The last bulk's length has nine digits, then eight: each way of reading a length must look.
  for (const auto& [eighth, beyond] :
       {std::pair{bulk_bytes_max / 2, 0}, std::pair{bulk_bytes_max / 2, 1}, std::pair{std::uint64_t{450'000'000}, 0},
        std::pair{std::uint64_t{450'000'000}, 1}}) {
    huge_frame frame;
    ASSERT_TRUE(frame.mapped());
    frame.write("*9\r\n");
    for (int i = 0; i < 7; ++i) {
      frame.write("$536870912\r\n", bulk_bytes_max + 2);
    }
    frame.write("$" + std::to_string(eighth) + "\r\n", eighth + 2);
    const std::uint64_t line = eighth == 450'000'000 ? eight_digits : nine_digits;
    const std::uint64_t last = max - frame.end() - line - 2 + static_cast<std::uint64_t>(beyond);
    ASSERT_LT(last, bulk_bytes_max);
    frame.write("$" + std::to_string(last) + "\r\n");
    ASSERT_EQ(std::to_string(last).size() + 3, line);
    request_parser parser;
    if (beyond == 0) {
      ASSERT_EQ(parser.parse(frame.view()), parse_status::incomplete);
      EXPECT_EQ(parser.in_progress().bulk_announced, static_cast<std::int64_t>(last));
      frame.write("", last + 2);
      ASSERT_EQ(parser.parse(frame.view()), parse_status::complete);
      EXPECT_EQ(parser.request().raw.size(), max);
      EXPECT_EQ(parser.request()[8].size(), last);
    } else {
      ASSERT_EQ(parser.parse(frame.view()), parse_status::error);
      EXPECT_EQ(parser.error_line(), "-ERR Protocol error: invalid bulk length\r\n");
    }
  }
}

}  // namespace
}  // namespace tidegate::resp
