// `tidegate serve`: builds the whole proxy from a configuration, runs it, and takes it down.
//
// Thread safety: once a process, on the main thread. Ownership: everything that runs is made and destroyed here.
// Invariant: with a mistake in the configuration nothing listens.
#pragma once

#include <iosfwd>
#include <string>

namespace tidegate::cli {

struct serve_options {
  std::string config_path;
  std::string user;  // to go on as when started as root; empty = as who started it
};
// Exit status: 0 after a drain, 1 if it could not start. One line on `out` says where it listens, once it does.
[[nodiscard]] int serve(const serve_options& how, std::ostream& out);

}  // namespace tidegate::cli
