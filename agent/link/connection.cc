#include "agent/link/connection.h"

#include <algorithm>

#include <grpcpp/channel.h>

#include "common/base/log.h"
#include "common/rpc/convert.h"
#include "common/rpc/status_map.h"

namespace farboot {
namespace {

constexpr Seconds kWelcomeTimeout{30};
constexpr Seconds kEventAckTimeout{60};  // then they are sent again
constexpr std::chrono::hours kCertificateCheck{12};
/// A report on thousands of hosts takes a slow line minutes.
constexpr int kUnreadTimes = 5;

}  // namespace

LinkConnection::LinkConnection(ConnectionHost& host, const std::shared_ptr<grpc::Channel>& channel)
    : host_(host),
      stub_(v1::Link::NewStub(channel)),
      upstream_(std::make_shared<GrpcUpstream>(channel, host.settings.silence, host.malformed)),
      unread_(context_, kUnreadTimes * host.settings.silence) {}

void LinkConnection::cancel() {
  context_.TryCancel();
  upstream_->close();
}

Error LinkConnection::run() {
  stream_ = stub_->Connect(&context_);
  v1::AgentMessage first;
  *first.mutable_hello() = hello_of(host_.sync.status(), host_.settings);
  if (stream_->Write(first)) {
    std::jthread teller([this] { tell(); });
    v1::ControllerMessage message;
    while (!host_.stopping() && stream_->Read(&message)) receive(message);
    ended_ = true;
    context_.TryCancel();  // no-op where the stream has ended by itself
    host_.report.raise();
  }
  upstream_->close();
  const grpc::Status status = stream_->Finish();
  if (unread_.ended()) return fail(Errc::unavailable, "the controller reads nothing any more");
  if (status.ok()) return fail(Errc::unavailable, "the controller ended the stream");
  return to_error(status);
}

bool LinkConnection::write(const v1::AgentMessage& message) {
  unread_.waiting();
  const bool written = stream_->Write(message);
  unread_.heard();
  return written;
}

void LinkConnection::receive(const v1::ControllerMessage& message) {
  switch (message.body_case()) {
    case v1::ControllerMessage::kWelcome: {
      const WelcomeTerms terms = from_proto(message.welcome());
      events_acked_ = terms.event_acked;
      welcomed_at_ = host_.clock.steady();
      terms_.with([&](auto& held) { held = terms; });
      host_.connected(terms, upstream_);
      if (terms.event_acked > 0) host_.acknowledged(terms.event_acked);
      host_.report.raise();
      break;
    }
    case v1::ControllerMessage::kDesiredState: {
      auto document = from_proto(DocumentKind::desired_state, message.desired_state());
      if (!document) {
        host_.sync.count_refused();
        log::warn("link.message_malformed", log::kv("error", document.error().what));
        break;
      }
      const auto taken = host_.sync.accept(*document);  // a refusal is logged and counted there
      if (taken && *taken && !host_.sync.still_wanted()) upstream_->cancel();
      break;
    }
    case v1::ControllerMessage::kOffer: {
      auto offer = from_proto(message.offer());
      if (!offer) {
        host_.sync.count_refused();
        log::warn("link.message_malformed", log::kv("error", offer.error().what));
        break;
      }
      static_cast<void>(host_.sync.offer(std::move(*offer)));  // likewise
      break;
    }
    case v1::ControllerMessage::kEventAck: {
      const std::uint64_t sequence = message.event_ack().sequence();
      if (sequence > std::max(events_acked_.load(), events_sent_.load())) {
        log::warn("link.message_malformed",
                  log::kv("error", "an event that was never sent is acked"),
                  log::kv("sequence", sequence));
        break;
      }
      events_acked_ = std::max(events_acked_.load(), sequence);
      host_.acknowledged(sequence);
      host_.report.raise();
      break;
    }
    case v1::ControllerMessage::kDoctor: host_.examine(message.doctor().request()); break;
    case v1::ControllerMessage::kSecrets:
    case v1::ControllerMessage::BODY_NOT_SET: break;  // of a newer controller
  }
}

/// Reports as things change, at most every report_gap, at least every heartbeat.
void LinkConnection::tell() {
  const SteadyTime began = host_.clock.steady();
  SteadyTime events_sent_at{}, certificate_checked{};
  std::optional<SteadyTime> told;
  while (!ended_ && !host_.stopping()) {
    const std::uint64_t seen = host_.report.count();
    const auto terms = terms_.with([](const auto& held) { return held; });
    const SteadyTime now = host_.clock.steady();
    if (!terms) {
      if (now - began > kWelcomeTimeout) {
        log::warn("link.no_welcome", log::kv("seconds", kWelcomeTimeout.count()));
        return context_.TryCancel();
      }
      host_.report.wait(seen, Seconds(1));
      continue;
    }
    const auto left = told
                          ? std::chrono::ceil<Milliseconds>(*told + host_.settings.report_gap - now)
                          : Milliseconds(0);
    if (left > Milliseconds(0)) {
      host_.report.wait(host_.report.count(), left);  // changes gather meanwhile
      continue;
    }
    if (!tell_once(events_sent_at)) return;
    told = host_.clock.steady();
    watch_certificate(certificate_checked);
    host_.report.wait(seen, terms->heartbeat);
  }
}

bool LinkConnection::tell_once(SteadyTime& events_sent_at) {
  auto site = host_.collect(kEventsPerBatch);
  if (!site) return false;
  const auto usage = host_.content.usage();
  v1::AgentMessage message;
  *message.mutable_report() =
      report_of(host_.sync.status(), *site, usage ? usage->free_bytes : 0, host_.settings);
  if (!write(message)) return false;
  for (v1::DoctorResult& result : host_.examined()) {
    *message.mutable_doctor() = std::move(result);
    if (!write(message)) return false;
  }

  // One batch at a time; the next goes when this one is acknowledged.
  const std::uint64_t acked = events_acked_;
  std::erase_if(site->events, [&](const HostEvent& event) { return event.sequence <= acked; });
  const SteadyTime now = host_.clock.steady();
  const bool in_flight = events_sent_ > acked && now - events_sent_at < kEventAckTimeout;
  if (site->events.empty() || in_flight) return true;
  *message.mutable_events() = events_of(site->events);
  events_sent_ = message.events().events(message.events().events_size() - 1).sequence();
  events_sent_at = now;
  return write(message);
}

void LinkConnection::watch_certificate(SteadyTime& checked) {
  const SteadyTime now = host_.clock.steady();
  if (checked != SteadyTime{} && now - checked < kCertificateCheck) return;
  checked = now;
  const auto terms = terms_.with([](const auto& held) { return held; });
  const auto since = std::chrono::duration_cast<Milliseconds>(now - welcomed_at_);
  host_.renew(*stub_, terms->controller_time + since);
}

}  // namespace farboot
