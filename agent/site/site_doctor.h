// What the doctor needs to know of the site's servers before it examines them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/catalog/catalog.h"
#include "agent/dhcp/server.h"
#include "agent/doctor/doctor.h"
#include "agent/tftp/server.h"
#include "common/base/result.h"

namespace farboot {

/// Everything on the loop.
class SiteDoctor {
 public:
  /// Borrows the servers.
  struct Parts {
    const Catalog& catalog;
    const DhcpServer& dhcp;
    const TftpServer& tftp;
    DhcpMode mode = DhcpMode::proxy;
    std::vector<std::string> interfaces;  ///< of the settings; empty: all but the loopback
    bool script_for_ipxe = false;         ///< as SiteFiles does it
    dhcp::Policy policy;
  };
  explicit SiteDoctor(Parts parts) : parts_(std::move(parts)) {}

  /// `http_port`: as bound.
  doctor::Question question(std::uint16_t http_port) const;
  /// Lines for the site's own DHCP server, with our address and the loaders of the active release.
  /// Errors: not_found; unavailable, where we have no address.
  Result<std::string> snippet(const std::string& kind) const;

 private:
  Parts parts_;
};

/// Those we answer on, each with the address machines reach us by. Asks the kernel.
std::vector<doctor::OwnInterface> answering_interfaces(const std::vector<std::string>& chosen);

/// The same lines without an agent: with the first name of each kind of loader, where none is known
/// better. Errors: as SiteDoctor::snippet().
Result<std::string> make_snippet(const std::string& kind,
                                 const std::vector<std::string>& interfaces,
                                 const dhcp::Policy& policy, const dhcp::LoaderSet* loaders);

}  // namespace farboot
