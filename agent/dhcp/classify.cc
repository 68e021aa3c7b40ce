#include "agent/dhcp/classify.h"

#include <algorithm>
#include <array>

namespace farboot::dhcp {
namespace {

constexpr std::string_view kPxeClass = "PXEClient";
constexpr std::string_view kHttpClass = "HTTPClient";
constexpr std::uint16_t kRaspberryPiArch = 0x29;

constexpr std::array<std::array<std::uint8_t, 3>, 6> kRaspberryPiVendors = {{{0xb8, 0x27, 0xeb},
                                                                             {0xdc, 0xa6, 0x32},
                                                                             {0xe4, 0x5f, 0x01},
                                                                             {0x28, 0xcd, 0xc1},
                                                                             {0xd8, 0x3a, 0xdd},
                                                                             {0x2c, 0xcf, 0x67}}};

/// The boot ROM says it is a BIOS machine; a Pi with UEFI firmware (arch 11) is a normal client.
bool is_raspberry_pi_rom(const Packet& request, const std::vector<std::uint16_t>& archs) {
  if (std::find(archs.begin(), archs.end(), kRaspberryPiArch) != archs.end()) return true;
  if (archs.empty() || archs.front() != 0) return false;
  constexpr std::string_view kGuidMark = "RPi";  // Pi 4 and 5: `RPi4`, board revision, ...
  if (const auto guid = request.find(code::kMachineGuid); guid && guid->size() == 17)
    if (as_text(guid->subspan(1)).starts_with(kGuidMark)) return true;
  const Mac mac = request.mac();
  const bool vendor = std::any_of(
      kRaspberryPiVendors.begin(), kRaspberryPiVendors.end(),
      [&mac](const auto& oui) { return std::equal(oui.begin(), oui.end(), mac.octets.begin()); });
  return vendor && request.class_id().ends_with("UNDI:002001");
}

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

}  // namespace

bool is_bios(std::uint16_t arch) { return arch == 0; }

bool speaks_pxe(const Packet& request) {
  const std::string_view class_id = request.class_id();
  return class_id.starts_with(kPxeClass) || class_id.starts_with(kHttpClass);
}

std::string machine_uuid(const Packet& request) {
  // RFC 4578 §2.3: a type, 0, and 16 octets, of which the first three fields are little-endian.
  constexpr std::array<std::size_t, 16> kOrder{4, 3,  2,  1,  6,  5,  8,  7,
                                               9, 10, 11, 12, 13, 14, 15, 16};
  const auto guid = request.find(code::kMachineGuid);
  if (!guid || guid->size() != 1 + kOrder.size() || guid->front() != 0) return {};
  std::string text;
  for (std::size_t i = 0; i < kOrder.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += to_hex(guid->subspan(kOrder[i], 1));
  }
  return text;
}

Client classify(const Packet& request) {
  Client client;
  client.archs = request.architectures();
  if (request.class_id().starts_with(kHttpClass)) {
    client.kind = ClientKind::http_boot;
    for (std::uint16_t& arch : client.archs)
      if (const Architecture* row = architecture(arch); row != nullptr && row->pxe)
        arch = *row->pxe;
    return client;
  }
  if (request.find(code::kIpxe) || says_ipxe(request, "iPXE") || says_ipxe(request, "gPXE")) {
    client.kind = ipxe_kind(request, client.archs);
  } else if (is_raspberry_pi_rom(request, client.archs)) {
    client.kind = ClientKind::raspberry_pi;
  } else {
    client.kind =
        client.archs.empty() || is_bios(client.archs.front()) ? ClientKind::bios : ClientKind::uefi;
  }
  return client;
}

}  // namespace farboot::dhcp
