#include "request_vectors.hpp"

#include <cstring>
#include <memory>

namespace tidegate::resp::test {
namespace {

void render_bytes(std::string& out, std::string_view text) {
  constexpr std::string_view hex = "0123456789abcdef";
  for (const char c : text) {
    if (c >= ' ' && c <= '~') {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += {'\\', hex[byte / 16], hex[byte % 16]};
    }
  }
}

void render_request(std::string& out, const request& request) {
  out += request.is_inline ? "i(" : "(";
  for (std::size_t i = 0; i < request.size(); ++i) {
    out += i == 0 ? "" : "|";
    render_bytes(out, request[i]);
  }
  out += ')';
}

void add_multibulk(std::vector<request_vector>& all) {
  for (auto& [wire, wants] : std::vector<std::pair<std::string, std::string>>{
           {"", ""},
           {"*1\r\n$4\r\nPING\r\n", "(PING)"},
           {"*2\r\n$3\r\nfoo\r\n$0\r\n\r\n", "(foo|)"},
           {"*3\r\n$3\r\nfoo\r\n$1\r\na\r\n$10\r\n0123456789\r\n", "(foo|a|0123456789)"},
           {"*1\r\n$3\r\nfoo\r\n*1\r\n$3\r\nbar\r\n", "(foo)(bar)"},
           {"*1\r\n$0\r\n\r\n", "()"},  // one empty argument renders like none: told apart by a test of its own
           {"*2\r\n$3\r\nfoo\r\n$2\r\n\r\n\r\n", "(foo|\\0d\\0a)"},
           {"*2\r\n$3\r\nfoo\r\n$6\r\n*1\r\n$1\r\n", "(foo|*1\\0d\\0a$1)"},
           {"*2\r\n$3\r\nfoo\r\n$4\r\n\xff\x80\x7f\x01\r\n", "(foo|\\ff\\80\\7f\\01)"},
           {"*1\r\n$1\r\n*\r\n", "(*)"},
           {"*1\r\n$1\r\n$\r\n", "($)"},
           // Empty requests get no reply.
           {"*0\r\n", "()"},
           {"*-1\r\n", "()"},
           {"*-10\r\n", "()"},
           {"*-9223372036854775808\r\n", "()"},
           {"*0\r\n*1\r\n$3\r\nfoo\r\n", "()(foo)"},
           {"*0\r\n*0\r\n*-1\r\n*-10\r\nfoo\r\n", "()()()()i(foo)"},
           // The byte behind '\r' and the two behind a bulk are not looked at.
           {"*1\rx$3\ryfoozz", "(foo)"},
           {"*1\r\r$3\r\rfoo\r\r", "(foo)"},
           {"*1\r*$3\r$foo*1foo2 a\n", "(foo)i(foo2|a)"},
           {"*2\r\n$3\r\nfoo\n\n$1\r\naXY", "(foo|a)"},
           // Not all there yet.
           {"*", "?"},
           {"*1", "?"},
           {"*1\r", "?"},
           {"*1\r\n", "?"},
           {"*1\r\n$", "?"},
           {"*1\r\n$3", "?"},
           {"*1\r\n$3\r", "?"},
           {"*1\r\n$3\r\n", "?"},
           {"*1\r\n$3\r\nfo", "?"},
           {"*1\r\n$3\r\nfoo", "?"},
           {"*1\r\n$3\r\nfoo\r", "?"},
           {"*2\r\n$3\r\nfoo\r\n", "?"},
           {"*1\r\n$3\r\nfoo\r\n*", "(foo)?"},
           {"*2147483647\r\n$3\r\nfoo\r\n", "?"},
           {"*1\r\n$536870912\r\nfoo\r\n", "?"},
           {"*1\r\n$100000000\r\nfoo\r\n", "?"},
           {"*1\r\n$99999999\r\nfoo\r\n", "?"},
           {"*11\r\n$16385\r\n", "?"}}) {
    all.push_back({wire, wants});
  }
  // Lengths with every number of digits, around the places where the quick way ends.
  for (const std::size_t length : {1U, 9U, 10U, 11U, 99U, 100U, 101U, 999U, 1000U}) {
    const std::string value(length, 'v');
    all.push_back({"*2\r\n$3\r\nfoo\r\n$" + std::to_string(length) + "\r\n" + value + "\r\n", "(foo|" + value + ")"});
  }
  for (const std::size_t count : {9U, 10U, 11U, 16U, 17U, 100U}) {
    all.push_back({"*" + std::to_string(count) + "\r\n$3\r\nfoo\r\n" + repeat("$1\r\na\r\n", count - 1),
                   "(foo" + repeat("|a", count - 1) + ")"});
  }
}

// The numbers that string2ll() refuses, and those it takes and the limits refuse.
void add_lengths(std::vector<request_vector>& all) {
  for (const std::string& number : std::vector<std::string>{"",
                                                            " ",
                                                            "-",
                                                            "+",
                                                            "+1",
                                                            "01",
                                                            "00",
                                                            "-0",
                                                            "-01",
                                                            "1 ",
                                                            " 1",
                                                            "1a",
                                                            "a",
                                                            "0x1",
                                                            "1.0",
                                                            "1e3",
                                                            "--1",
                                                            "1-",
                                                            "$1",
                                                            "\n1",
                                                            "1\n",
                                                            "\t1",
                                                            "\xff"
                                                            "1",
                                                            "1,0",
                                                            "٣",
                                                            "nan",
                                                            "*1",
                                                            "-1-",
                                                            "0 ",
                                                            "0000",
                                                            "00000000000001",
                                                            "9223372036854775808",
                                                            "-9223372036854775809",
                                                            "18446744073709551616",
                                                            "18446744073709551617",
                                                            "99999999999999999999",
                                                            "999999999999999999999",
                                                            "-99999999999999999999",
                                                            "100000000000000000000000001"}) {
    all.push_back({"*" + number + "\r\n", "!invalid multibulk length"});
    all.push_back({"*1\r\n$" + number + "\r\n", "!invalid bulk length"});
    all.push_back({"*2\r\n$3\r\nfoo\r\n$" + number + "\r\nx\r\n", "!invalid bulk length"});
  }
  for (const std::string number : {"2147483648", "9223372036854775807", "4294967297"}) {
    all.push_back({"*" + number + "\r\n", "!invalid multibulk length"});
  }
  for (const std::string number :
       {"-1", "-2", "-9223372036854775808", "536870913", "4294967296", "2147483648", "9223372036854775807"}) {
    all.push_back({"*1\r\n$" + number + "\r\n", "!invalid bulk length"});
  }
}

void add_errors(std::vector<request_vector>& all) {
  // Any byte may stand where '$' is wanted; CR and LF are blanked, and a NUL hides the line end.
  for (int c = 1; c < 256; c += c < 128 ? 1 : 13) {
    if (c != '$') {
      const char got = c == '\r' || c == '\n' ? ' ' : static_cast<char>(c);
      std::string wants = "!expected '$', got '";
      render_bytes(wants, {&got, 1});
      all.push_back({"*1\r\n" + std::string(1, static_cast<char>(c)) + "3\r\n", wants + "'"});
    }
  }
  all.push_back({"*1\r\n\r\n", "!expected '$', got ' '"});
  all.push_back({"*2\r\n$3\r\nfoo\r\n\n\r\n", "!expected '$', got ' '"});
  all.push_back({"*1\r\n$3\r\nfoo\r\n*3\r\n:1\r\n", "(foo)!expected '$', got ':'"});
  all.push_back({"*2\r\n$5\r\nfoo\r\n$3\r\nbar\r\n", "!expected '$', got ' '"});  // a wrong length shifts what follows
  all.push_back({bytes("*1\0\r\n"), "?"});
  all.push_back({bytes("*\0001\r\n$3\r\nfoo\r\n"), "?"});
  all.push_back({bytes("*1\r\n$3\0\r\nfoo\r\n"), "?"});
  all.push_back({bytes("*1\r\n\0$3\r\n"), "?"});
  all.push_back({bytes("*2\r\n$3\r\nfoo\r\n$3\r\n\0a\0\r\n"), "(foo|\\00a\\00)"});
  all.push_back({bytes("*1\r\n$3\r\nfoo\0\0*1\r\n$1\r\nb\r\n"), "(foo)(b)"});
  // Before AUTH the bounds are tighter.
  all.push_back({"*10\r\n", "?", false});
  all.push_back({"*11\r\n", "!unauthenticated multibulk length", false});
  all.push_back({"*2147483648\r\n", "!invalid multibulk length", false});
  all.push_back({"*1\r\n$16384\r\n", "?", false});
  all.push_back({"*1\r\n$16385\r\n", "!unauthenticated bulk length", false});
  all.push_back({"*1\r\n$536870912\r\n", "!unauthenticated bulk length", false});
  all.push_back({"*1\r\n$536870913\r\n", "!invalid bulk length", false});
  all.push_back({"*-11\r\n*1\r\n$3\r\nfoo\r\n", "()(foo)", false});
}

void add_inline(std::vector<request_vector>& all) {
  for (auto& [wire, wants] : std::vector<std::pair<std::string, std::string>>{
           {"\r\n", "i()"},
           {"\n", "i()"},
           {"\n\r\n\n", "i()i()i()"},
           {"   \r\n", "i()"},
           {" \t\v\f\r\r\n", "i()"},
           {"foo\r\n", "i(foo)"},
           {"foo\n", "i(foo)"},
           {"foo a b\r\nbar\nbaz\r\n", "i(foo|a|b)i(bar)i(baz)"},
           {"  foo   a \t b  \r\n", "i(foo|a|b)"},
           {"foo\ra\r\n", "i(foo|a)"},
           {"foo\r\r\n", "i(foo)"},
           {"foo\va\fb c\r\n", "i(foo\\0ba\\0cb|c)"},
           {"\vfoo \fa\r\n", "i(foo|a)"},
           {"foo \"a b\"\r\n", "i(foo|a b)"},
           {"foo \"\"\r\n", "i(foo|)"},
           {"foo ''\r\n", "i(foo|)"},
           {"\"foo\" 'a'\r\n", "i(foo|a)"},
           {"foo \"a\" \"b\"\r\n", "i(foo|a|b)"},
           {"foo \"a\"\t'b'\r\n", "i(foo|a|b)"},
           {"foo \"a\"\v'b'\r\n", "i(foo|a|b)"},
           {"foo a\"b c\"\r\n", "i(foo|ab c)"},
           {"foo a'b c'\r\n", "i(foo|ab c)"},
           {"foo \"a'b\"\r\n", "i(foo|a'b)"},
           {"foo 'a\"b'\r\n", "i(foo|a\"b)"},
           {"foo \"\\x41\\x7e\"\r\n", "i(foo|A~)"},
           {"foo \"\\xff\\XAB\"\r\n", "i(foo|\\ffXAB)"},
           {"foo \"\\xAf\\xfA\"\r\n", "i(foo|\\af\\fa)"},
           {"foo \"\\x0a\\x0D\"\r\n", "i(foo|\\0a\\0d)"},
           {"foo \"\\x4\"\r\n", "i(foo|x4)"},
           {"foo \"\\x\"\r\n", "i(foo|x)"},
           {"foo \"\\xg1\\x1g\"\r\n", "i(foo|xg1x1g)"},
           {"foo \"\\x4142\"\r\n", "i(foo|A42)"},
           {"foo \"\\n\\r\\t\\b\\a\"\r\n", "i(foo|\\0a\\0d\\09\\08\\07)"},
           {"foo \"\\\"\\\\\\q\\0\"\r\n", "i(foo|\"\\q0)"},
           {"foo '\\n\\x41'\r\n", "i(foo|\\n\\x41)"},
           {"foo '\\''\r\n", "i(foo|')"},
           {"foo '\\\\'\r\n", "!unbalanced quotes in request"},
           {"foo '\\\\ '\r\n", "i(foo|\\\\ )"},
           {"foo \\x41 \\n\r\n", "i(foo|\\x41|\\n)"},
           {"foo \\\r\n", "i(foo|\\)"},
           {"foo \"a\rb\"\r\n", "i(foo|a\\0db)"},
           {"foo \"a\" \r\n", "i(foo|a)"},
           {"foo \"a\"\r\r\n", "i(foo|a)"},
           {"foo $3 *1\r\n", "i(foo|$3|*1)"},
           {"$3\r\nfoo\r\n", "i($3)i(foo)"},
           {" *1\r\n", "i(*1)"},
           {"foo \xff\x80\x01\r\n", "i(foo|\\ff\\80\\01)"},
           {"+OK\r\n-ERR\r\n:1\r\n", "i(+OK)i(-ERR)i(:1)"},
           {"foo\r\n*1\r\n$3\r\nbar\r\nbaz\n", "i(foo)(bar)i(baz)"},
           {"foo\n*-10\r\n\r\nbar\n", "i(foo)()i()i(bar)"},
           {"foo", "?"},
           {"foo\r", "?"},
           {"foo a\r\nb", "i(foo|a)?"},
           {"\r", "?"},
           {" ", "?"},
           {"foo \"", "?"},
           {"foo \"\r\n", "!unbalanced quotes in request"},
           {"foo '\r\n", "!unbalanced quotes in request"},
           {"\"\n", "!unbalanced quotes in request"},
           {"foo \"a\\\"\r\n", "!unbalanced quotes in request"},
           {"foo 'a\\'\r\n", "!unbalanced quotes in request"},
           {"foo \"a\\\r\n", "!unbalanced quotes in request"},
           {"foo \"a\"b\r\n", "!unbalanced quotes in request"},
           {"foo 'a'b\r\n", "!unbalanced quotes in request"},
           {"foo \"a\"\"b\"\r\n", "!unbalanced quotes in request"},
           {"foo ''''\r\n", "!unbalanced quotes in request"},
           {"foo \"a\nb\"\r\n", "!unbalanced quotes in request"},
           {"foo\r\nbar '\r\nbaz\r\n", "i(foo)!unbalanced quotes in request"},
           {"foo \"\\x4\r\n", "!unbalanced quotes in request"},
           {"foo \"\\x41\r\n", "!unbalanced quotes in request"},
           {bytes("foo\0\r\nbar\r\n"), "?"},
           {bytes("\0\r\n"), "?"},
           {bytes("\x16\x03\x01\0\xa5\x01\0\n"), "?"}}) {  // TLS on a plain port
    all.push_back({wire, wants});
  }
}

}  // namespace

std::vector<request_vector> request_vectors() {
  std::vector<request_vector> all;
  add_multibulk(all);
  add_lengths(all);
  add_errors(all);
  add_inline(all);
  return all;
}

std::vector<request_vector> long_request_vectors() {
  constexpr std::size_t max = inline_bytes_max;
  std::vector<request_vector> all;
  // The line end must be among the first max + 1 bytes. Redis may take longer lines, as its reads fall.
  for (const std::size_t length : {max - 1, max, max + 1, max + 2, 2 * max}) {
    const bool fits = length <= max;
    const bool same = fits || length > max + 2;
    const std::string line = "foo " + std::string(length - 4, 'a');
    all.push_back({line + "\n", fits ? "i(foo|" + line.substr(4) + ")" : "!too big inline request", true, fits});
    all.push_back({line, fits ? "?" : "!too big inline request", true, same});
    const std::string number(length - 1, '1');
    all.push_back({"*" + number, fits ? "?" : "!too big mbulk count string", true, same});
    all.push_back(
        {"*" + number + "\r\n", fits ? "!invalid multibulk length" : "!too big mbulk count string", true, fits});
    all.push_back({"*1\r\n$" + number, fits ? "?" : "!too big bulk count string", true, same});
    all.push_back(
        {"*1\r\n$" + number + "\r\n", fits ? "!invalid bulk length" : "!too big bulk count string", true, fits});
    all.push_back({"*2\r\n$3\r\nfoo\r\n:" + number + "\r\n",
                   fits ? "!expected '$', got ':'" : "!too big bulk count string", true, fits});
    all.push_back(
        {bytes("*1\0\r\n") + std::string(length - 5, 'x'), fits ? "?" : "!too big mbulk count string", true, same});
    all.push_back(
        {bytes("foo\0\n") + std::string(length - 5, 'x'), fits ? "?" : "!too big inline request", true, same});
  }
  const std::string value(100'000, 'v');
  all.push_back({"*2\r\n$3\r\nfoo\r\n$100000\r\n" + value + "\r\n", "(foo|" + value + ")"});
  return all;
}

parsed_stream parse_stream(const std::vector<std::string_view>& chunks, bool authenticated) {
  parsed_stream out;
  request_parser parser;
  parser.set_authenticated(authenticated);
  std::string held;
  for (const std::string_view chunk : chunks) {
    held += chunk;
    for (;;) {
      const std::unique_ptr<char[]> block(new char[held.size()]);
      std::memcpy(block.get(), held.data(), held.size());
      const parse_status status = parser.parse({block.get(), held.size()});
      if (status == parse_status::error) {
        out.error = parser.error_line();
        constexpr std::size_t prefix = std::string_view("-ERR Protocol error: ").size();
        out.rendered += '!';
        render_bytes(out.rendered, std::string_view(out.error).substr(prefix, out.error.size() - prefix - 2));
        return out;
      }
      if (status == parse_status::incomplete) {
        break;
      }
      const request& request = parser.request();
      render_request(out.rendered, request);
      auto& arguments = out.requests.emplace_back();
      for (std::size_t i = 0; i < request.size(); ++i) {
        arguments.emplace_back(request[i]);
      }
      held.erase(0, request.raw.size());
    }
  }
  out.rendered += held.empty() ? "" : "?";
  return out;
}

}  // namespace tidegate::resp::test
