#include "agent/dhcp/foreign.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

namespace farboot::dhcp {
namespace {

constexpr std::size_t kFileShown = 80;
constexpr std::uint8_t kNoProxyWait = 176;  ///< iPXE's sub-option of 175

std::string file_of(const Packet& packet) {
  if (!packet.file.empty()) return printable(packet.file, kFileShown);
  const auto option = packet.find(code::kBootFile);
  if (!option) return {};
  std::string_view text = as_text(*option);
  while (text.ends_with('\0')) text.remove_suffix(1);
  return printable(text, kFileShown);
}

/// Nobody else puts its address as text into sname and sends so few options.
bool answers_as_we_do(const Packet& packet) {
  constexpr std::array<std::uint8_t, 7> kOurs = {
      code::kMessageType,    code::kServerId, code::kClassId,   code::kMachineGuid,
      code::kVendorSpecific, code::kBootFile, code::kRelayAgent};
  const bool few = std::all_of(packet.options.begin(), packet.options.end(), [&](const Option& o) {
    return std::find(kOurs.begin(), kOurs.end(), o.code) != kOurs.end();
  });
  return few && (packet.class_id() == "HTTPClient" || packet.sname == packet.siaddr.to_string());
}

bool tells_ipxe_not_to_wait(const Packet& packet) {
  const auto value = packet.find(code::kIpxe);
  if (!value) return false;
  const auto parts = decode_sub_options(*value);
  return parts && std::any_of(parts->begin(), parts->end(), [](const Option& part) {
           return part.code == kNoProxyWait && part.value != Bytes{0};
         });
}

/// A lease that sends machines to us is what an operator may have set up.
bool leads_to_us(const Packet& packet, const std::string& file, const InterfaceTable& ours) {
  if (ours.holds(packet.siaddr)) return true;
  const auto scheme = file.find("://");
  if (scheme == std::string::npos) return false;
  const std::string host =
      file.substr(scheme + 3, file.find_first_of(":/", scheme + 3) - scheme - 3);
  const auto address = Ipv4::parse(host);
  return address && ours.holds(*address);
}

std::optional<ForeignKind> kind_of(const Packet& packet, const std::string& file) {
  const std::string_view class_id = packet.class_id();
  const bool pxe = class_id == "PXEClient" || class_id == "HTTPClient";
  if (packet.yiaddr.is_zero()) {
    if (!pxe) return std::nullopt;
    return answers_as_we_do(packet) ? ForeignKind::agent : ForeignKind::proxy;
  }
  if (pxe) return ForeignKind::lease_is_pxe;
  if (tells_ipxe_not_to_wait(packet)) return ForeignKind::stops_ipxe;
  if (!file.empty()) return ForeignKind::names_a_file;
  return std::nullopt;
}

}  // namespace

std::string_view to_string(ForeignKind kind) {
  switch (kind) {
    case ForeignKind::agent: return "agent";
    case ForeignKind::proxy: return "proxy";
    case ForeignKind::lease_is_pxe: return "lease_is_pxe";
    case ForeignKind::stops_ipxe: return "stops_ipxe";
    case ForeignKind::names_a_file: return "names_a_file";
  }
  return "?";
}

std::string ForeignServer::advice() const {
  const std::string who = address.to_string();
  switch (kind) {
    case ForeignKind::agent: return fmt::format("Another agent answers PXE clients at {}", who);
    case ForeignKind::proxy:
      return fmt::format(
          "Another PXE server answers at {}: machines take its answer or ours. Switch one off",
          who);
    case ForeignKind::lease_is_pxe:
      return fmt::format(
          "The DHCP server {} sends option 60 (PXEClient): machines ask it what to boot and never "
          "us. Remove that option, or name us as its next-server",
          who);
    case ForeignKind::stops_ipxe:
      return fmt::format(
          "The DHCP server {} tells iPXE not to wait for us (option 175.176). Remove that option",
          who);
    case ForeignKind::names_a_file:
      return fmt::format(
          "The DHCP server {} names a boot file ({}): iPXE takes that one and not ours. Clear its "
          "boot file (options 66, 67)",
          who, file);
  }
  return who;
}

std::optional<ForeignServer> foreign_server(const Packet& packet, const InterfaceTable& ours) {
  const auto type = packet.message_type();
  if (packet.op != Op::reply || (type != MessageType::offer && type != MessageType::ack))
    return std::nullopt;
  const auto address = packet.server_id();
  if (!address || !address->is_unicast() || ours.holds(*address)) return std::nullopt;
  std::string file = file_of(packet);
  if (!packet.yiaddr.is_zero() && leads_to_us(packet, file, ours)) return std::nullopt;
  const auto kind = kind_of(packet, file);
  if (!kind) return std::nullopt;
  return ForeignServer{.address = *address, .kind = *kind, .file = std::move(file)};
}

ForeignServers::Count ForeignServers::count(Part part, Ipv4 sender) const {
  Count count;
  for (const Seen& seen : seen_) {
    if (seen.regular != (part == Part::regulars)) continue;
    ++count.all;
    if (seen.named_by(sender)) ++count.of_sender;
  }
  return count;
}

bool ForeignServers::has_place_for(const Seen& regular) const {
  const Count taken = count(Part::regulars, regular.sender);
  return taken.all < kRegularsMax &&
         (!regular.named_by(regular.sender) || taken.of_sender < kOfSenderMax);
}

/// A newcomer, in the place of another one if need be: of one named once before one that was heard
/// of again, and of who was silent longest.
ForeignServers::Seen& ForeignServers::add(const ForeignServer& server, Ipv4 sender,
                                          SteadyTime now) {
  Seen made{.server = server, .sender = sender, .first = now, .last = now};
  made.told = std::any_of(seen_.begin(), seen_.end(),
                          [&](const Seen& seen) { return seen.told && seen.same_as(server); });
  const Count taken = count(Part::newcomers, sender);
  const bool share_used = made.named_by(sender) && taken.of_sender >= kOfSenderMax;
  if (share_used || taken.all >= kNewcomersMax) {
    auto least = seen_.end();
    for (auto at = seen_.begin(); at != seen_.end(); ++at) {
      if (at->regular || (share_used && !at->named_by(sender))) continue;
      if (least == seen_.end() ||
          std::pair(at->again(), at->last) < std::pair(least->again(), least->last))
        least = at;
    }
    seen_.erase(least);
  }
  seen_.push_back(std::move(made));
  return seen_.back();
}

std::optional<std::uint64_t> ForeignServers::note(const ForeignServer& server, Ipv4 sender,
                                                  SteadyTime now) {
  std::erase_if(seen_, [now](const Seen& seen) { return now - seen.last > kForgotten; });
  const auto known = std::find_if(seen_.begin(), seen_.end(), [&](const Seen& seen) {
    return seen.sender == sender && seen.same_as(server);
  });
  Seen& seen = known == seen_.end() ? add(server, sender, now) : *known;
  seen.server = server;
  seen.last = now;
  if (!seen.regular && seen.again()) seen.regular = has_place_for(seen);
  if (seen.told) return std::nullopt;
  const auto left_out = (seen.again() ? others_told_ : newcomers_told_).take(now);
  if (left_out)
    for (Seen& each : seen_) each.told = each.told || each.same_as(server);
  return left_out;
}

std::vector<std::string> ForeignServers::troubles(SteadyTime now) const {
  struct Ranked {
    bool newcomer;
    std::size_t of_sender;  ///< how many of its sender come before it
    const Seen* seen;
  };
  std::vector<Ranked> all;
  for (const bool newcomer : {false, true})
    for (const Seen& seen : seen_) {
      if (seen.regular == newcomer || seen.server.kind == ForeignKind::agent ||
          now - seen.last > kForgotten ||
          std::any_of(all.begin(), all.end(),
                      [&](const Ranked& other) { return other.seen->same_as(seen.server); }))
        continue;
      const auto before = std::count_if(all.begin(), all.end(), [&](const Ranked& other) {
        return other.seen->sender == seen.sender;
      });
      all.push_back({newcomer, static_cast<std::size_t>(before), &seen});
    }
  std::stable_sort(all.begin(), all.end(), [](const Ranked& a, const Ranked& b) {
    return std::pair(a.newcomer, a.of_sender) < std::pair(b.newcomer, b.of_sender);
  });
  std::vector<std::string> sentences;
  for (const Ranked& each : all)
    if (sentences.size() < kTold) sentences.push_back(each.seen->server.advice());
  if (all.size() > kTold)
    sentences.push_back(
        fmt::format("{} more servers were seen that tell PXE clients what to boot: the log names "
                    "them (dhcp.foreign), but for some of very many",
                    all.size() - kTold));
  return sentences;
}

}  // namespace farboot::dhcp
