// How the evidence is doing: what metrics and /api/v1/status say of ledger and capture.
//
// Thread safety: atomics, written by the recording thread, read by any. Ownership: whoever serves; outlives the threads
// and the admin server. Invariants: a count never goes down. Cost: none.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

namespace tidegate::recorder {

// Why rows or records did not reach the disk.
enum class drop_reason : std::uint8_t { disk, busy, ring, size, unanswered, credentials, error };
inline constexpr std::array<std::string_view, 7> drop_reason_names = {"disk",       "busy",        "ring", "size",
                                                                      "unanswered", "credentials", "error"};

using drops = std::array<std::atomic<std::uint64_t>, drop_reason_names.size()>;

struct status {
  std::atomic<bool> ledger_up{false};
  std::atomic<std::uint64_t> ledger_rows{0}, ledger_bytes{0};
  drops ledger_dropped{};
  std::atomic<bool> capture_up{false};
  std::atomic<std::uint64_t> capture_records{0}, capture_bytes{0};
  drops capture_dropped{};
};

}  // namespace tidegate::recorder
