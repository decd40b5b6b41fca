// What goes into the audit log beside caps: changes that somebody tells of, and whoever was refused one.
//
// Thread safety: refused() and tell() from any thread but the control thread; the file is written on it alone.
// Ownership: refers to the io_context, which outlives it. Invariants: (1) tell() has its answer within `patience`;
// (2) a flood of refused requests costs refusal_gate::lines_max lines a minute and no more. Cost: control path only.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <expected>
#include <functional>
#include <mutex>
#include <string>

#include "evidence/audit/audit_log.hpp"
#include "evidence/audit/refusal_gate.hpp"

namespace tidegate::net {

class audit_trail {
 public:
  struct options {
    std::string path;  // empty = no audit log
    // For the ledger: who, what, and which; may be empty.
    std::function<void(const std::string& who, const std::string& what, const std::string& detail)> noted = {};
    std::chrono::milliseconds patience{2000};
  };
  audit_trail(boost::asio::io_context& context, options opts);

  void refused(audit::refusal one);
  // The error says why it is not written down.
  [[nodiscard]] std::expected<void, std::string> tell(audit::told one);

 private:
  void write(const audit::refusal& one);
  void await_the_rest(audit::refusal last);

  boost::asio::io_context& context_;
  options given_;
  audit::audit_log log_;
  boost::asio::steady_timer timer_;  // the control thread's
  bool waiting_ = false;             // likewise
  std::mutex mutex_;                 // guards gate_; control plane only
  audit::refusal_gate gate_;
};

}  // namespace tidegate::net
