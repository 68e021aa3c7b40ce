// What TFTP and proxyDHCP find in the catalog: the same paths as HTTP, by the same routes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "agent/boot/boot_service.h"
#include "agent/boot/render_grub.h"
#include "agent/catalog/catalog.h"
#include "agent/dhcp/decide.h"
#include "agent/http/routes.h"
#include "agent/loop.h"
#include "agent/tftp/file_source.h"
#include "common/base/log_limit.h"
#include "common/store/content_store.h"

namespace farboot {

/// What the site's settings say of TFTP files.
struct SiteFilesSettings {
  std::uint16_t http_port = 80;  ///< for the URLs in scripts that go out by TFTP
  /// A name that is not there may be one that is, but for the case of its letters.
  bool ignore_case = false;
  /// iPXE that asks for iPXE gets the first script: where a DHCP server names it the same file for
  /// ever, that ends the loop.
  bool script_for_ipxe = false;
  /// What shims mean that ask for garbage, such as `grubx64.efi`; empty: they are told "not found".
  std::string second_stage;
};

/// Everything on the loop.
class SiteFiles final : public TftpFileSource, public dhcp::LoaderSet {
 public:
  /// What is told in scripts to a client that reached us at this base URL.
  struct Scripts {
    std::function<std::string(std::string_view server)> first;       ///< /boot.ipxe
    std::function<std::string(std::string_view server)> grub_first;  ///< …/grub.cfg
    std::function<Task<Result<std::string>>(GrubAsk asked, std::string client, std::string server,
                                            Asking asking)>
        grub;
  };
  /// A file went out to `client` completely. May be empty.
  using Fetched = std::function<void(std::string_view client, const CatalogFile& file)>;

  /// Borrows catalog, store and disk.
  SiteFiles(const Catalog& catalog, const ContentStore& store, DiskPool& disk, Scripts scripts,
            Fetched fetched = {}, SiteFilesSettings settings = {});

  /// Loaders of the active release at the root; `t/<manifest>/…`, `images/<name>/…`, `a/…`; the
  /// same below dhcp::kFullIpxeFolder, where iPXE too gets what it asks for; the first script as
  /// `boot.ipxe` and, unless the operator brought one, `autoexec.ipxe` (iPXE >= 2.0
  /// asks for that where it came from); likewise GRUB's, and what that asks for below `boot/`: it
  /// begins an install when it is read, which the TFTP server does for who has acknowledged its
  /// options. A Raspberry Pi finds the folder `rpi/` under its serial number; shim its second stage
  /// where it does not know its folder. Errors: not_found; unavailable while nothing is active.
  Task<Result<std::unique_ptr<TftpFile>>> open(std::string path, TftpAsker asker) override;

  bool loader_exists(std::string_view name) const override;

 private:
  CatalogFile find_spelt_otherwise(const Route& route) const;
  std::optional<std::string> second_stage_for(std::string_view path, Ipv4 client);
  std::optional<RouteKind> script_for(const Route& route, std::string_view path,
                                      const TftpAsker& asker, bool exists);
  Task<Result<std::unique_ptr<TftpFile>>> script(RouteKind kind, std::string path, TftpAsker asker);
  std::unique_ptr<TftpFile> file_for(CatalogFile file, Ipv4 client) const;

  const Catalog& catalog_;
  const ContentStore& store_;
  DiskPool& disk_;
  Scripts scripts_;
  Fetched fetched_;
  SiteFilesSettings settings_;
  LogLimit for_ipxe_ = LogLimit::of_a_rack();
  LogLimit garbled_;
};

/// `http://10.4.0.2`, with `:port` unless it is 80.
std::string server_url(Ipv4 address, std::uint16_t http_port);

}  // namespace farboot
