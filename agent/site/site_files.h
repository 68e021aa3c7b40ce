// What TFTP and proxyDHCP find in the catalog: the same paths as HTTP, by the same routes.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "agent/catalog/catalog.h"
#include "agent/dhcp/decide.h"
#include "agent/loop.h"
#include "agent/tftp/file_source.h"
#include "common/store/content_store.h"

namespace farboot {

/// Everything on the loop.
class SiteFiles final : public TftpFileSource, public dhcp::LoaderSet {
 public:
  /// The script of /boot.ipxe for a client that reached us at this base URL.
  using FirstScript = std::function<std::string(std::string_view server)>;

  /// Borrows all but `first_script`. `http_port`: for the URLs in scripts that go out by TFTP.
  SiteFiles(const Catalog& catalog, const ContentStore& store, DiskPool& disk,
            FirstScript first_script, std::uint16_t http_port);

  /// Loaders of the active release at the root; `t/<manifest>/…`, `images/<name>/…`, `a/…`; the
  /// first script as `boot.ipxe` and, unless the operator brought one, `autoexec.ipxe` (iPXE >= 2.0
  /// asks for that where it came from). Errors: not_found; unavailable while nothing is active.
  Task<Result<std::unique_ptr<TftpFile>>> open(std::string path, Ipv4 client, Ipv4 server) override;

  bool loader_exists(std::string_view name) const override;

 private:
  const Catalog& catalog_;
  const ContentStore& store_;
  DiskPool& disk_;
  FirstScript first_script_;
  std::uint16_t http_port_;
};

/// `http://10.4.0.2`, with `:port` unless it is 80.
std::string server_url(Ipv4 address, std::uint16_t http_port);

}  // namespace farboot
