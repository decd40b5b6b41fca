// 128-bit integers for intermediate results: a product of two 63-bit numbers does not fit 64 bits.
// Thread safety: pure functions.
#pragma once

namespace tidegate::limiter {

__extension__ typedef unsigned __int128 wide_unsigned;
__extension__ typedef __int128 wide_signed;

}  // namespace tidegate::limiter
