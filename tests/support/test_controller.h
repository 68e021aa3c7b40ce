// A controller in the test's own process: everything real but the disk, on a port of its own, with
// certificates of its own. No rollout runner and no link service: a test plays those.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "common/content/identity_key.h"
#include "common/rpc/credentials.h"
#include "common/store/memory_state.h"
#include "common/store/memory_store.h"
#include "controller/api/fleet_service.h"
#include "controller/rollout/runner.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_folder.h"

namespace grpc {
class Server;
}

namespace farboot {

class TestController {
 public:
  explicit TestController(std::uint64_t content_budget_bytes = 1u << 30);
  ~TestController();

  /// `127.0.0.1:<port>`
  const std::string& address() const { return address_; }
  /// Of an operator called ada; each has a key and certificate of its own.
  Credentials operator_credentials(Role role);
  /// A folder as `farboot --context` wants it, for an operator of this role.
  std::filesystem::path context(Role role);
  /// Stops listening; the address stays.
  void stop();

  /// An image of one small file, as import would record it.
  ImageRecord add_image(const std::string& name, const std::string& tag);
  /// An enrolled agent that never dialled. Its key is `identity`.
  void enrol(const std::string& site, const std::string& name);
  /// What the agent would report.
  AgentReport report(const std::string& agent) const;
  SignedDocument ready_proof(const std::string& agent, const Digest& release) const;

  TempFolder folder;
  FakeClock clock;
  MemoryState state;
  MemoryStore content;
  SigningKey key = SigningKey::generate();
  IdentityKey identity = IdentityKey::generate();
  std::unique_ptr<Authority> authority;
  Enrolment enrolment;
  OperatorBook operators;
  ImageBook images{state};
  ReleaseBook releases{state, key};
  Fleet fleet{state, key, clock};
  Rollouts rollouts{{state, content, images, releases, fleet, clock}};
  /// What the link would say of agents that are to examine their sites; empty: none is connected.
  /// Set it before anybody calls.
  Diagnose diagnose;
  RolloutRunner runner{state, rollouts, fleet, enrolment, clock};

 private:
  std::string address_;
  std::unique_ptr<FleetService> service_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace farboot
