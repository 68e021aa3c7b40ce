// The agent's end of the stream to the controller: the one place where threads meet. It dials,
// keeps the stream, hands what comes to sync and what sync and the host book say to the controller.
// If the link is down, the site boots on; nothing here is in the way of a request.
//
// Threads: `talk` (dials, reads), `tell` (reports; lives with a connection), `work` (transfers).
// They meet the loop only by posting to it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/catalog/catalog.h"
#include "agent/doctor/finding.h"
#include "agent/host/host_record.h"
#include "agent/host/outbox.h"
#include "agent/link/backoff.h"
#include "agent/link/identity.h"
#include "agent/loop.h"
#include "agent/sync/sync.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/content/desired_state.h"
#include "common/rpc/credentials.h"
#include "common/store/content_store.h"
#include "common/store/state_store.h"

namespace farboot {

/// What the loop tells of the site's machines.
struct SiteReport {
  std::vector<HostStatus> hosts;
  std::vector<HostEvent> events;  ///< oldest first, of those not acknowledged
};

/// How the link reaches the rest of the agent. All of it is called on the loop.
struct LinkCallbacks {
  /// A desired state to apply: the stored one at start, then each newer one.
  std::function<void(std::shared_ptr<const DesiredState>)> desired;
  /// At most `events_max` events.
  std::function<SiteReport(std::size_t events_max)> collect;
  /// Every event up to `sequence` is durable at the controller.
  std::function<void(std::uint64_t sequence)> acknowledged;
  /// The catalog has just published it.
  std::function<void(std::shared_ptr<const Snapshot>)> published;
  /// Somebody at the controller wants to know how the site is: examines it and calls `done` on the
  /// loop, or never. `done` may outlive the Link.
  std::function<void(std::function<void(const std::vector<doctor::Finding>&)> done)> examine;
};

struct AgentLinkSettings {
  BackoffLimits backoff;
  Milliseconds report_gap{1'000};   ///< changes are told at most this often
  Milliseconds silence{60'000};     ///< of a call; after that it is ended and made again
  std::filesystem::path state_dir;  ///< renewed certificates go to its identity/
  std::string version;
  std::string dhcp_mode;
  DialOptions dial;
  int work_niceness = 10;  ///< hashing for a transfer waits for hashing for a client
};

/// Lives longer than the Link.
struct LinkParts {
  ContentStore& content;
  StateStore& state;
  Catalog& catalog;  ///< touched on the loop, its blocking calls on the link's threads
  Loop& loop;
  const Clock& clock;
};

struct LinkStatus {
  bool connected = false;
  std::string controller;  ///< address
  std::string error;       ///< why not connected
  SyncStatus sync;
};

class Link {
 public:
  Link(LinkParts parts, AgentIdentity identity, LinkCallbacks callbacks,
       AgentLinkSettings settings);
  ~Link();  ///< stops

  /// Reads back what was desired. Blocks: before the loop runs, after Catalog::open(). Errors: only
  /// if the state cannot be read.
  Result<void> open();
  /// Starts the threads. Posts the stored desired state, if there is one.
  void start();
  /// Ends the threads and waits for them. The loop may have ended already.
  void stop();

  // Any thread:
  /// Something about hosts changed: report soon.
  void poke();
  /// A chunk was found rotten and is no longer held: it is fetched again, and reported. Quick.
  void damaged();
  LinkStatus status() const;
  /// The newest verified desired state; nullptr: none yet.
  std::shared_ptr<const DesiredState> desired() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace farboot
