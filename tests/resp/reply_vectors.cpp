#include "reply_vectors.hpp"

#include <cstring>

namespace tidegate::resp::test {
namespace {

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
      // A script chooses the text: Redis writes what it was given, line ends turned into blanks.
      {",\r\n,x\r\n,1,5\r\n", ", , ,"},
      {"(\r\n(1-\r\n(123  123\r\n", "( ( ("},
      // PUBLISH to oneself inside MULTI, RESP3: the message stands between the elements and is none.
      {"*2\r\n+a\r\n>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n:1\r\n", "*#2i(1)k(a)x[+:]"},
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
      {"!3\r\nabcd\r\n", "!7"},
      {"=3\r\nab\r\n\r\n", "!7"},
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

}  // namespace

std::vector<reply_vector> reply_vectors() {
  std::vector<reply_vector> all;
  add_simple(all);
  add_aggregates(all);
  add_malformed(all);
  return all;
}

}  // namespace tidegate::resp::test
