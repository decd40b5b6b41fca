// How far a SCAN is, and when it ends.
//
// Redis's cursor counts through the hash table's buckets with its bits reversed (dictScan() in dict.c), so that the
// reversed cursor, as a fraction, is the share of the table that has been walked, whatever size the table has or grows
// to. Where a server's cursor is of another kind, that fraction steps back, and keys seen against DBSIZE take over.
//
// Thread safety: none. Invariants: fraction() never falls and is 1 only after the last page. Cost: O(1).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace tidegate::keyspace {

class progress {
 public:
  // keys_total: DBSIZE. now in nanoseconds. fraction: where a resumed scan begins.
  progress(std::uint64_t keys_total, std::int64_t now, double fraction = 0) noexcept;

  // A page came: the cursor behind it, how many keys it walked past so far in all.
  void page(std::uint64_t cursor, std::uint64_t keys_seen, std::int64_t now) noexcept;
  // DBSIZE again, as it grows.
  void total(std::uint64_t keys) noexcept { keys_total_ = keys; }
  void finish() noexcept { fraction_ = 1; }

  [[nodiscard]] double fraction() const noexcept { return fraction_; }
  [[nodiscard]] std::uint64_t keys_total() const noexcept { return keys_total_; }
  // From the pace of the last minute or so; empty before there is one.
  [[nodiscard]] std::optional<std::int64_t> seconds_left() const noexcept;

 private:
  std::uint64_t keys_total_;
  double fraction_;
  bool cursor_tells_ = true;
  std::int64_t slice_begin_;
  double slice_fraction_;
  double pace_ = 0;  // fraction a second, smoothed over slices
};

// The share of the table behind a cursor; 0 is the beginning.
[[nodiscard]] double cursor_fraction(std::uint64_t cursor) noexcept;

// "[#######.............]  36 %  …", `width` columns of bar.
[[nodiscard]] std::string bar_text(double fraction, std::size_t width);
// "2 h 05 min", "3 min 10 s", "8 s".
[[nodiscard]] std::string duration_text(std::int64_t seconds);

}  // namespace tidegate::keyspace
