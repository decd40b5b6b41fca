#include "resp/reply_framer.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "reply_vectors.hpp"
#include "reply_writer.hpp"

namespace tidegate::resp {
namespace {

using namespace test;

void render_frame(std::string& out, const reply_framer& framer, const std::vector<element_outcome>& outcomes) {
  out += out.empty() ? "" : " ";
  out += framer.type();
  out += framer.is_null() ? "N" : "";
  if (framer.elements() != 0) {
    out += "#" + std::to_string(framer.elements());
  }
  if (framer.last_integer() != 0) {
    out += "i(" + std::to_string(framer.last_integer()) + ")";
  }
  if (framer.is_error()) {
    out += "e(" + std::string(framer.error_text()) + ")";
  }
  if (!framer.kind().empty()) {
    out += "k(" + std::string(framer.kind()) + ")";
  }
  if (!outcomes.empty()) {
    out += "x[";
    for (const auto& [type, error] : outcomes) {
      out += type;
      out += error == error_code::none ? "" : std::to_string(static_cast<int>(error));
    }
    out += "]";
  }
}

struct framed_stream {
  std::string rendered;
  std::vector<std::size_t> sizes;
  std::vector<std::string> heads;
};

// Each chunk lies in a heap block of exactly its size, gone before the next: what is kept must have been copied.
framed_stream frame_stream(const std::vector<std::string_view>& chunks) {
  framed_stream out;
  reply_framer framer;
  std::vector<element_outcome> outcomes;
  framer.track_elements(&outcomes);
  std::size_t frame_bytes = 0;
  for (const std::string_view chunk : chunks) {
    const std::unique_ptr<char[]> block(new char[chunk.size()]);
    std::memcpy(block.get(), chunk.data(), chunk.size());
    std::string_view data(block.get(), chunk.size());
    do {
      const auto [state, bytes] = framer.consume(data);
      frame_bytes += bytes;
      if (state == reply_framer::status::malformed) {
        out.rendered += "!" + std::to_string(frame_bytes);
        EXPECT_EQ(framer.consume("+OK\r\n").state, reply_framer::status::malformed);
        EXPECT_EQ(framer.consume("+OK\r\n").bytes, 0U);
        return out;
      }
      if (state == reply_framer::status::incomplete) {
        EXPECT_EQ(bytes, data.size());
        break;
      }
      EXPECT_TRUE(framer.idle());
      render_frame(out.rendered, framer, outcomes);
      out.sizes.push_back(frame_bytes);
      out.heads.emplace_back(framer.head());
      frame_bytes = 0;
      outcomes.clear();
      data.remove_prefix(bytes);
    } while (!data.empty());
  }
  out.rendered += framer.idle() ? "" : "?";
  return out;
}

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

TEST(reply_framer, frames_every_vector_in_one_piece_and_byte_by_byte) {
  for (const auto& [wire, wants] : reply_vectors()) {
    EXPECT_EQ(frame_stream({wire}).rendered, wants) << wire;
    EXPECT_EQ(frame_stream(every_byte(wire)).rendered, wants) << wire;
  }
}

TEST(reply_framer, frames_every_vector_split_at_every_point) {
  for (const auto& vector : reply_vectors()) {
    const std::string_view wire = vector.wire;
    const auto whole = frame_stream({wire});
    for (std::size_t at = 0; at <= wire.size(); ++at) {
      const auto split = frame_stream({wire.substr(0, at), wire.substr(at)});
      ASSERT_EQ(split.rendered, vector.wants) << wire << " split at " << at;
      ASSERT_EQ(split.sizes, whole.sizes) << wire << " split at " << at;
      ASSERT_EQ(split.heads, whole.heads) << wire << " split at " << at;
    }
  }
}

TEST(reply_framer, is_idle_between_frames_and_takes_nothing_for_nothing) {
  reply_framer framer;
  EXPECT_TRUE(framer.idle());
  EXPECT_EQ(framer.consume("").state, reply_framer::status::incomplete);
  EXPECT_TRUE(framer.idle());
  EXPECT_EQ(framer.consume("+").state, reply_framer::status::incomplete);
  EXPECT_FALSE(framer.idle());
  EXPECT_EQ(framer.consume("").state, reply_framer::status::incomplete);
  EXPECT_EQ(framer.consume("\r\n").state, reply_framer::status::complete);
  EXPECT_TRUE(framer.idle());
}

TEST(reply_framer, keeps_a_head_of_512_bytes_without_attributes) {
  for (const std::size_t size : {500U, 504U, 505U, 506U, 507U, 5000U}) {
    const std::string value = "$" + std::to_string(size) + "\r\n" + std::string(size, 'v') + "\r\n";
    const std::string wire = "|1\r\n+a\r\n:1\r\n" + value;
    std::mt19937 random(3);
    EXPECT_EQ(frame_stream({wire}).heads.at(0), value.substr(0, 512));
    EXPECT_EQ(frame_stream(random_chunks(wire, random, 100)).heads.at(0), value.substr(0, 512));
    EXPECT_EQ(frame_stream({value}).heads.at(0), value.substr(0, 512));
    EXPECT_EQ(frame_stream(every_byte(value)).heads.at(0), value.substr(0, 512));
  }
}

TEST(reply_framer, cuts_long_errors_and_passes_them_whole) {
  for (const std::size_t size : {508U, 509U, 510U, 511U, 512U, 513U, 100'000U}) {
    const std::string text = "ERR " + std::string(size - 4, 'x');
    const std::string line = "-" + text + "\r\n";
    const std::string wants = "-e(" + text.substr(0, 511) + ")";
    EXPECT_EQ(frame_stream({line}).rendered, wants) << size;
    EXPECT_EQ(frame_stream(every_byte(line)).rendered, wants) << size;
    EXPECT_EQ(frame_stream({line}).sizes.at(0), line.size());
    const std::string blob = "!" + std::to_string(size) + "\r\n" + text + "\r\n";
    const std::size_t room = 512 - blob.find('\n') - 1;
    EXPECT_EQ(frame_stream({blob}).rendered, "!e(" + text.substr(0, room) + ")") << size;
  }
}

TEST(reply_framer, costs_the_same_at_any_depth_and_size) {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) {
    deep += "*1\r\n";
  }
  EXPECT_EQ(frame_stream({deep + ":1\r\n"}).rendered, "*#1i(1)x[*]");
  EXPECT_EQ(frame_stream({deep}).rendered, "?");
  // A body of 2^40 bytes, of which some arrives.
  reply_framer framer;
  ASSERT_EQ(framer.consume("$1099511627776\r\n").state, reply_framer::status::incomplete);
  const std::string megabyte(1U << 20U, '\n');
  for (int i = 0; i < 64; ++i) {
    ASSERT_EQ(framer.consume(megabyte).state, reply_framer::status::incomplete);
  }
}

TEST(reply_framer, begins_afresh_after_reset) {
  reply_framer framer;
  std::vector<element_outcome> outcomes;
  framer.track_elements(&outcomes);
  for (const std::string_view begun : {"x", "*2\r\n-OO", "|1\r\n", "$10\r\nab", ":12", "+a\r", "#t\r"}) {
    (void)framer.consume(begun);
    framer.reset();
    outcomes.clear();
    EXPECT_TRUE(framer.idle());
    EXPECT_EQ(framer.head(), "");
    const auto [state, bytes] = framer.consume("*1\r\n-OOM x\r\n");
    EXPECT_EQ(state, reply_framer::status::complete) << begun;
    EXPECT_EQ(bytes, 12U);
    ASSERT_EQ(outcomes.size(), 1U);
    EXPECT_EQ(outcomes[0].error, error_code::oom);
  }
}

TEST(reply_framer, tracks_elements_only_while_asked) {
  reply_framer framer;
  std::vector<element_outcome> outcomes;
  EXPECT_EQ(framer.consume("*1\r\n-OOM x\r\n").state, reply_framer::status::complete);
  framer.track_elements(&outcomes);
  EXPECT_EQ(framer.consume("*1\r\n-OOM x\r\n").state, reply_framer::status::complete);
  framer.track_elements(nullptr);
  EXPECT_EQ(framer.consume("*1\r\n-OOM x\r\n").state, reply_framer::status::complete);
  EXPECT_EQ(outcomes.size(), 1U);
}

TEST(reply_framer, finds_what_a_random_writer_wrote_however_it_is_split) {
  for (unsigned seed = 0; seed < 400; ++seed) {
    reply_writer writer(seed);
    for (int i = 0; i < 10; ++i) {
      writer.frame();
    }
    ASSERT_EQ(frame_stream({writer.wire}).rendered, writer.wants) << seed << "\n" << writer.wire;
    std::mt19937 random(seed);
    const auto whole = frame_stream({writer.wire});
    for (const std::size_t longest : {1U, 2U, 7U, 60U, 700U}) {
      const auto split = frame_stream(random_chunks(writer.wire, random, longest));
      ASSERT_EQ(split.rendered, writer.wants) << seed;
      ASSERT_EQ(split.sizes, whole.sizes) << seed;
      ASSERT_EQ(split.heads, whole.heads) << seed;
    }
  }
}

TEST(reply_framer, frames_damaged_replies_alike_however_they_are_split) {
  for (unsigned seed = 0; seed < 1500; ++seed) {
    reply_writer writer(seed);
    for (int i = 0; i < 4; ++i) {
      writer.frame();
    }
    std::mt19937 random(seed);
    std::string wire = writer.wire;
    wire[random() % wire.size()] = "0123456789-+:$*\r\n|>_x"[random() % 21];
    const auto whole = frame_stream({wire});
    for (const std::size_t longest : {1U, 3U, 50U}) {
      const auto split = frame_stream(random_chunks(wire, random, longest));
      ASSERT_EQ(split.rendered, whole.rendered) << seed << "\n" << wire;
      ASSERT_EQ(split.sizes, whole.sizes) << seed;
      ASSERT_EQ(split.heads, whole.heads) << seed;
    }
  }
}

}  // namespace
}  // namespace tidegate::resp
