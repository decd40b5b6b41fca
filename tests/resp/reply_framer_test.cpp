#include "resp/reply_framer.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace tidegate::resp {
namespace {

// A frame is rendered as its type, then what is not as usual: N (null), #elements, i(last integer), e(error text),
// k(kind), x[type and code of each tracked element]. Behind the frames: ? (one is incomplete) or !offset of what is
// malformed in the last.
struct reply_vector {
  std::string wire;
  std::string wants;
};

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

std::string code(error_code code) {
  return std::to_string(static_cast<int>(code));
}

void add_simple(std::vector<reply_vector>& all) {
  const std::vector<reply_vector> cases{
      {"", ""},
      {"+OK\r\n", "+"},
      {"+\r\n", "+"},
      {"+OK\r\n+PONG\r\n", "+ +"},
      {"-ERR no\r\n", "-e(ERR no)"},
      {"-\r\n", "-e()"},
      {":0\r\n", ":"},
      {":1\r\n", ":i(1)"},
      {":+7\r\n", ":i(7)"},
      {":-1\r\n", ":i(-1)"},
      {":-0\r\n", ":"},
      {":007\r\n", ":i(7)"},
      {":123456789012345678\r\n", ":i(123456789012345678)"},
      {":1234567890123456789\r\n", ":i(1234567890123456789)"},
      {":9223372036854775807\r\n", ":i(9223372036854775807)"},
      {":-9223372036854775808\r\n", ":i(-9223372036854775808)"},
      {"$5\r\nhello\r\n", "$"},
      {"$0\r\n\r\n", "$"},
      {"$2\r\n\r\n\r\n", "$"},
      {"$05\r\nhello\r\n", "$"},
      {"$-1\r\n", "$N"},
      {"*-1\r\n", "*N"},
      {"*0\r\n", "*"},
      {"_\r\n", "_N"},
      {"#t\r\n#f\r\n", "# #"},
      {",1.5\r\n,inf\r\n,-inf\r\n,nan\r\n,-1.5e+10\r\n,1E-5\r\n,10\r\n", ", , , , , , ,"},
      {"(3492890328409238509324850943850943825024385\r\n(-1\r\n(0\r\n(+1\r\n", "( ( ( ("},
      {"!21\r\nSYNTAX invalid syntax\r\n", "!e(SYNTAX invalid syntax)"},
      {"!0\r\n\r\n", "!e()"},
      {"!4\r\na\r\nb\r\n", "!e(a\r\nb)"},
      {"=15\r\ntxt:Some string\r\n", "="},
      {"=4\r\ntxt:\r\n", "="},
      // A CR or an LF alone does not end a line.
      {"+a\rb\nc\r\n", "+"},
      {"+\r\r\n", "+"},
      {"+\n\r\n", "+"},
      {"+\r\r\r\n+x\r\n", "+ +"},
      {"-ERR a\rb\r\n", "-e(ERR a\rb)"},
      {"-ERR a\r\r\n", "-e(ERR a\r)"},
      {"+" + std::string(300, 'a') + "\r\n", "+"},
      {"+\xff\x80\x01\r\n", "+"},
  };
  all.insert(all.end(), cases.begin(), cases.end());
  all.push_back({{"$3\r\n\0\0\0\r\n", 9}, "$"});
  all.push_back({{"+a\0b\r\n", 6}, "+"});
  for (const std::size_t size : {1U, 9U, 10U, 99U, 100U, 512U, 513U}) {
    all.push_back({"$" + std::to_string(size) + "\r\n" + std::string(size, '$') + "\r\n:1\r\n", "$ :i(1)"});
  }
}

void add_aggregates(std::vector<reply_vector>& all) {
  const std::string oom = code(error_code::oom);
  const std::string other = code(error_code::other);
  const std::vector<reply_vector> cases{
      {"*1\r\n:5\r\n", "*#1i(5)x[:]"},
      {"*2\r\n$3\r\nfoo\r\n$3\r\nbar\r\n", "*#2k(foo)x[$$]"},
      {"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:3\r\n", "*#3i(3)k(subscribe)x[$$:]"},
      {"*2\r\n+foo\r\n-ERR x\r\n", "*#2k(foo)x[+-" + other + "]"},
      {"*2\r\n:1\r\n$3\r\nfoo\r\n", "*#2i(1)x[:$]"},
      {"*1\r\n$40\r\n" + std::string(40, 'k') + "\r\n", "*#1k(" + std::string(32, 'k') + ")x[$]"},
      {"*1\r\n$0\r\n\r\n", "*#1x[$]"},
      {"*1\r\n$-1\r\n", "*#1x[$]"},
      {"*1\r\n*-1\r\n", "*#1x[*]"},
      {"*1\r\n_\r\n", "*#1x[_]"},
      {"*1\r\n*0\r\n", "*#1x[*]"},
      {"*2\r\n*0\r\n*0\r\n", "*#2x[**]"},
      {"*2\r\n*2\r\n:1\r\n-OOM x\r\n-OOM y\r\n", "*#2i(1)x[*-" + oom + "]"},
      {"*2\r\n*1\r\n*1\r\n*1\r\n-OOM x\r\n+a\r\n", "*#2x[*+]"},
      {"*3\r\n+OK\r\n!5\r\nOOM x\r\n-OOM\r\n", "*#3k(OK)x[+!" + oom + "-" + oom + "]"},
      {"*2\r\n!0\r\n\r\n-\r\n", "*#2x[!" + other + "-" + other + "]"},
      {"*1\r\n-ERR Command not allowed inside a transaction\r\n",
       "*#1x[-" + code(error_code::not_in_transaction) + "]"},
      {"*1\r\n-OOM " + std::string(200, 'x') + "\r\n", "*#1x[-" + oom + "]"},
      {"*1\r\n-" + std::string(200, 'x') + "\r\n", "*#1x[-" + other + "]"},
      {"*1\r\n-OOM\r \r\n", "*#1x[-" + other + "]"},
      {"*1\r\n-BUSY\rKEY\r\n", "*#1x[-" + other + "]"},
      {"~2\r\n+a\r\n:1\r\n", "~#2i(1)k(a)"},
      {"~0\r\n", "~"},
      {"%1\r\n+a\r\n:1\r\n", "%#2i(1)k(a)"},
      {"%2\r\n+a\r\n:1\r\n+b\r\n*2\r\n:2\r\n:3\r\n", "%#4i(3)k(a)"},
      {"%0\r\n", "%"},
      {">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n", ">#2k(invalidate)"},
      {">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n+OK\r\n", ">#3k(message) +"},
      {">0\r\n", ">"},
      {">2\r\n+pubsub\r\n_\r\n", ">#2k(pubsub)"},
      {"*1\r\n%1\r\n#t\r\n,1\r\n", "*#1x[%]"},
      {"*3\r\n#t\r\n,1\r\n(1\r\n", "*#3x[#,(]"},
      {"*1\r\n=5\r\ntxt:a\r\n", "*#1x[=]"},
      // Attributes belong to what follows them.
      {"|1\r\n+ttl\r\n:3600\r\n+OK\r\n", "+"},
      {"|0\r\n:4\r\n", ":i(4)"},
      {"|1\r\n+a\r\n|1\r\n+b\r\n+c\r\n+d\r\n-OOM e\r\n", "-e(OOM e)"},
      {"|1\r\n+a\r\n*2\r\n:1\r\n:2\r\n_\r\n", "_N"},
      {"|1\r\n+a\r\n+b\r\n|1\r\n+a\r\n+b\r\n$-1\r\n", "$N"},
      {"|1\r\n_\r\n_\r\n:1\r\n", ":i(1)"},
      {"|1\r\n:8\r\n:9\r\n*1\r\n+a\r\n", "*#1k(a)x[+]"},
      {"|1\r\n+a\r\n-OOM x\r\n*1\r\n-OOM x\r\n", "*#1x[-" + oom + "]"},
      {"*3\r\n:1\r\n|1\r\n+a\r\n-OOM x\r\n-ERR y\r\n|1\r\n*1\r\n:7\r\n+b\r\n+c\r\n", "*#3i(7)x[:-" + other + "+]"},
      {"*1\r\n*1\r\n|1\r\n+a\r\n+b\r\n-OOM\r\n", "*#1x[*]"},
      {"|1\r\n+a\r\n+b\r\n>1\r\n+x\r\n", ">#1k(x)"},
      // More to come.
      {"*2\r\n+a\r\n", "?"},
      {"|1\r\n+a\r\n+b\r\n", "?"},
      {"*1\r\n|1\r\n+a\r\n+b\r\n", "?"},
      {"%1\r\n+a\r\n", "?"},
      {"+OK\r\n$5\r\nhel", "+?"},
      {"*9223372036854775807\r\n", "?"},
      {"%4611686018427387904\r\n", "?"},
      {"%4611686018427387905\r\n", "!21"},
      {"%4611686018427387903\r\n", "?"},
      {"$9223372036854775807\r\nx", "?"},
  };
  all.insert(all.end(), cases.begin(), cases.end());
}

void add_malformed(std::vector<reply_vector>& all) {
  for (int c = 0; c < 256; ++c) {
    if (std::strchr("+-:$*_,#!=(%~>|", c) == nullptr || c == 0) {
      const std::string byte(1, static_cast<char>(c));
      all.push_back({byte, "!0"});
      all.push_back({"*2\r\n:1\r\n" + byte + "\r\n", "!8"});
    }
  }
  const std::vector<reply_vector> cases{
      {"$?\r\n", "!1"},
      {"*?\r\n", "!1"},
      {"%?\r\n", "!1"},
      {"~?\r\n", "!1"},
      {":\r\n", "!1"},
      {":a\r\n", "!1"},
      {":1a\r\n", "!2"},
      {": 1\r\n", "!1"},
      {":1 \r\n", "!2"},
      {":--1\r\n", "!2"},
      {":-\r\n", "!2"},
      {":+\r\n", "!2"},
      {":+-1\r\n", "!2"},
      {":1-\r\n", "!2"},
      {":1.5\r\n", "!2"},
      {":1\n", "!2"},
      {":1\r:", "!3"},
      {":1\r\r\n", "!3"},
      {":\r\n:1\r\n", "!1"},
      {":9223372036854775808\r\n", "!21"},
      {":-9223372036854775809\r\n", "!22"},
      {":12345678901234567890\r\n", "!20"},
      {":00000000000000000001\r\n", "!20"},
      {"$\r\n", "!1"},
      {"$-\r\n", "!2"},
      {"$-2\r\n", "!4"},
      {"$-0\r\n", "!4"},
      {"$-01\r\n", "!5"},
      {"$-10\r\n", "!5"},
      {"$+1\r\na\r\n", "!1"},
      {"$1a\r\n", "!2"},
      {"$1\ra", "!3"},
      {"$9223372036854775808\r\n", "!21"},
      {"$3\r\nfooo\r\n", "!7"},
      {"$3\r\nfoo\n", "!7"},
      {"$3\r\nfoo\ra", "!8"},
      {"$3\r\nfo\r\n\r\n", "!7"},
      {"$0\r\nx\r\n", "!4"},
      {"$-1\r\n\r\n", "$N!0"},
      {"*-2\r\n", "!4"},
      {"*+1\r\n", "!1"},
      {"*1x\r\n", "!2"},
      {"*9223372036854775808\r\n", "!21"},
      {"~-1\r\n", "!4"},
      {"%-1\r\n", "!4"},
      {">-1\r\n", "!4"},
      {"|-1\r\n", "!4"},
      {"!-1\r\n", "!4"},
      {"=-1\r\n", "!4"},
      {"_a\r\n", "!1"},
      {"_\n", "!1"},
      {"_\r\r", "!2"},
      {"#\r\n", "!1"},
      {"#T\r\n", "!1"},
      {"#tt\r\n", "!2"},
      {"#1\r\n", "!1"},
      {"#t\n", "!2"},
      {"#t\rx", "!3"},
      {",\r\n", "!1"},
      {",x\r\n", "!1"},
      {",1,5\r\n", "!2"},
      {",1.5\rx", "!5"},
      {"(\r\n", "!1"},
      {"(1-\r\n", "!2"},
      {"(a\r\n", "!1"},
      {"(1.0\r\n", "!2"},
      {"!3\r\nabcd\r\n", "!7"},
      {"=3\r\nab\r\n\r\n", "!7"},
      {"*1\r\n>1\r\n+a\r\n", "!4"},
      {">1\r\n>1\r\n+a\r\n", "!4"},
      {"|1\r\n>1\r\n+a\r\n", "!4"},
      {"*2\r\n+a\r\n>0\r\n", "!8"},
      {"*2\r\n*9223372036854775807\r\n", "?"},
      {"*3\r\n*9223372036854775807\r\n", "!25"},
      {"*2\r\n:1\r\n|4611686018427387904\r\n", "!29"},
      {"*1\r\n|4611686018427387903\r\n", "?"},
      {"*3\r\n|4611686018427387903\r\n", "!25"},
      {"HTTP/1.1 400 Bad Request\r\n", "!0"},
      {"+OK\r\nOK\r\n", "+!0"},
      {"*1\r\n$3\r\nfoo\r\n\r\n", "*#1k(foo)x[$]!0"},
  };
  all.insert(all.end(), cases.begin(), cases.end());
}

std::vector<reply_vector> reply_vectors() {
  std::vector<reply_vector> all;
  add_simple(all);
  add_aggregates(all);
  add_malformed(all);
  return all;
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

// Writes random replies and what must be found in them.
class reply_writer {
 public:
  explicit reply_writer(unsigned seed) : random_(seed) {}

  void frame() {
    integer_ = 0;
    outcomes_.clear();
    if (pick(5) == 0) {
      attribute(2);
      integer_ = 0;  // of no interest before the frame's value
    }
    const std::size_t begin = wire.size();
    kind_.clear();
    elements_ = 0;
    null_ = false;
    value(3, pick(6) == 0 ? '>' : any_type(), true);
    const char type = wire[begin];
    wants += wants.empty() ? "" : " ";
    wants += type;
    wants += null_ ? "N" : "";
    wants += elements_ != 0 ? "#" + std::to_string(elements_) : "";
    wants += integer_ != 0 ? "i(" + std::to_string(integer_) + ")" : "";
    wants += type == '-' || type == '!' ? "e(" + error_ + ")" : "";
    wants += kind_.empty() ? "" : "k(" + kind_.substr(0, 32) + ")";
    wants += type == '*' && !outcomes_.empty() ? "x[" + outcomes_ + "]" : "";
  }

  std::string wire;
  std::string wants;

 private:
  std::size_t pick(std::size_t below) { return random_() % below; }
  char any_type() { return "+-:$$*_#,(!=%~"[pick(14)]; }

  std::string text(bool binary) {
    std::string out(pick(8) == 0 ? pick(400) : pick(12), ' ');
    for (char& c : out) {
      c = binary && pick(3) == 0 ? "\r\n$*:"[pick(5)] : static_cast<char>('a' + pick(26));
    }
    return out;
  }

  void attribute(int depth) {
    const std::size_t pairs = pick(3);
    wire += "|" + std::to_string(pairs) + "\r\n";
    for (std::size_t i = 0; i < 2 * pairs; ++i) {
      value(depth - 1, any_type(), false);
    }
  }

  void element(int depth, bool top, bool first, bool of_array) {
    bool attributed = false;
    if (depth > 0 && pick(8) == 0) {
      attribute(depth);
      attributed = true;
    }
    const char type = any_type();
    const std::size_t begin = wire.size();
    value(depth - 1, type, false);
    if (top && first && !attributed && (type == '+' || type == '$') && wire[begin + 1] != '-') {
      kind_ = text_;
    }
    if (top && of_array) {
      outcomes_ += type;
      outcomes_ += type == '-' || type == '!' ? code(classify_error(error_)) : "";
    }
  }

  void value(int depth, char type, bool top) {
    if (depth <= 0 && std::strchr("*%~", type) != nullptr) {
      type = ':';
    }
    wire += type;
    switch (type) {
      case '+':
        wire += (text_ = text(false)) + "\r\n";
        break;
      case '-':
        error_ = (pick(2) == 0 ? "OOM " : "ERR ") + text(false);
        wire += error_ + "\r\n";
        break;
      case ':':
        integer_ = static_cast<std::int64_t>(random_()) - (1LL << 31U);
        wire += std::to_string(integer_) + "\r\n";
        break;
      case '_':
        wire += "\r\n";
        null_ = top;
        break;
      case '#':
        wire += pick(2) == 0 ? "t\r\n" : "f\r\n";
        break;
      case ',':
        wire += std::to_string(static_cast<double>(pick(1000)) / 8) + "\r\n";
        break;
      case '(':
        wire += std::to_string(random_()) + std::to_string(random_()) + "\r\n";
        break;
      case '$':
      case '=':
      case '!':
        string(type, top);
        break;
      default:
        aggregate(depth, type, top);
    }
  }

  void string(char type, bool top) {
    if (type == '$' && pick(6) == 0) {
      wire += "-1\r\n";
      null_ = top;
      return;
    }
    const std::string body = text(true);
    wire += std::to_string(body.size()) + "\r\n" + body + "\r\n";
    (type == '!' ? error_ : text_) = body;
  }

  void aggregate(int depth, char type, bool top) {
    if (type == '*' && pick(8) == 0) {
      wire += "-1\r\n";
      null_ = top;
      return;
    }
    const std::size_t count = pick(5);
    const std::size_t values = type == '%' ? 2 * count : count;
    wire += std::to_string(count) + "\r\n";
    if (top) {
      elements_ = values;
    }
    for (std::size_t i = 0; i < values; ++i) {
      const std::size_t begin = wire.size();
      element(depth, top, i == 0, type == '*');
      if (top && type == '*') {
        fix_outcome(begin);
      }
    }
  }

  // value() may have turned a nested aggregate into an integer: the outcome's type is the byte that was written.
  void fix_outcome(std::size_t begin) {
    if (wire[begin] != '|' && !outcomes_.empty() && outcomes_.back() != wire[begin] &&
        std::strchr("*%~", outcomes_.back()) != nullptr) {
      outcomes_.back() = wire[begin];
    }
  }

  std::mt19937 random_;
  std::string text_;
  std::string error_;
  std::string kind_;
  std::string outcomes_;
  std::size_t elements_ = 0;
  std::int64_t integer_ = 0;
  bool null_ = false;
};

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
