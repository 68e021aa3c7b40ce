#include "agent/dhcp/describe.h"

#include <algorithm>

#include "agent/dhcp/loaders.h"

namespace farboot::dhcp {
namespace {

constexpr std::size_t kArchsShown = 4;

}  // namespace

std::string arch_text(const Packet& request) {
  const auto archs = request.architectures();
  if (archs.empty()) return "none";
  std::string text;
  for (std::size_t i = 0; i < std::min(archs.size(), kArchsShown); ++i) {
    text.append(i == 0 ? "" : ",").append(std::to_string(archs[i]));
    if (const Architecture* known = architecture(archs[i])) text.append("/").append(known->name);
  }
  return archs.size() > kArchsShown ? text + ",..." : text;
}

std::string undi_text(const Packet& request) {
  const auto undi = request.find(code::kUndiVersion);
  if (!undi || undi->size() != 3) return "none";  // type, major, minor: RFC 4578 §2.2
  return std::to_string((*undi)[1]) + "." + std::to_string((*undi)[2]);
}

std::string ipxe_text(const Packet& request) {
  const auto features = request.ipxe_features();
  return features && !features->version.empty() ? printable(features->version) : "none";
}

}  // namespace farboot::dhcp
