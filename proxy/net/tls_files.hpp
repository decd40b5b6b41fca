// The certificates, keys and authorities that a configuration names, tried out: what OpenSSL refuses is a mistake in
// the configuration as any other, found before it is in force.
//
// Thread safety: any thread. Ownership: values. Invariant: no mistake is the same as that a server can be made of these
// files as they are now. Cost: reads and parses the files; start, reload and `check` only.
#pragma once

#include <vector>

#include "config/load.hpp"

namespace tidegate::net {

[[nodiscard]] std::vector<config::mistake> mistakes_of_tls_files(const config::config& config);

}  // namespace tidegate::net
