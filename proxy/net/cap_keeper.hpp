// The caps in force: takes changes from other threads, publishes them, keeps them over a restart and ends them in time.
//
// Thread safety: set(), lift() and all() from any thread but the control thread, for which they wait; the rest on it.
// Ownership: refers to the io_context, which outlives it. Invariants: (1) a change that was answered as in force holds
// on every worker, and is on disk unless `trouble` says otherwise; (2) whoever asks is answered within twice
// `patience`, whatever control and workers do; (3) a cap that has ended is out of force by itself: the sweep only
// tidies up. Cost: a snapshot a change.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "evidence/audit/audit_log.hpp"
#include "policy/cap_book.hpp"

namespace tidegate::net {

class cap_keeper {
 public:
  using note = std::function<void(const std::string& who, const std::string& what, const std::string& detail)>;
  struct options {
    std::string state_path;                  // empty = kept in memory alone
    std::string audit_path;                  // empty = no audit log
    policy::cap_book book;                   // what a restart took up
    note noted{};                            // what changed, for the ledger; may be empty
    std::function<std::uint64_t()> publish;  // on the control thread: the generation that holds rules()
    std::function<std::uint64_t()> in_use;   // the smallest generation over the workers
    std::chrono::milliseconds patience{2000};
  };
  cap_keeper(boost::asio::io_context& context, options opts);

  [[nodiscard]] policy::cap_change set(const policy::cap& one);
  [[nodiscard]] policy::cap_change lift(const std::string& client, const std::string& who);
  [[nodiscard]] std::vector<policy::cap> all() const;

  // The control thread's.
  void start();
  [[nodiscard]] std::vector<config::limit_rule> rules() const { return given_.book.rules(); }

 private:
  struct wanted {
    std::optional<policy::cap> set;  // none = lift
    std::string client, who;
  };
  struct pending;
  [[nodiscard]] policy::cap_change ask(wanted change);
  [[nodiscard]] policy::cap_change run(const wanted& change, std::uint64_t& generation);
  [[nodiscard]] policy::cap_change change_book(const wanted& change);
  void write_down(const char* what, const std::string& who, const policy::cap& one, std::string* trouble);
  void save(std::string* trouble);
  void sweep();

  boost::asio::io_context& context_;
  options given_;
  audit::audit_log log_;
  boost::asio::steady_timer timer_;
  mutable std::mutex mutex_;  // guards given_.book against all(); control plane only
};

}  // namespace tidegate::net
