#include "tests/differential/keyspace.hpp"

#include <poll.h>

#include <array>
#include <stdexcept>

namespace tidegate::differential {

namespace {

constexpr int dbs = 3;

constexpr std::string_view digest_script = R"lua(
local function flat(value)
  if type(value) ~= 'table' then return tostring(value) .. '\n' end
  local out = {}
  for i = 1, #value do out[i] = flat(value[i]) end
  return '[' .. table.concat(out) .. ']'
end
local keys = redis.call('KEYS', '*')
table.sort(keys)
local out = {}
for i, key in ipairs(keys) do
  local kind = redis.call('TYPE', key).ok
  local text
  if kind == 'set' then
    local members = redis.call('SMEMBERS', key)
    table.sort(members)
    text = flat(members)
  elseif kind == 'stream' then
    text = flat(redis.call('XRANGE', key, '-', '+')) .. flat(redis.call('XINFO', 'GROUPS', key))
  else
    text = redis.call('DUMP', key)
  end
  local ttl = ''
  if ARGV[1] == '1' then ttl = redis.call('PEXPIRETIME', key) >= 0 and ' ttl' or ' no ttl' end
  out[i] = key .. ' ' .. kind .. ' ' .. redis.sha1hex(text) .. ttl
end
return table.concat(out, '\n')
)lua";

}  // namespace

std::string encode(std::initializer_list<std::string_view> words) {
  std::string out = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string_view word : words) {
    out += "$" + std::to_string(word.size()) + "\r\n";
    out += word;
    out += "\r\n";
  }
  return out;
}

std::string call(traffic::link& to, std::string_view request) {
  constexpr std::string_view mark = "$22\r\nthe-end-of-this-answer\r\n";
  std::string bytes(request);
  bytes += encode({"PING", "the-end-of-this-answer"});
  std::string received;
  std::array<char, 65536> scratch{};
  std::size_t sent = 0;
  while (!received.ends_with(mark)) {
    pollfd waiting{to.descriptor(), static_cast<short>(sent < bytes.size() ? POLLIN | POLLOUT : POLLIN), 0};
    if (::poll(&waiting, 1, 60'000) == 0) throw std::runtime_error("a server does not answer");
    if (sent < bytes.size()) {
      const auto written = to.write(std::string_view(bytes).substr(sent));
      if (!written) throw std::runtime_error("a server closed the connection");
      sent += *written;
    }
    const auto size = to.read(scratch);
    if (!size) throw std::runtime_error("a server closed the connection");
    received.append(scratch.data(), *size);
  }
  received.resize(received.size() - mark.size());
  return received;
}

std::string keyspace_of(const traffic::place& server, bool ttls) {
  traffic::link to(server);
  std::string all;
  for (int db = 0; db < dbs; ++db) {
    (void)call(to, encode({"SELECT", std::to_string(db)}));
    all += "db " + std::to_string(db) + " " + call(to, encode({"EVAL", digest_script, "0", ttls ? "1" : "0"})) + "\n";
  }
  return all;
}

}  // namespace tidegate::differential
