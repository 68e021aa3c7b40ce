// The agent's side of link.proto: messages from our structs and back. Every field that comes is
// checked here.
#pragma once

#include "agent/link/link.h"
#include "agent/sync/sync.h"
#include "common/base/log_limit.h"
#include "common/base/result.h"
#include "farboot/v1/link.pb.h"

namespace farboot {

inline constexpr std::size_t kManifestsMax = 4096;  ///< in an offer
inline constexpr std::size_t kEventsPerBatch = 256;
/// All that a site may name (kHostsPerSiteMax of the controller), and some of its strangers.
inline constexpr std::size_t kHostsPerReport = 12'288;
inline constexpr std::size_t kReportTextMax = 1024;  ///< bytes of one text in a report or event
inline constexpr std::size_t kHostDetailMax = 512, kHostTextMax = 256;  ///< likewise, of a machine
inline constexpr std::uint32_t kLinkProtocol = 1;

v1::DoctorResult doctor_of(std::uint64_t request, const std::vector<doctor::Finding>& findings);

/// Errors: invalid.
Result<Offer> from_proto(const v1::Offer& message);

v1::Hello hello_of(const SyncStatus& status, const AgentLinkSettings& settings);
v1::Report report_of(const SyncStatus& status, const SiteReport& site, std::uint64_t free_bytes,
                     const AgentLinkSettings& settings);
v1::EventBatch events_of(const std::vector<HostEvent>& events);

/// What the controller says about itself and the link; clamped to sane ranges.
struct WelcomeTerms {
  WallTime controller_time{};
  Seconds heartbeat{30};
  Milliseconds spread{0};
  std::uint64_t event_acked = 0;
};
WelcomeTerms from_proto(const v1::Welcome& message);

/// Hands a frame's chunks on. A chunk that cannot even be decoded is as good as one that did not
/// come; `malformed`: the lines that say so. Errors: invalid (a chunk without a name), or `take`'s
/// own.
Result<void> take_frame(v1::ChunkFrame& frame, const Upstream::Take& take, LogLimit& malformed);

}  // namespace farboot
