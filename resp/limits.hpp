// Named upper bounds of the wire path. Every one is finite; tests stand at n-1, n and n+1.
// Thread safety: constants.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tidegate::resp {

// Redis: proto-max-bulk-len, its default. A longer announced bulk is a protocol error.
inline constexpr std::uint64_t bulk_bytes_max = 512ULL * 1024 * 1024;
// Redis: PROTO_INLINE_MAX_SIZE, for inline lines and for the count lines of multibulk requests.
inline constexpr std::size_t inline_bytes_max = 64 * 1024;
// Redis 7.0: a multibulk count above INT_MAX is "invalid multibulk length".
inline constexpr std::int64_t args_max = 2147483647;
// Redis: what a client that still has to authenticate may announce.
inline constexpr std::int64_t unauthenticated_args_max = 10;
inline constexpr std::uint64_t unauthenticated_bulk_bytes_max = 16384;
// The head of a reply that is kept for classification when it arrives in pieces.
inline constexpr std::size_t reply_head_bytes = 512;

}  // namespace tidegate::resp
