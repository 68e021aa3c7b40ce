#include <fmt/ranges.h>

#include "common/base/bytes.h"
#include "controller/api/convert.h"

namespace farboot {
namespace {

std::uint64_t number_of(const ReleaseNumbers& numbers, const std::optional<Digest>& digest) {
  if (!digest) return 0;
  const auto found = numbers.find(*digest);
  return found == numbers.end() ? 0 : found->second;
}

v1::TransferState to_proto(TransferStep step) {
  switch (step) {
    case TransferStep::idle: return v1::TRANSFER_STATE_IDLE;
    case TransferStep::offer: return v1::TRANSFER_STATE_OFFER;
    case TransferStep::want: return v1::TRANSFER_STATE_WANT;
    case TransferStep::chunk: return v1::TRANSFER_STATE_CHUNK;
    case TransferStep::ready: return v1::TRANSFER_STATE_READY;
    case TransferStep::activate: return v1::TRANSFER_STATE_ACTIVATE;
  }
  return v1::TRANSFER_STATE_UNSPECIFIED;
}

v1::RolloutState to_proto(RolloutState state) {
  switch (state) {
    case RolloutState::running: return v1::ROLLOUT_STATE_RUNNING;
    case RolloutState::paused: return v1::ROLLOUT_STATE_PAUSED;
    case RolloutState::stopped: return v1::ROLLOUT_STATE_STOPPED;
    case RolloutState::aborted: return v1::ROLLOUT_STATE_ABORTED;
    case RolloutState::done: return v1::ROLLOUT_STATE_DONE;
  }
  return v1::ROLLOUT_STATE_UNSPECIFIED;
}

v1::TargetState to_proto(TargetState state) {
  switch (state) {
    case TargetState::pending: return v1::TARGET_STATE_PENDING;
    case TargetState::staging: return v1::TARGET_STATE_STAGING;
    case TargetState::ready: return v1::TARGET_STATE_READY;
    case TargetState::activating: return v1::TARGET_STATE_ACTIVATING;
    case TargetState::active: return v1::TARGET_STATE_ACTIVE;
    case TargetState::failed: return v1::TARGET_STATE_FAILED;
    case TargetState::skipped: return v1::TARGET_STATE_SKIPPED;
    case TargetState::returning: return v1::TARGET_STATE_RETURNING;
    case TargetState::returned: return v1::TARGET_STATE_RETURNED;
  }
  return v1::TARGET_STATE_UNSPECIFIED;
}

v1::FleetChange to_proto(const Change& change) {
  v1::FleetChange out;
  switch (change.kind) {
    case Change::Kind::added: out.set_kind(v1::CHANGE_KIND_ADDED); break;
    case Change::Kind::changed: out.set_kind(v1::CHANGE_KIND_CHANGED); break;
    case Change::Kind::removed: out.set_kind(v1::CHANGE_KIND_REMOVED); break;
  }
  out.set_what(change.what);
  out.set_name(change.name);
  out.set_diff(change.diff);
  return out;
}

v1::RolloutPolicy to_proto(const RolloutPolicy& policy) {
  v1::RolloutPolicy out;
  out.set_sites_at_once_max(policy.sites_at_once_max);
  out.set_failures_max(policy.failures_max);
  out.set_offline(policy.offline == OfflinePolicy::wait ? v1::OFFLINE_POLICY_WAIT
                                                        : v1::OFFLINE_POLICY_SKIP);
  out.set_on_failure(policy.on_failure == FailurePolicy::back ? v1::FAILURE_POLICY_RETURN
                                                              : v1::FAILURE_POLICY_HOLD);
  out.set_offline_grace_seconds(static_cast<std::uint32_t>(policy.offline_grace.count()));
  out.set_stall_seconds(static_cast<std::uint32_t>(policy.stall.count()));
  out.set_activate_seconds(static_cast<std::uint32_t>(policy.activate.count()));
  out.set_error_grace_seconds(static_cast<std::uint32_t>(policy.error_grace.count()));
  return out;
}

}  // namespace

google::protobuf::Timestamp to_proto(WallTime time) {
  google::protobuf::Timestamp out;
  const std::int64_t ms = time.time_since_epoch().count();
  out.set_seconds(ms / 1000);
  out.set_nanos(static_cast<std::int32_t>(ms % 1000) * 1'000'000);
  return out;
}

v1::StoreUsage to_proto(const StoreUsage& usage) {
  v1::StoreUsage out;
  out.set_chunks(usage.chunks);
  out.set_payload_bytes(usage.payload_bytes);
  out.set_disk_bytes(usage.disk_bytes);
  out.set_budget_bytes(usage.budget_bytes);
  out.set_free_bytes(usage.free_bytes);
  return out;
}

v1::ImageRecord to_proto(const ImageRecord& record) {
  v1::ImageRecord out;
  const ImageFacts& facts = record.image.facts;
  out.set_name(record.image.name);
  out.set_tag(record.image.tag);
  out.set_manifest(record.image.manifest.hex());
  out.set_size_bytes(record.image.size_bytes);
  out.set_family(facts.family);
  out.set_distro(facts.distro);
  out.set_version(facts.version);
  out.set_arch(facts.arch);
  out.set_kernel(facts.kernel);
  out.set_initrd(facts.initrd);
  out.set_stage2(facts.stage2);
  out.set_repo(facts.repo);
  out.set_source(record.source);
  *out.mutable_imported() = to_proto(record.imported);
  return out;
}

v1::LoaderSet to_proto(const LoaderRecord& record) {
  v1::LoaderSet out;
  out.set_manifest(record.manifest.hex());
  for (const LoaderFile& file : record.files) {
    out.add_files(file.path);
    out.add_file_sources(file.source);
  }
  for (const std::string& warning : record.warnings) out.add_warnings(warning);
  out.set_source(fmt::format("{}", fmt::join(record.sources(), ", ")));
  *out.mutable_imported() = to_proto(record.imported);
  return out;
}

v1::ReleaseRecord to_proto(const StoredRelease& stored) {
  const Release& release = stored.release;
  v1::ReleaseRecord out;
  out.set_number(release.number);
  out.set_digest(stored.digest.hex());
  if (release.parent) out.set_parent(release.parent->hex());
  *out.mutable_created() = to_proto(release.created);
  out.set_comment(release.comment);
  std::uint64_t size = 0;
  for (const Image& image : release.images) {
    out.add_images(image.name + "@" + image.tag);
    size += image.size_bytes;
  }
  out.set_size_bytes(size);
  for (const BootEntry& entry : release.entries) out.add_entries(entry.name);
  for (const auto& [name, text] : release.kickstarts) out.add_kickstarts(name);
  for (const auto& [name, text] : release.menus) out.add_menus(name);
  for (const auto& [name, text] : release.snippets) out.add_snippets(name);
  if (release.loaders) out.set_loaders(release.loaders->hex());
  if (release.assets) out.set_assets(release.assets->hex());
  return out;
}

v1::FleetDiff to_proto(const FleetDiff& diff) {
  v1::FleetDiff out;
  for (const Change& change : diff.release) *out.add_release() = to_proto(change);
  for (const Change& change : diff.sites) *out.add_sites() = to_proto(change);
  out.set_newest_release(diff.newest_release);
  for (const std::string& note : diff.notes) out.add_notes(note);
  return out;
}

v1::TransferProgress to_progress(const AgentReport& report, const ReleaseNumbers& numbers) {
  v1::TransferProgress out;
  out.set_state(to_proto(report.step));
  out.set_release(number_of(numbers, report.release));
  out.set_bytes_done(report.bytes_done);
  out.set_bytes_total(report.bytes_total);
  out.set_bytes_per_second(report.bytes_per_second);
  return out;
}

v1::AgentRecord to_proto(const AgentRecord& agent, const std::optional<AgentStatus>& status,
                         const ReleaseNumbers& numbers) {
  v1::AgentRecord out;
  out.set_id(agent.id);
  *out.mutable_enrolled() = to_proto(agent.enrolled);
  *out.mutable_certificate_expires() = to_proto(agent.certificate_expires);
  out.set_revoked(agent.revoked);
  if (!status) return out;
  const AgentReport& report = status->report;
  out.set_online(status->online);
  if (report.received != WallTime{}) *out.mutable_last_report() = to_proto(report.received);
  out.set_version(report.version);
  out.set_desired_number(report.desired_number);
  out.set_active_release(number_of(numbers, report.active));
  out.set_previous_release(number_of(numbers, report.previous));
  out.set_staged_release(number_of(numbers, report.staged));
  *out.mutable_transfer() = to_progress(report, numbers);
  out.set_wan_bytes(report.wan_bytes);
  out.set_disk_free_bytes(report.disk_free_bytes);
  out.set_rotten_chunks(report.rotten_chunks);
  out.set_error(report.error);
  return out;
}

v1::OperatorRecord to_proto(const OperatorRecord& record) {
  v1::OperatorRecord out;
  out.set_name(record.name);
  out.set_role(std::string(to_string(record.role)));
  out.set_certificate_serial(record.certificate_serial);
  *out.mutable_issued() = to_proto(record.issued);
  *out.mutable_certificate_expires() = to_proto(record.certificate_expires);
  out.set_issued_by(record.issued_by);
  out.set_revoked(record.revoked);
  if (record.revoked) *out.mutable_revoked_at() = to_proto(record.revoked_at);
  out.set_revoked_by(record.revoked_by);
  return out;
}

v1::HostRecord to_proto(const std::string& site, const HostSpec& host) {
  v1::HostRecord out;
  out.set_site(site);
  out.set_name(host.name);
  for (const std::string& mac : host.macs) out.add_macs(mac);
  out.set_uuid(host.uuid);
  out.set_serial(host.serial);
  out.set_entry(host.entry);
  out.set_install_order(host.install_order);
  for (const auto& [name, value] : host.variables) (*out.mutable_variables())[name] = value;
  out.set_known(true);
  return out;
}

void add_report(v1::HostRecord& record, const HostReport& report) {
  record.set_state(report.state);
  record.set_percent(report.percent);
  record.set_detail(report.detail);
  *record.mutable_since() = to_proto(report.since);
}

v1::Rollout to_proto(const Rollout& rollout, const ReleaseNumbers& numbers) {
  v1::Rollout out;
  out.set_id(rollout.id);
  out.set_release(rollout.release_number);
  out.set_release_digest(rollout.release.hex());
  out.set_state(to_proto(rollout.state));
  for (const RolloutWave& wave : rollout.waves) {
    v1::RolloutWave& made = *out.add_waves();
    made.set_name(wave.name);
    for (const std::string& selector : wave.selectors) made.add_selectors(selector);
    made.set_soak_seconds(static_cast<std::uint32_t>(wave.soak.count()));
    if (wave.finished) *made.mutable_finished() = to_proto(*wave.finished);
  }
  out.set_wave(rollout.wave);
  for (const RolloutTarget& target : rollout.targets) {
    v1::RolloutTarget& made = *out.add_targets();
    made.set_site(target.site);
    made.set_wave(target.wave);
    made.set_state(to_proto(target.state));
    *made.mutable_since() = to_proto(target.since);
    made.set_detail(target.detail);
    made.set_from_release(number_of(numbers, target.from));
  }
  *out.mutable_policy() = to_proto(rollout.policy);
  out.set_comment(rollout.comment);
  out.set_started_by(rollout.started_by);
  *out.mutable_started() = to_proto(rollout.started);
  if (rollout.finished) *out.mutable_finished() = to_proto(*rollout.finished);
  out.set_reason(rollout.reason);
  return out;
}

}  // namespace farboot
