// A plan that one person makes and another signs off, and the state of a run that was interrupted.
//
// The digest is SHA-256 over everything in the plan but itself and the approval, in one canonical form; the approval
// repeats it. So a plan that was edited after either is told from one that was not. It is a seal against mistakes, not
// against an author who is minded to deceive: who can edit the file can seal it anew.
//
// Thread safety: pure but for the files. Invariants: (1) a file is replaced in one step, and is on the disk when the
// call returns; (2) what does not read as a plan or a state gives a text with the remedy, never half of one.
// Cost: control path.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "evidence/keyspace/mending.hpp"

namespace tidegate::keyspace {

// What a dry run found of one rule's keys.
struct expectation {
  std::string pattern;
  std::uint64_t keys = 0, give = 0, cut = 0;
  std::optional<std::uint64_t> bytes;  // of the keys that would get or change a TTL
  bool operator==(const expectation&) const = default;
};

struct approval {
  std::string by, at, digest;
};

struct plan {
  std::string target;            // host:port/db; never a password
  std::string made_by, made_at;  // RFC 3339
  double rate = 0;
  std::vector<mending_rule> rules;
  std::vector<expectation> expected;
  std::optional<approval> approved;

  [[nodiscard]] std::string digest() const;
};

[[nodiscard]] std::string write_plan(const plan& made);
[[nodiscard]] std::expected<plan, std::string> read_plan(const std::string& text);
// Why it may not run against the target; empty = it may.
[[nodiscard]] std::string wrong_with(const plan& made, const std::string& target);

// Where a run stands. A cursor means something in one server process and for one set of rules only.
struct run_state {
  std::string digest;  // of the rules and the target
  std::string run_id;  // the server process's; empty where the server does not tell
  std::uint64_t cursor = 0;
  std::uint64_t looked_at = 0, given = 0, cut = 0;
  std::string saved_at;
  // Of a cluster: which slots lay where, the node that the cursor is of, and those that are done.
  std::string slots = {}, node = {};
  std::vector<std::string> finished = {};
};

[[nodiscard]] std::string digest_of(const std::vector<mending_rule>& rules, const std::string& target);
[[nodiscard]] std::string write_state(const run_state& state);
[[nodiscard]] std::expected<run_state, std::string> read_state(const std::string& text);

// Empty = done. Permissions 0600.
[[nodiscard]] std::string replace_file(const std::string& path, const std::string& text);

}  // namespace tidegate::keyspace
