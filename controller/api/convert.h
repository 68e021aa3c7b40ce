// Between the wire and our own words. Everything from the wire is checked here or by what is called
// with it; nothing else is decided here.
#pragma once

#include <map>

#include "common/base/result.h"
#include "controller/fleet/apply.h"
#include "controller/fleet/report_book.h"
#include "controller/pki/enrol.h"
#include "controller/pki/operator_book.h"
#include "controller/release/image_book.h"
#include "controller/release/release_book.h"
#include "controller/rollout/rollouts.h"
#include "farboot/v1/fleet.pb.h"

namespace farboot {

using ReleaseNumbers = std::map<Digest, std::uint64_t>;

google::protobuf::Timestamp to_proto(WallTime time);
v1::StoreUsage to_proto(const StoreUsage& usage);

v1::ImageRecord to_proto(const ImageRecord& record);
v1::LoaderSet to_proto(const LoaderRecord& record);
v1::ReleaseRecord to_proto(const StoredRelease& release);
v1::FleetDiff to_proto(const FleetDiff& diff);

v1::AgentRecord to_proto(const AgentRecord& agent, const std::optional<AgentStatus>& status,
                         const ReleaseNumbers& numbers);
v1::HostRecord to_proto(const std::string& site, const HostSpec& host);
void add_report(v1::HostRecord& record, const HostReport& report);
v1::OperatorRecord to_proto(const OperatorRecord& record);
v1::Rollout to_proto(const Rollout& rollout, const ReleaseNumbers& numbers);
v1::TransferProgress to_progress(const AgentReport& report, const ReleaseNumbers& numbers);

/// Errors: invalid.
Result<FleetWish> from_proto(const v1::FleetSpec& spec);
Result<RolloutWish> from_proto(const v1::StartRolloutRequest& request,
                               const std::string& started_by);

}  // namespace farboot
