// What operators may ask of the controller (proto/farboot/v1/fleet.proto): convert, call, convert.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "common/base/clock.h"
#include "common/store/content_store.h"
#include "common/store/state_store.h"
#include "controller/fleet/diagnosis.h"
#include "controller/fleet/fleet.h"
#include "controller/pki/authority.h"
#include "controller/pki/enrol.h"
#include "controller/pki/operator_book.h"
#include "controller/release/image_book.h"
#include "controller/release/release_book.h"
#include "controller/rollout/rollouts.h"

namespace grpc {
class Service;
}

namespace farboot {

/// Imports that run at once; more wait their turn.
inline constexpr unsigned kImportsAtOnceMax = 2;
/// Calls of WatchRollout at once; each holds a thread of gRPC's.
inline constexpr unsigned kWatchersMax = 100;

/// Calls of DiagnoseSite at once; likewise.
inline constexpr unsigned kDiagnosesMax = 16;

/// What was turned away at the door since the start.
struct Refusals {
  std::uint64_t handshakes = 0;  ///< TLS: no certificate of ours
  std::uint64_t tokens = 0;      ///< enrolment: malformed, unknown, wrong, expired, used
  std::uint64_t agents = 0;      ///< revoked, or enrolled anew with another key
  std::uint64_t fetches = 0;     ///< content that is not of the agent's site
  std::uint64_t proofs = 0;      ///< ready proofs that do not hold
  std::uint64_t operators = 0;   ///< revoked or unknown
  std::uint64_t releases = 0;    ///< changed in our store since they were made
};

class FleetService {
 public:
  struct Parts {
    StateStore& state;
    ContentStore& content;
    Authority& authority;
    Enrolment& enrolment;
    OperatorBook& operators;
    ImageBook& images;
    ReleaseBook& releases;
    Fleet& fleet;
    Rollouts& rollouts;
    const Clock& clock;
    std::string
        address;  ///< host:port that agents are told to dial, unless the operator says other
    std::string version;
    /// Where imports from mirrors note what they have, for a repeated one; made when it is needed.
    std::filesystem::path imports_folder{};
    std::function<Refusals()> refusals{};  ///< thread safe; may be empty
    Diagnose diagnose{};                   ///< likewise: no agent can be asked then
  };
  /// Borrows the parts.
  explicit FleetService(Parts parts);
  ~FleetService();

  /// For grpc::ServerBuilder::RegisterService(). Synchronous handlers, on gRPC's threads.
  grpc::Service& service();

  /// Ends imports and watches under way soon, with `unavailable`. Before the server's Shutdown().
  void stop();

 private:
  class Handlers;
  std::unique_ptr<Handlers> handlers_;
};

}  // namespace farboot
