// Between the wire and the controller's own words. Every field from an agent is checked here.
#pragma once

#include <vector>

#include "common/base/result.h"
#include "controller/fleet/diagnosis.h"
#include "controller/fleet/report.h"
#include "controller/link/event_book.h"
#include "controller/link/release_content.h"
#include "farboot/v1/link.pb.h"

namespace farboot {

inline constexpr std::size_t kReportHostsMax = 12'288;
inline constexpr std::size_t kReportTextBytesMax = 1024;
inline constexpr std::size_t kEventDetailBytesMax = 4096;
inline constexpr std::size_t kEventsInBatchMax = 256;
inline constexpr std::size_t kWantedChunksMax = 4096;
inline constexpr std::size_t kDoctorFindingsMax = 256;
inline constexpr std::size_t kAbilitiesMax = 64;

/// agent, site and received are the caller's. Errors: invalid, naming the field.
Result<AgentReport> from_proto(const v1::Report& report);
/// Errors: invalid (too many, not ascending).
Result<std::vector<SiteEvent>> from_proto(const v1::EventBatch& batch);

/// A severity that is not known counts as `fail`. Errors: invalid (too many).
Result<std::vector<AgentFinding>> from_proto(const v1::DoctorResult& result);

struct Want {
  Digest release;
  std::vector<Digest> chunks;
  bool zstd = false;
};
/// Errors: invalid.
Result<Want> from_proto(const v1::FetchChunksRequest& request);

void to_proto(const ReleaseContent& content, v1::Offer& out);

}  // namespace farboot
