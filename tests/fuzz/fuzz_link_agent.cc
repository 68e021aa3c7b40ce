// What a controller may say to an agent, and what the agent says of machines: every field is
// checked or cut before anything is done with it.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/link/convert.h"
#include "common/base/check.h"
#include "common/rpc/convert.h"

namespace {

using namespace farboot;

constexpr std::size_t kCutMarkBytes = 8;  ///< a text that was cut says so

void hear(const v1::ControllerMessage& message) {
  switch (message.body_case()) {
    case v1::ControllerMessage::kWelcome: {
      const WelcomeTerms terms = from_proto(message.welcome());
      FARBOOT_CHECK(terms.heartbeat >= Seconds(1) && terms.heartbeat <= Seconds(3600));
      FARBOOT_CHECK(terms.spread >= Seconds(0) && terms.spread <= Seconds(3600));
      FARBOOT_CHECK(terms.controller_time >= WallTime{});
      FARBOOT_CHECK(time_from_proto(to_proto_ms(terms.controller_time)) == terms.controller_time);
      return;
    }
    case v1::ControllerMessage::kDesiredState: {
      const auto document = from_proto(DocumentKind::desired_state, message.desired_state());
      if (!document) return;
      const auto& size = document->document.size();
      FARBOOT_CHECK(size > 0 && size <= kSignedDocumentBytesMax);
      const v1::SignedDocument again = to_proto(DocumentKind::desired_state, *document);
      FARBOOT_CHECK(again.document() == message.desired_state().document() &&
                    again.signature() == message.desired_state().signature());
      return;
    }
    case v1::ControllerMessage::kOffer: {
      const auto offer = from_proto(message.offer());
      FARBOOT_CHECK(!offer ||
                    (offer->manifests.size() <= kManifestsMax && !offer->release.document.empty()));
      return;
    }
    case v1::ControllerMessage::kEventAck:
    case v1::ControllerMessage::kDoctor:
    case v1::ControllerMessage::kSecrets:
    case v1::ControllerMessage::BODY_NOT_SET: return;
  }
}

void check_text(std::string_view text, std::size_t bytes_max) {
  FARBOOT_CHECK(text.size() <= bytes_max + kCutMarkBytes && is_utf8(text));
  FARBOOT_CHECK(std::none_of(text.begin(), text.end(),
                             [](char c) { return static_cast<unsigned char>(c) < 0x20; }));
}

/// Machines and installers send what they like; the controller must be able to read it.
void tell(std::string_view said) {
  HostStatus status;
  status.host = status.mac = status.entry = status.detail = said;
  v1::EventBatch batch = events_of({{1, status}, {2, std::move(status)}});
  doctor::Finding finding{std::string("dhcp.foreign"), doctor::Severity::warn, std::string(said),
                          std::string(said), std::string(said)};
  const v1::DoctorResult result = doctor_of(1, {std::move(finding)});
  v1::AgentMessage message;
  *message.mutable_events() = std::move(batch);
  v1::AgentMessage read;
  FARBOOT_CHECK(read.ParseFromString(message.SerializeAsString()));
  const v1::HostReport& host = read.events().events(1).host();
  check_text(host.host(), kHostTextMax);
  check_text(host.entry(), kHostTextMax);
  check_text(host.detail(), kHostDetailMax);
  check_text(result.findings(0).text(), doctor::kFindingTextMax);
  check_text(result.findings(0).advice(), doctor::kFindingTextMax);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  v1::ControllerMessage message;
  if (message.ParseFromArray(bytes, static_cast<int>(size))) hear(message);
  tell(as_text(ByteView(bytes, size)));
  return 0;
}
