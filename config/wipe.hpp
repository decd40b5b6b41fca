// Overwrites a secret that is no longer needed, in a way that no optimiser leaves out.
//
// Thread safety: the text's. Ownership: none. Invariant: the text is empty afterwards, and the bytes it held are zero;
// copies that were made elsewhere (buffers of sockets, of parsers) are not. Cost: one pass over it.
#pragma once

#include <cstring>
#include <string>

namespace tidegate::config {

inline void wipe(std::string& text) noexcept {
  ::explicit_bzero(text.data(), text.size());
  text.clear();
}

}  // namespace tidegate::config
