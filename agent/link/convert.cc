#include "agent/link/convert.h"

#include <algorithm>
#include <utility>

#include "common/base/log.h"
#include "common/rpc/chunk_frame.h"
#include "common/rpc/convert.h"

namespace farboot {
namespace {

v1::TransferStep to_proto(SyncStep step) {
  switch (step) {
    case SyncStep::idle: return v1::TRANSFER_STEP_IDLE;
    case SyncStep::offer: return v1::TRANSFER_STEP_OFFER;
    case SyncStep::want: return v1::TRANSFER_STEP_WANT;
    case SyncStep::chunk: return v1::TRANSFER_STEP_CHUNK;
    case SyncStep::ready: return v1::TRANSFER_STEP_READY;
    case SyncStep::activate: return v1::TRANSFER_STEP_ACTIVATE;
  }
  return v1::TRANSFER_STEP_IDLE;
}

/// protobuf wants UTF-8; machines and installers send what they like. The largest report stays
/// within kMessageBytesMax.
std::string clean(const std::string& text, std::size_t bytes_max) {
  return text_from_proto(text, bytes_max);
}

void fill(const HostStatus& status, v1::HostReport* out) {
  out->set_host(clean(status.host, kHostTextMax));
  out->set_mac(clean(status.mac, kHostTextMax));
  out->set_state(std::string(to_string(status.phase)));
  out->set_entry(clean(status.entry, kHostTextMax));
  out->set_percent(status.percent);
  out->set_detail(clean(status.detail, kHostDetailMax));
  out->set_since_ms(farboot::to_proto_ms(status.since));
  out->set_release(status.release);
  out->set_install_order(status.order);
  out->set_install_used(status.used);
}

}  // namespace

v1::DoctorResult doctor_of(std::uint64_t request, const std::vector<doctor::Finding>& findings) {
  v1::DoctorResult out;
  out.set_request(request);
  for (const doctor::Finding& finding : findings) {
    if (static_cast<std::size_t>(out.findings_size()) >= doctor::kFindingsMax) break;
    v1::DoctorFinding& to = *out.add_findings();
    to.set_check(finding.id);
    to.set_severity(std::string(doctor::to_string(finding.severity)));
    const std::string where = finding.where.empty() ? std::string() : finding.where + ": ";
    to.set_text(clean(where + finding.what, doctor::kFindingTextMax));
    to.set_advice(clean(finding.fix, doctor::kFindingTextMax));
  }
  return out;
}

Result<Offer> from_proto(const v1::Offer& message) {
  Offer offer;
  auto release = from_proto(DocumentKind::release, message.release());
  if (!release) return prefix("offer", release.error());
  offer.release = std::move(*release);
  if (static_cast<std::size_t>(message.manifests_size()) > kManifestsMax)
    return fail(Errc::invalid, "offer: {} manifests, at most {}", message.manifests_size(),
                kManifestsMax);
  for (const std::string& bytes : message.manifests()) {
    auto manifest = digest_from_proto(bytes);
    if (!manifest) return prefix("offer", manifest.error());
    offer.manifests.push_back(*manifest);
  }
  offer.total_bytes = message.total_bytes();
  offer.chunks = message.chunks();
  return offer;
}

v1::Hello hello_of(const SyncStatus& status, const AgentLinkSettings& settings) {
  v1::Hello hello;
  hello.set_protocol(kLinkProtocol);
  hello.set_version(settings.version);
  hello.set_desired_number(status.desired_number);
  hello.set_desired_digest(to_proto(status.desired_digest));
  for (const auto& release : {status.active, status.previous, status.staged})
    if (release) hello.add_releases(to_proto(*release));
  return hello;
}

v1::Report report_of(const SyncStatus& status, const SiteReport& site, std::uint64_t free_bytes,
                     const AgentLinkSettings& settings) {
  v1::Report report;
  report.set_desired_number(status.desired_number);
  report.set_active(to_proto(status.active));
  report.set_previous(to_proto(status.previous));
  report.set_staged(to_proto(status.staged));
  report.set_step(to_proto(status.step));
  report.set_release(to_proto(status.release));
  report.set_bytes_total(status.bytes_total);
  report.set_bytes_done(status.bytes_done);
  report.set_bytes_per_second(status.bytes_per_second);
  report.set_wan_bytes(status.wan_bytes);
  report.set_disk_free_bytes(free_bytes);
  report.set_rotten_chunks(status.rotten_chunks);
  report.set_error(clean(status.error, kReportTextMax));
  report.set_version(settings.version);
  report.set_dhcp_mode(settings.dhcp_mode);
  for (const char* const ability : {"boot-files", "menu-links", "loader-families"})
    report.add_abilities(ability);
  if (status.ready_proof)
    *report.mutable_ready_proof() = to_proto(DocumentKind::ready, *status.ready_proof);
  const std::size_t count = std::min(site.hosts.size(), kHostsPerReport);
  for (std::size_t i = 0; i < count; ++i) fill(site.hosts[i], report.add_hosts());
  return report;
}

v1::EventBatch events_of(const std::vector<HostEvent>& events) {
  v1::EventBatch batch;
  const std::size_t count = std::min(events.size(), kEventsPerBatch);
  for (std::size_t i = 0; i < count; ++i) {
    v1::Event* event = batch.add_events();
    event->set_sequence(events[i].sequence);
    event->set_time_ms(to_proto_ms(events[i].status.since));
    event->set_kind("host." + std::string(to_string(events[i].status.phase)));
    fill(events[i].status, event->mutable_host());
  }
  return batch;
}

WelcomeTerms from_proto(const v1::Welcome& message) {
  WelcomeTerms terms;
  terms.controller_time = time_from_proto(message.time_ms());
  terms.heartbeat = Seconds(std::clamp<std::uint32_t>(message.heartbeat_seconds(), 1, 3600));
  terms.spread = Seconds(std::min<std::uint32_t>(message.spread_seconds(), 3600));
  terms.event_acked = message.event_acked();
  return terms;
}

Result<void> take_frame(v1::ChunkFrame& frame, const Upstream::Take& take, LogLimit& malformed) {
  for (v1::Chunk& message : *frame.mutable_chunks()) {
    FetchedChunk chunk;
    auto id = digest_from_proto(message.id());
    if (!id) return prefix("chunk", id.error());
    chunk.id = *id;
    chunk.wire_bytes = message.ByteSizeLong();
    auto bytes = decode_chunk(std::move(message));
    if (!bytes) {
      if (const auto left_out = malformed.take(system_clock().steady()))
        log::warn("link.chunk_malformed", log::kv("chunk", id->short_hex()),
                  log::kv("error", bytes.error().what), log::kv("left_out", *left_out));
      continue;
    }
    chunk.bytes = std::move(*bytes);
    auto taken = take(std::move(chunk));
    if (!taken) return taken.error();
  }
  return {};
}

}  // namespace farboot
