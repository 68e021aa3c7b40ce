// The controller's end of every agent's link: enrolment, the stream, chunks
// (proto/farboot/v1/link.proto).
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/content/digest.h"
#include "common/content/signature.h"
#include "common/store/content_store.h"
#include "common/store/state_store.h"
#include "controller/fleet/diagnosis.h"
#include "controller/fleet/report.h"
#include "controller/pki/enrol.h"

namespace grpc {
class Service;
}

namespace farboot {

/// What agents are told at `welcome`.
struct LinkSettings {
  Seconds heartbeat{30};
  /// A fleet that lost its controller comes back over this long, and longer the larger it is.
  Seconds reconnect_spread{10};
  /// What could not be made for a site, a desired state or an offer, is tried again this often.
  Milliseconds push_again{5'000};
  /// A stream that says no hello within it ends.
  Milliseconds hello_wait{30'000};
  /// An examination that an agent was asked for.
  Milliseconds doctor_wait{45'000};
};

/// For metrics, since the start.
struct LinkCounts {
  std::uint64_t connected = 0;  ///< streams open now
  std::uint64_t connects = 0, reports = 0;
  std::uint64_t events = 0;       ///< kept; each once, however often it came
  std::uint64_t chunk_bytes = 0;  ///< sent, as they travel
  std::uint64_t fetches_refused = 0, proofs_refused = 0;
  std::set<Digest> releases_refused;  ///< not offered: changed since they were stored
};

/// Thread-safe. gRPC's callback API; what may block runs on threads of its own.
class LinkService {
 public:
  struct Parts {
    StateStore& state;
    const ContentStore& content;
    Enrolment& enrolment;
    ReportSink& sink;  ///< hears only of ready proofs that were found good
    const Clock& clock;
    VerifyKey verify_key;  ///< given to agents at enrolment
    std::string version;
    LinkSettings settings;
  };

  /// Borrows the parts.
  explicit LinkService(Parts parts);
  /// After the server has shut down and is gone.
  ~LinkService();

  /// For grpc::ServerBuilder::RegisterService().
  std::vector<grpc::Service*> services();
  /// Ends every stream and takes no new one. Before the server's Shutdown().
  void stop();

  /// Streams open now.
  std::size_t connected() const;
  LinkCounts counts() const;

  /// As Diagnose says. Blocks, at most LinkSettings::doctor_wait.
  Diagnoses diagnose(const std::vector<std::string>& agents, const std::function<bool()>& given_up);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace farboot
