// What `serve` adds for the evidence: the recorder, and how it hears of the upstream and of changes.
//
// Thread safety: once a process, on the main thread; the functions it hands out run on the control thread. Ownership:
// owns the recorder; the server and the control thread must outlive it. Invariant: with `ledger: off` nothing is
// counted for it. Cost: see evidence/recorder.
#pragma once

#include <memory>

#include "evidence/recorder/recorder.hpp"
#include "policy/snapshot.hpp"
#include "proxy/net/control_thread.hpp"
#include "proxy/net/server.hpp"

namespace tidegate::cli {

class served_evidence {
 public:
  // Into the control thread's options, before it is made.
  void listen(net::control_thread::options& to);
  // Once both are made, and before the workers start.
  void start(const config::config& config, net::server& workers, const net::control_thread& control,
             const policy::foundations& base, const std::shared_ptr<session::upstream_state>& upstream);
  // When the workers have stopped.
  void stop();
  [[nodiscard]] const recorder::status* status() const noexcept;

 private:
  std::unique_ptr<recorder::recorder> recorder_;
};

}  // namespace tidegate::cli
