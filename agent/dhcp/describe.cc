#include "agent/dhcp/describe.h"

#include "agent/dhcp/loaders.h"

namespace farboot::dhcp {

std::string arch_text(const Packet& request) {
  const auto archs = request.architectures();
  if (archs.empty()) return "none";
  std::string text = std::to_string(archs.front());
  if (const Architecture* known = architecture(archs.front())) text.append("/").append(known->name);
  return text;
}

}  // namespace farboot::dhcp
