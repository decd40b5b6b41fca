// What every fuzz target begins with: each command of the table, each vector of the parser and framer tests, each
// request that breaks "one request, one reply", and configurations right and wrong.
//
// Thread safety: none needed. Ownership: values. Invariants: (1) names are unique within a target, and file names;
// (2) seeds_test holds the committed corpus to this list, so that a new command or vector has its seed in the same
// commit. Cost: a test's.
#pragma once

#include <string>
#include <vector>

namespace tidegate::fuzz {

struct seed {
  std::string target;  // the folder under corpus/
  std::string name;
  std::string bytes;
};

[[nodiscard]] std::vector<seed> seeds();

}  // namespace tidegate::fuzz
