// What an agent may say to the controller, behind its certificate or with a token alone: a message
// of the stream, and the same bytes as the other calls' requests.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string_view>

#include "common/base/check.h"
#include "common/content/ready_proof.h"
#include "common/rpc/convert.h"
#include "controller/link/convert.h"

namespace {

using namespace farboot;

constexpr std::size_t kCutMarkBytes = 8;  ///< a text that was cut says so

void check_text(std::string_view text, std::size_t bytes_max = kReportTextBytesMax) {
  FARBOOT_CHECK(text.size() <= bytes_max + kCutMarkBytes && is_utf8(text));
  FARBOOT_CHECK(std::none_of(text.begin(), text.end(),
                             [](char c) { return static_cast<unsigned char>(c) < 0x20; }));
}

void check_host(const HostReport& host) {
  for (const auto& text : {host.host, host.mac, host.state, host.entry, host.detail})
    check_text(text);
  FARBOOT_CHECK(host.percent <= 100 && host.since >= WallTime{});
}

void take(const v1::Report& message) {
  const auto report = from_proto(message);
  if (!report) return;
  FARBOOT_CHECK(report->hosts.size() <= kReportHostsMax);
  check_text(report->version);
  check_text(report->error);
  for (const HostReport& host : report->hosts) check_host(host);
  if (!report->ready_proof) return;
  // Whatever is accepted survives being written and read again.
  if (const auto proof = decode_ready_proof(report->ready_proof->document)) {
    const auto again = decode_ready_proof(encode_ready_proof(*proof));
    FARBOOT_CHECK(again && *again == *proof);
  }
}

void take(const v1::EventBatch& message) {
  const auto events = from_proto(message);
  if (!events) return;
  FARBOOT_CHECK(events->size() <= kEventsInBatchMax);
  std::uint64_t last = 0;
  for (const SiteEvent& event : *events) {
    FARBOOT_CHECK(event.sequence > last);
    last = event.sequence;
    check_text(event.kind, 64);
    check_text(event.detail, kEventDetailBytesMax);
    check_host(event.host);
  }
}

void take(const v1::DoctorResult& message) {
  const auto findings = from_proto(message);
  if (!findings) return;
  FARBOOT_CHECK(findings->size() <= kDoctorFindingsMax);
  for (const AgentFinding& finding : *findings) {
    check_text(finding.check, 64);
    check_text(finding.text);
    check_text(finding.advice);
  }
}

void take(const v1::FetchChunksRequest& message) {
  const auto want = from_proto(message);
  if (!want) return;
  FARBOOT_CHECK(!want->chunks.empty() && want->chunks.size() <= kWantedChunksMax);
  FARBOOT_CHECK(to_proto(want->chunks) == message.want());
  FARBOOT_CHECK(std::set<Digest>(want->chunks.begin(), want->chunks.end()).size() ==
                want->chunks.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const int count = static_cast<int>(size);
  v1::AgentMessage message;
  if (message.ParseFromArray(bytes, count)) {
    static_cast<void>(optional_digest_from_proto(message.hello().desired_digest()));
    take(message.report());
    take(message.events());
    take(message.doctor());
  }
  v1::FetchChunksRequest fetch;
  if (fetch.ParseFromArray(bytes, count)) take(fetch);
  static_cast<void>(decode_ready_proof(ByteView(bytes, size)));
  return 0;
}
