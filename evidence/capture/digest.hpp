// Values, members and fields as digests: of the same length, the same for the same bytes, and telling nothing of them.
//
// Thread safety: immutable. Ownership: owns its key, which is drawn at random, kept in memory alone and gone with the
// process, so that nobody can try values against a file. Invariants: (1) keys, numbers and words of the commands'
// own syntax stay, so the file loads and its figures mean something; (2) a digest is as long as what it stands for.
// Cost: SipHash-2-4 over the value, and a few instructions for each letter of digest.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tidegate::capture {

class digest {
 public:
  digest();                                                    // a key from the system's random source
  digest(std::uint64_t first, std::uint64_t second) noexcept;  // for tests
  // Appends the digest of `value`: letters, digits, `-` and `_`.
  void append(std::string& out, std::string_view value) const;
  // Whether an argument that is no key may stand in the file as it is.
  [[nodiscard]] static bool may_stay(std::string_view argument) noexcept;

 private:
  std::uint64_t first_, second_;
};

}  // namespace tidegate::capture
