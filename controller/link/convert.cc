#include "controller/link/convert.h"

#include <algorithm>
#include <utility>

#include "common/rpc/convert.h"

namespace farboot {
namespace {

std::string bounded(const std::string& text) { return text_from_proto(text, kReportTextBytesMax); }

/// An unknown step of a newer agent is shown as rest.
TransferStep step_of(v1::TransferStep step) {
  switch (step) {
    case v1::TRANSFER_STEP_OFFER: return TransferStep::offer;
    case v1::TRANSFER_STEP_WANT: return TransferStep::want;
    case v1::TRANSFER_STEP_CHUNK: return TransferStep::chunk;
    case v1::TRANSFER_STEP_READY: return TransferStep::ready;
    case v1::TRANSFER_STEP_ACTIVATE: return TransferStep::activate;
    default: return TransferStep::idle;
  }
}

Result<void> take_digests(const v1::Report& report, AgentReport& out) {
  struct Field {
    std::string_view name;
    const std::string& raw;
    std::optional<Digest>& digest;
  };
  for (const Field& field : {Field{"report: active", report.active(), out.active},
                             Field{"report: previous", report.previous(), out.previous},
                             Field{"report: staged", report.staged(), out.staged},
                             Field{"report: release", report.release(), out.release}}) {
    auto read = optional_digest_from_proto(field.raw);
    if (!read) return prefix(field.name, read.error());
    field.digest = *read;
  }
  return {};
}

HostReport host_from_proto(const v1::HostReport& host) {
  HostReport out;
  out.host = bounded(host.host());
  out.mac = bounded(host.mac());
  out.state = bounded(host.state());
  out.entry = bounded(host.entry());
  out.percent = std::min<std::uint32_t>(host.percent(), 100);
  out.detail = bounded(host.detail());
  out.since = time_from_proto(host.since_ms());
  out.install_order = host.install_order();
  out.install_used = host.install_used();
  return out;
}

}  // namespace

Result<AgentReport> from_proto(const v1::Report& report) {
  AgentReport out;
  if (static_cast<std::size_t>(report.hosts_size()) > kReportHostsMax)
    return fail(Errc::invalid, "report: {} hosts, at most {}", report.hosts_size(),
                kReportHostsMax);
  out.version = bounded(report.version());
  out.desired_number = report.desired_number();
  if (auto digests = take_digests(report, out); !digests) return digests.error();
  out.step = step_of(report.step());
  out.bytes_total = report.bytes_total();
  out.bytes_done = report.bytes_done();
  out.bytes_per_second = report.bytes_per_second();
  out.wan_bytes = report.wan_bytes();
  out.disk_free_bytes = report.disk_free_bytes();
  out.rotten_chunks = report.rotten_chunks();
  out.error = bounded(report.error());
  if (report.has_ready_proof()) {
    auto proof = farboot::from_proto(DocumentKind::ready, report.ready_proof());
    if (!proof) return prefix("report: ready proof", proof.error());
    out.ready_proof = std::move(*proof);
  }
  for (const std::string& ability : report.abilities())
    if (out.abilities.size() < kAbilitiesMax) out.abilities.push_back(text_from_proto(ability, 64));
  for (const v1::HostReport& host : report.hosts()) out.hosts.push_back(host_from_proto(host));
  return out;
}

Result<std::vector<AgentFinding>> from_proto(const v1::DoctorResult& result) {
  if (static_cast<std::size_t>(result.findings_size()) > kDoctorFindingsMax)
    return fail(Errc::invalid, "doctor: {} findings, at most {}", result.findings_size(),
                kDoctorFindingsMax);
  std::vector<AgentFinding> out;
  for (const v1::DoctorFinding& finding : result.findings()) {
    // A word of a newer agent: taken as the worst.
    const bool mild = finding.severity() == "ok" || finding.severity() == "warn";
    out.push_back({text_from_proto(finding.check(), 64), mild ? finding.severity() : "fail",
                   text_from_proto(finding.text(), kReportTextBytesMax),
                   text_from_proto(finding.advice(), kReportTextBytesMax)});
  }
  return out;
}

Result<std::vector<SiteEvent>> from_proto(const v1::EventBatch& batch) {
  if (static_cast<std::size_t>(batch.events_size()) > kEventsInBatchMax)
    return fail(Errc::invalid, "events: {} in one batch, at most {}", batch.events_size(),
                kEventsInBatchMax);
  std::vector<SiteEvent> out;
  for (const v1::Event& event : batch.events()) {
    if (event.sequence() == 0 || (!out.empty() && event.sequence() <= out.back().sequence))
      return fail(Errc::invalid, "events: sequence {} is not ascending", event.sequence());
    SiteEvent& kept = out.emplace_back();
    kept.sequence = event.sequence();
    kept.time = time_from_proto(event.time_ms());
    kept.kind = text_from_proto(event.kind(), 64);
    kept.detail = text_from_proto(event.detail(), kEventDetailBytesMax);
    kept.repeated_times = event.repeated_times();
    if (event.has_host()) kept.host = host_from_proto(event.host());
  }
  return out;
}

Result<Want> from_proto(const v1::FetchChunksRequest& request) {
  Want want;
  auto release = digest_from_proto(request.release());
  if (!release) return prefix("release", release.error());
  want.release = *release;
  auto chunks = digests_from_proto(request.want(), kWantedChunksMax);
  if (!chunks) return prefix("want", chunks.error());
  want.chunks = std::move(*chunks);
  want.zstd = (request.encodings() >> v1::CHUNK_ENCODING_ZSTD & 1u) != 0;
  return want;
}

void to_proto(const ReleaseContent& content, v1::Offer& out) {
  *out.mutable_release() = to_proto(DocumentKind::release, content.document);
  for (const Digest& manifest : content.manifests) out.add_manifests(to_proto(manifest));
  out.set_total_bytes(content.total_bytes);
  out.set_chunks(content.chunks.size());
}

}  // namespace farboot
