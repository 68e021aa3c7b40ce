#include "agent/dhcp/report.h"

#include <string>

#include "agent/dhcp/describe.h"
#include "common/base/clock.h"
#include "common/base/log.h"

namespace farboot::dhcp {
namespace {

constexpr std::size_t kSilencesRemembered = 1024;

SteadyTime now() { return system_clock().steady(); }

std::string kind_text(const Reply& reply) {
  std::string text(to_string(reply.kind));
  if (reply.kind == ClientKind::uefi && reply.style == ReplyStyle::one_shot) text += "/one_shot";
  return text;
}

std::string_view quirk_text(std::string_view quirk) { return quirk.empty() ? "none" : quirk; }

bool worth_a_line(Why why) {
  switch (why) {
    case Why::not_a_request:
    case Why::not_pxe:
    case Why::message_type:
    case Why::not_ours: return false;
    case Why::reflected:
    case Why::denied:
    case Why::raspberry_pi:
    case Why::unknown_arch:
    case Why::no_loader:
    case Why::no_address:
    case Why::too_long:
    case Why::elsewhere:
    case Why::firmware:
    case Why::other_boot_server: return true;
  }
  return true;
}

}  // namespace

void Report::answered(const Packet& request, const Reply& reply, const Place& place) {
  if (const auto left_out = answered_.take(now()))
    log::info("dhcp.answered", log::kv("mac", request.mac().to_string()),
              log::kv("interface", place.interface), log::kv("type", to_string(reply.type)),
              log::kv("client", kind_text(reply)), log::kv("arch", arch_text(request)),
              log::kv("from", place.from.to_string()), log::kv("file", reply.boot_file),
              log::kv("undi", undi_text(request)), log::kv("ipxe", ipxe_text(request)),
              log::kv("quirk", quirk_text(reply.quirk)), log::kv("left_out", *left_out));
}

void Report::observed(const Packet& request, const Reply& reply, const Place& place) {
  if (const auto left_out = observed_.take(now()))
    log::info("dhcp.observed", log::kv("mac", request.mac().to_string()),
              log::kv("interface", place.interface), log::kv("would", to_string(reply.type)),
              log::kv("client", kind_text(reply)), log::kv("arch", arch_text(request)),
              log::kv("file", reply.boot_file), log::kv("undi", undi_text(request)),
              log::kv("ipxe", ipxe_text(request)), log::kv("quirk", quirk_text(reply.quirk)),
              log::kv("left_out", *left_out));
}

void Report::silent(const Packet& request, Silence silence, const Place& place) {
  if (!worth_a_line(silence.why)) return;
  if (silences_.size() >= kSilencesRemembered) silences_.clear();
  if (!silences_.emplace(request.mac(), silence.why).second) return;
  if (const auto left_out = silent_.take(now()))
    log::info("dhcp.silent", log::kv("mac", request.mac().to_string()),
              log::kv("interface", place.interface), log::kv("why", to_string(silence.why)),
              log::kv("arch", arch_text(request)), log::kv("undi", undi_text(request)),
              log::kv("ipxe", ipxe_text(request)), log::kv("quirk", quirk_text(silence.quirk)),
              log::kv("left_out", *left_out));
}

void Report::send_failed(const Packet& request, const Error& error, const Place& place) {
  if (const auto left_out = send_failed_.take(now()))
    log::warn("dhcp.send_failed", log::kv("mac", request.mac().to_string()),
              log::kv("interface", place.interface), log::kv("error", error.what),
              log::kv("left_out", *left_out));
}

void Report::limited(const Mac& client, std::uint64_t so_far) {
  if (limited_.take(now()))
    log::warn("dhcp.limited", log::kv("mac", client.to_string()),
              log::kv("dropped_since_start", so_far));
}

void Report::foreign(const ForeignServer& server, std::string_view interface,
                     std::uint64_t left_out) {
  log::warn("dhcp.foreign", log::kv("server", server.address.to_string()),
            log::kv("interface", interface), log::kv("kind", to_string(server.kind)),
            log::kv("file", server.file), log::kv("advice", server.advice()),
            log::kv("left_out", left_out));
}

}  // namespace farboot::dhcp
