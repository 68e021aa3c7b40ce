#include "agent/dhcp/classify.h"

#include <algorithm>
#include <array>
#include <utility>

#include "agent/dhcp/loaders.h"

namespace farboot::dhcp {
namespace {

constexpr std::string_view kPxeClass = "PXEClient";
constexpr std::string_view kHttpClass = "HTTPClient";
constexpr std::size_t kGuidBytes = 17;  ///< a type, 0, and the GUID: RFC 4578 §2.3
bool says_ipxe(const Packet& request, std::string_view name) {
  const auto classes = request.user_classes();
  return std::find(classes.begin(), classes.end(), name) != classes.end();
}

/// Whether it can run our script: HTTP, menus, and the kernels of its platform.
ClientKind ipxe_kind(const Packet& request, const std::vector<std::uint16_t>& archs) {
  const auto features = request.ipxe_features();
  // iPXE always sends 175; where something on the way took it off, the user class must do.
  if (!features) return says_ipxe(request, "iPXE") ? ClientKind::ipxe : ClientKind::ipxe_limited;
  const bool bios = archs.empty() || is_bios(archs.front());
  const bool full = features->has(ipxe::kHttp) && features->has(ipxe::kMenu) &&
                    features->has(bios ? ipxe::kBzImage : ipxe::kEfi);
  return full ? ClientKind::ipxe : ClientKind::ipxe_limited;
}

/// There is a file for it, or a quirk knows what it means.
bool is_startable(const Architecture& row, std::span<const Quirk> quirks) {
  return !row.loaders.empty() || std::any_of(quirks.begin(), quirks.end(), [&](const Quirk& quirk) {
    return quirk.who.arch == row.number && (quirk.arch || quirk.kind);
  });
}

/// What nothing starts goes behind the rest.
std::vector<std::uint16_t> best_first(std::vector<std::uint16_t> listed,
                                      std::span<const Quirk> quirks) {
  std::stable_partition(listed.begin(), listed.end(), [quirks](std::uint16_t number) {
    const Architecture* row = architecture(number);
    return row != nullptr && is_startable(*row, quirks);
  });
  return listed;
}

Client by_kind(const Packet& request, std::vector<std::uint16_t> archs) {
  Client client;
  client.archs = std::move(archs);
  if (request.class_id().starts_with(kHttpClass)) {
    client.kind = ClientKind::http_boot;
    return client;
  }
  if (request.find(code::kIpxe) || says_ipxe(request, "iPXE") || says_ipxe(request, "gPXE"))
    client.kind = ipxe_kind(request, client.archs);
  else
    client.kind =
        client.archs.empty() || is_bios(client.archs.front()) ? ClientKind::bios : ClientKind::uefi;
  return client;
}

Client with_quirk(Client client, const Packet& request, std::span<const Quirk> quirks) {
  client.quirk = quirk_of(request, client, quirks);
  if (client.quirk == nullptr) return client;
  if (client.quirk->kind) client.kind = *client.quirk->kind;
  if (const auto meant = client.quirk->who.arch_listed)
    std::iter_swap(client.archs.begin(),
                   std::find(client.archs.begin(), client.archs.end(), *meant));
  if (client.quirk->arch) client.archs.front() = *client.quirk->arch;
  return client;
}

}  // namespace

bool is_bios(std::uint16_t arch) { return arch == 0; }

bool speaks_pxe(const Packet& request) {
  const std::string_view class_id = request.class_id();
  return class_id.starts_with(kPxeClass) || class_id.starts_with(kHttpClass);
}

std::string machine_uuid(const Packet& request) {
  // The first three fields are little-endian.
  constexpr std::array<std::size_t, 16> kOrder{4, 3,  2,  1,  6,  5,  8,  7,
                                               9, 10, 11, 12, 13, 14, 15, 16};
  const auto guid = request.find(code::kMachineGuid);
  if (!guid || guid->size() != kGuidBytes || guid->front() != 0) return {};
  std::string text;
  for (std::size_t i = 0; i < kOrder.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += to_hex(guid->subspan(kOrder[i], 1));
  }
  return text;
}

std::optional<Bytes> mac_beginning(std::string_view text) {
  constexpr std::string_view kRest = "00:00:00:00:00:00";
  if (text.size() > kRest.size() || text.size() % 3 != 2) return std::nullopt;
  std::string whole(text);
  std::replace(whole.begin(), whole.end(), '-', ':');
  const auto mac = Mac::parse(whole.append(kRest.substr(whole.size())));
  if (!mac) return std::nullopt;
  const auto octets = static_cast<std::ptrdiff_t>((text.size() + 1) / 3);
  return Bytes(mac->octets.begin(), mac->octets.begin() + octets);
}

bool begins_with(const Mac& mac, const Bytes& beginning) {
  return beginning.size() <= mac.octets.size() &&
         std::equal(beginning.begin(), beginning.end(), mac.octets.begin());
}

bool means(std::uint16_t arch, const Client& client, std::uint16_t own) {
  if (arch == own) return true;
  const Architecture* row = architecture(arch);
  return client.kind == ClientKind::http_boot && row != nullptr && row->pxe == own;
}

bool ClientMatch::fits(const Packet& request, const Client& client) const {
  if (kind && kind != client.kind) return false;
  if (arch && (client.archs.empty() || !means(*arch, client, client.archs.front()))) return false;
  if (arch_listed &&
      std::find(client.archs.begin(), client.archs.end(), *arch_listed) == client.archs.end())
    return false;
  const std::string_view class_id = request.class_id();
  if (!class_id.starts_with(class_begins) || !class_id.ends_with(class_ends)) return false;
  if (without_user_class && request.find(code::kUserClass)) return false;
  const auto in = [&request](const Bytes& mac) { return begins_with(request.mac(), mac); };
  if (!macs.empty() && std::none_of(macs.begin(), macs.end(), in)) return false;
  if (guid_begins.empty()) return true;
  const auto guid = request.find(code::kMachineGuid);
  return guid && guid->size() == kGuidBytes && as_text(guid->subspan(1)).starts_with(guid_begins);
}

std::vector<std::uint16_t> listed_archs(const Packet& request) {
  const bool http = request.class_id().starts_with(kHttpClass);
  const auto listed = request.architectures();
  std::vector<std::uint16_t> known;
  for (const std::uint16_t number : listed) {
    const Architecture* row = architecture(number);
    if (row != nullptr && http && row->pxe) row = architecture(*row->pxe);
    if (row != nullptr && std::find(known.begin(), known.end(), row->number) == known.end())
      known.push_back(row->number);
  }
  if (known.empty() && !listed.empty()) known.push_back(listed.front());
  return known;
}

Client classify(const Packet& request, std::span<const Quirk> quirks) {
  return with_quirk(by_kind(request, best_first(listed_archs(request), quirks)), request, quirks);
}

Client classify_as(std::uint16_t arch, const Packet& request, std::span<const Quirk> quirks) {
  auto archs = listed_archs(request);
  std::stable_partition(archs.begin(), archs.end(),
                        [arch](std::uint16_t listed) { return listed == arch; });
  return with_quirk(by_kind(request, std::move(archs)), request, quirks);
}

std::string_view to_string(ClientKind kind) {
  switch (kind) {
    case ClientKind::bios: return "bios";
    case ClientKind::uefi: return "uefi";
    case ClientKind::http_boot: return "http_boot";
    case ClientKind::ipxe: return "ipxe";
    case ClientKind::ipxe_limited: return "ipxe_limited";
    case ClientKind::raspberry_pi: return "raspberry_pi";
  }
  return "?";
}

}  // namespace farboot::dhcp
