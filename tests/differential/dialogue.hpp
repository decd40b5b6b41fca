// Two servers that are told the same at the same time, and must answer the same: one straight, one through the proxy.
//
// Thread safety: none.
// Ownership: owns its connections; the places must outlive it.
// Invariants: (1) a turn is over when each of its batches was answered by both sides; (2) nothing that came is skipped:
//   bytes that belong to no batch stand before the next one's and make it differ.
// Cost: one poll() a round over at most 16 connections; all that came is kept until its batch is compared.
#pragma once

#include <array>
#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "tests/differential/author.hpp"
#include "tests/traffic/link.hpp"

namespace tidegate::differential {

struct difference {
  std::size_t session = 0;
  std::size_t at = 0;         // byte
  std::string bare, proxied;  // around it
  std::string what;
};

class dialogue {
 public:
  // `record`: a file for every batch in the order in which it was said (narrow.py reads it); empty for none.
  dialogue(traffic::place bare, traffic::place proxied, std::uint64_t seed, const std::string& record);

  // The first difference, if there is one.
  [[nodiscard]] std::optional<difference> perform(const scene& written);
  [[nodiscard]] std::uint64_t bytes_compared() const { return bytes_compared_; }

 private:
  enum side : std::size_t { bare_side, proxied_side };
  struct end_point {
    std::optional<traffic::link> connection;
    std::string received;
    bool over = false;
    const batch* saying = nullptr;
    std::size_t sent = 0, chunk = 0;

    [[nodiscard]] bool is_done() const;
  };
  struct conversation {
    std::array<end_point, 2> sides;
  };

  void begin(end_point& one, const traffic::place& to, const batch& said);
  [[nodiscard]] std::optional<difference> converse(const std::vector<batch>& turn);
  void write_some(end_point& one, std::size_t which);
  void read_some(end_point& one);
  void wait(const std::vector<batch>& turn);
  [[nodiscard]] std::optional<difference> compare(std::size_t session, bool ends);

  std::array<traffic::place, 2> places_;
  traffic::dice dice_;
  std::array<conversation, sessions_count> sessions_;
  std::vector<char> scratch_;
  std::ofstream record_;
  std::uint64_t bytes_compared_ = 0;
};

}  // namespace tidegate::differential
