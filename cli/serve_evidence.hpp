// What `serve` adds for the evidence: the recorder of the ledger, the keeper of the capture, and how they hear of the
// workers, of the upstream and of changes.
//
// Thread safety: once a process, on the main thread; the functions it hands out run on the control thread. Ownership:
// owns their threads, which must be stopped before the server and the control thread go, and the rings, which outlive
// the workers. Invariant: what is off costs nothing. Cost: see evidence/recorder and evidence/capture; 8 MiB a worker
// for a capture.
#pragma once

#include <memory>

#include "evidence/capture/keeper.hpp"
#include "evidence/recorder/recorder.hpp"
#include "policy/snapshot.hpp"
#include "proxy/admin/sources.hpp"
#include "proxy/net/control_thread.hpp"
#include "proxy/net/server.hpp"

namespace tidegate::cli {

class served_evidence {
 public:
  explicit served_evidence(const config::config& config);
  // For the server's options.
  [[nodiscard]] std::vector<session::capture_ring*> rings() const;
  // Into the control thread's options, before it is made.
  void listen(net::control_thread::options& to);
  // Once both are made, and before the workers start.
  void start(const config::config& config, net::server& workers, const net::control_thread& control,
             const policy::foundations& base, const std::shared_ptr<session::upstream_state>& upstream);
  // When the workers have stopped.
  void stop();
  [[nodiscard]] const recorder::status* status() const noexcept;
  // For the admin side; empty where no ledger is kept. Good until stop().
  [[nodiscard]] std::function<std::vector<admin::source_row>(std::string_view)> client_sources() const;

 private:
  bool any_ = false;
  recorder::status status_;
  std::vector<std::unique_ptr<session::capture_ring>> rings_;
  recorder::counted counted_;
  std::unique_ptr<recorder::recorder> recorder_;
  std::unique_ptr<capture::keeper> keeper_;
};

}  // namespace tidegate::cli
