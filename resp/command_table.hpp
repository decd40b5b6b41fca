// The command table: what the proxy must know of each command, as data.
//
// Thread safety: the built-in table is constant; a command_table is immutable after completion and may be read from any
//   thread.
// Ownership: a table owns its specs and the names of what an upstream added; a spec lives as long as its table, so
//   whoever keeps a reference keeps the shared_ptr.
// Invariants: (1) ids are dense, by_id(n).id == n, and those of the built-in table are the same in every table;
//   (2) find() and find_keys() accept any request, also an empty one, and never read behind its arguments; (3) where
//   find_keys() tells keys of a request that Redis executes, they are the keys that the command uses.
// Cost: find() hashes two words and compares one slot, twice for a family; find_keys() is O(arguments) for commands
//   with options, O(keys) for others; neither allocates once `out` has its capacity.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "resp/request.hpp"

namespace tidegate::resp {

enum class command_class : std::uint8_t { grow, free, read, script, connection, admin };
[[nodiscard]] std::string_view to_string(command_class cls) noexcept;

// Why a command may not share a connection. `none` = one reply, no connection state: safe on a lane.
enum class dedicate : std::uint8_t {
  none,
  exchange,     // AUTH, HELLO, SELECT, RESET: for this one exchange only, the session's own state follows from it
  transaction,  // MULTI, EXEC, DISCARD, WATCH, UNWATCH
  blocking,     // BLPOP …, XREAD with BLOCK (see `blocking_option`), until it answers
  script,       // EVAL …: may run long; others on the same connection would hang instead of getting BUSY
  subscribe,    // until RESET or close
  monitor,
  client,    // CLIENT ID|LIST|KILL|UNBLOCK|PAUSE|NO-EVICT|CACHING|TRACKING|REPLY …: until RESET or close
  wait,      // WAIT: the session stays dedicated from then on
  other_db,  // COPY … DB, MOVE
  admin,     // DEBUG, SHUTDOWN, FAILOVER, REPLICAOF, SYNC, PSYNC, MIGRATE … : for this exchange
  unknown,   // not in the table
};
[[nodiscard]] std::string_view to_string(dedicate why) noexcept;

// How many replies a command gets where it runs by itself. What is not `one` is a rule of answer_rules.hpp.
enum class answer : std::uint8_t {
  one,
  late,           // one, after as long as it likes, where may_block() says so
  confirmations,  // one for each argument; UNSUBSCRIBE without any: one for each subscription, and one at least
  switches,       // CLIENT REPLY: ON is answered, OFF and SKIP are not, nor is what they keep silent
  endless,        // one or none, and from then on whatever the server likes
  last,           // one, and the connection ends
  refusal,        // one if it is refused; else the server ends without a word
};

// What MULTI makes of a command, and how far EXEC's answer tells what it did.
enum class in_multi : std::uint8_t {
  queued,     // its reply is one element of EXEC's
  at_once,    // not queued
  untold,     // queued, and changes the connection in ways that its element does not tell
  uncounted,  // queued, and EXEC's array holds more or fewer replies than it announces
};

// Answered or watched by the session machine itself.
enum class special : std::uint8_t {
  none,
  auth,
  hello,
  reset,
  quit,
  select,
  multi,
  exec,
  discard,
  watch,
  unwatch,
  client_setname,
  client_getname,
  client_setinfo,
  client_reply,
  client_tracking,
  client_id,
  subscribe,
  unsubscribe,
  monitor,
  wait,
  ping,
  swapdb,
  move,
  copy,
  client_no_evict,
  client_caching,
  client_pause,
  client_kill,
  client_info_other,  // every other CLIENT subcommand
};

// How a command's keys are found.
enum class key_layout : std::uint8_t {
  none,
  range,          // first, last (negative: from the end), step
  numkeys,        // a count at `first`, keys behind it, each `step` from the last (EVAL, ZUNION …)
  numkeys_store,  // destination at 1, count at `first`, keys behind it (ZUNIONSTORE …)
  sort,           // SORT key … [STORE dst]
  georadius,      // GEORADIUS key … [STORE dst | STOREDIST dst], options from `first` on
  streams,        // XREAD/XREADGROUP … STREAMS k… id…
  migrate,        // MIGRATE host port key|"" … [KEYS k…]
  opaque,         // keys not known to the proxy
};

// What a write may do to the TTL of the keys that it writes (all in 7.0 unless noted).
enum class ttl_effect : std::uint8_t {
  none,     // reads, removals (DEL, HDEL, SREM, LPOP …): nothing to do
  set,      // SET: options decide (EX PX EXAT PXAT KEEPTTL GET NX XX)
  setex,    // SETEX key seconds value
  psetex,   // PSETEX key milliseconds value
  clears,   // leaves every written key without a TTL: GETSET, MSET, MSETNX, SETNX, *STORE, SORT … STORE, BITOP …
  keeps,    // leaves an existing TTL, creates keys without one: SADD, HSET, LPUSH, INCR, APPEND, XADD, PFMERGE …
  moves,    // a TTL travels with the value: RENAME, RENAMENX, COPY, MOVE
  restore,  // RESTORE key ttl value [ABSTTL]
  expire,   // EXPIRE key seconds [NX|XX|GT|LT]
  pexpire,
  expireat,
  pexpireat,
  persist,  // PERSIST
  getex,    // GETEX with EX|PX|EXAT|PXAT|PERSIST or nothing
};

// What counts as an element (design.md section 12).
enum class element_count : std::uint8_t {
  one,
  keys,     // DEL, UNLINK: its keys; MSET too (pairs)
  members,  // arguments from `element_first` on: SADD, LPUSH, PFADD …
  pairs,    // half of the arguments from `element_first` on: HSET, MSET
  zadd,     // pairs behind ZADD's options; GEOADD: triples
  geoadd,
};

enum class key_access : std::uint8_t {
  read = 1,    // looked at only
  write = 2,   // may grow or change: rules and TTLs act on it
  remove = 4,  // only loses: DEL, the source of RENAME, LMOVE, SMOVE
};
struct key_ref {
  std::uint32_t index = 0;  // of the argument
  key_access access = key_access::read;
};

struct command_spec {
  std::string_view name;   // lower case, as in commandstats: "set", "xgroup|create"; empty for id 0
  std::uint16_t id = 0;    // dense; 0 is the unknown command
  std::int16_t arity = 0;  // as Redis: positive = exact, negative = at least
  command_class cls = command_class::admin;
  dedicate dedicated = dedicate::unknown;
  special kind = special::none;
  answer answers = answer::one;
  in_multi multi = in_multi::queued;
  key_layout keys = key_layout::none;
  std::int16_t key_first = 0, key_last = 0, key_step = 0;
  // Access of the first key and of the others (destination first: BITOP, *STORE; source first: RENAME, COPY …).
  key_access first_access = key_access::read;
  key_access other_access = key_access::read;
  ttl_effect ttl = ttl_effect::none;
  element_count elements = element_count::one;
  std::int16_t element_first = 0;
  bool write = false;      // Redis flags it `write`: booked
  bool may_write = false;  // scripts and functions that are not _RO; PFCOUNT is not
  bool denyoom = false;
  bool no_auth = false;          // runs before AUTH
  bool blocking_option = false;  // XREAD, XREADGROUP: blocking only with BLOCK
  bool container = false;        // CLIENT, XGROUP …: the spec of the bare name, and of subcommands not known
  bool no_multi = false;

  // Whether argc meets the arity, as Redis checks it before it runs a command.
  [[nodiscard]] bool arity_ok(std::size_t argc) const noexcept {
    return arity >= 0 ? argc == static_cast<std::size_t>(arity) : argc >= static_cast<std::size_t>(-arity);
  }
};

// Every command the build knows (Redis 7.0 whole, and what later versions and Valkey added, as far as it is harmless),
// by id; the first is the unknown command.
[[nodiscard]] std::span<const command_spec> builtin_commands() noexcept;

// What an upstream's COMMAND said of one command; `subcommands` flattened with "name|sub" names.
struct upstream_command {
  std::string name;
  std::int64_t arity = 0;
  std::vector<std::string> flags;
  std::int64_t first_key = 0, last_key = 0, step = 0;
};

class command_table {
 public:
  // The built-in table alone.
  [[nodiscard]] static std::shared_ptr<const command_table> builtin();
  // The built-in table, completed by what an upstream told: commands the build does not know get class, write, keys
  // and arity from there and stay `dedicate::unknown`; known ones get the upstream's arity. `known_upstream` is then
  // false for those that the upstream lacks. Of an upstream before 7.0, which lists families without subcommands and
  // books `XGROUP CREATE` as `xgroup`, the subcommands take `name` and `write` from their family. An empty list
  // completes nothing.
  [[nodiscard]] static std::shared_ptr<const command_table> completed(std::span<const upstream_command> upstream);

  // The spec of a request (its subcommand's, where it has one). Unknown commands get the spec with id 0, unknown
  // subcommands that of their family.
  [[nodiscard]] const command_spec& find(const request& request) const noexcept;
  // By commandstats name: "set", "client|setname". nullptr if unknown.
  [[nodiscard]] const command_spec* find_name(std::string_view name) const noexcept;
  // By id; ids of the built-in table never change within a process, added ones come behind. An id not in the table
  // gives the unknown command.
  [[nodiscard]] const command_spec& by_id(std::uint16_t id) const noexcept;
  [[nodiscard]] std::size_t size() const noexcept;  // ids are 0 … size()-1
  // Whether the upstream lists the command; true for all while no upstream was asked.
  [[nodiscard]] bool known_upstream(std::uint16_t id) const noexcept;

  command_table();
  ~command_table();

 private:
  struct index;
  std::unique_ptr<index> index_;
};

// Appends the request's keys in order of position to `out` (cleared first; capacity is kept: no allocation in steady
// state). False when they cannot be told (wrong arity, a bad numkeys, an opaque layout): then `out` holds none. True
// with none: the command has no keys, or is a script called without.
bool find_keys(const command_spec& spec, const request& request, std::vector<key_ref>& out) noexcept;

// Elements of a request (design.md section 12), at least 1; `keys` are those of find_keys.
[[nodiscard]] std::uint32_t count_elements(const command_spec& spec, const request& request,
                                           std::span<const key_ref> keys) noexcept;

// Whether this very request may wait for as long as it takes: BLPOP …; XREAD and XREADGROUP only with BLOCK, WAIT only
// for somebody and without an end.
[[nodiscard]] bool may_block(const command_spec& spec, const request& request) noexcept;

}  // namespace tidegate::resp
