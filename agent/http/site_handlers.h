// What the HTTP server asks the rest of the agent for. agent/main adapts the rooms behind it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/catalog/catalog.h"
#include "agent/loop.h"
#include "common/base/clock.h"
#include "common/base/result.h"

namespace farboot {

/// GET /boot/<mac>.ipxe?…: what iPXE says of its machine. Hostile text, each value bounded.
struct ScriptRequest {
  std::string mac;  ///< normalised
  std::string uuid;
  std::string serial;
  std::string manufacturer;
  std::string product;
  std::string asset;
  std::string buildarch;
  std::string platform;
  std::string client;  ///< address, without port
  std::string
      server;         ///< base URL as the client reached us: `http://10.4.0.2`, `http://[::1]:8080`
  bool head = false;  ///< HEAD: the same answer, but nothing begins or ends by it
};

/// What GRUB asks for below /boot/.
struct GrubRequest {
  std::string path;    ///< parse_grub_path() takes it
  std::string client;  ///< address, without port
  std::string server;  ///< as in ScriptRequest
  bool head = false;
};

struct KickstartRequest {
  std::string token;  ///< behind it may stand a file of cloud-init's seed: `<token>/user-data`
  std::string client;
  std::vector<std::string> macs;  ///< of X-RHN-Provisioning-MAC-*, normalised
  std::string serial;             ///< of X-System-Serial-Number, or empty
  std::string server;
  bool head = false;  ///< HEAD: the same answer, but it does not count as given
};

struct EventRequest {
  std::string token;
  std::string event;
  std::string detail;  ///< at most kEventDetailBytesMax
  std::string client;
};

inline constexpr std::size_t kFactBytesMax = 512;  ///< of one value in ScriptRequest
inline constexpr std::size_t kEventDetailBytesMax = 16 * 1024;

/// One machine that installs, or did lately; for the status page.
struct InstallRow {
  std::string host;  ///< name, or MAC
  std::string entry;
  std::string state;  ///< `armed`, `started`, … as host/ names them
  std::string client;
  std::optional<unsigned> percent;
  WallTime since{};
};

/// For `/` and /v1/health; what is served stands in the catalog.
struct SiteStatus {
  std::string site;
  std::string agent;
  bool connected = false;   ///< the controller's stream is open
  WallTime last_contact{};  ///< the epoch: not since the agent started
  std::vector<InstallRow> installs;
  std::vector<std::string> troubles;  ///< what someone should look at, a sentence each
};

/// All calls on the site's loop.
class SiteHandlers {
 public:
  virtual ~SiteHandlers() = default;

  /// GET /boot.ipxe.
  virtual std::string boot_first(std::string_view server) const = 0;
  /// GET /boot/<mac>.ipxe without `entry` or `menu`. Always a runnable script.
  virtual Task<std::string> boot_script(ScriptRequest request) = 0;
  /// The same with `entry=NAME`. Errors: not_found, unavailable.
  virtual Task<Result<std::string>> entry_script(ScriptRequest request, std::string entry) = 0;
  /// GET …/grub.cfg.
  virtual std::string grub_first(std::string_view server) const = 0;
  /// GET /boot/<mac>/…/….grub. Errors: not_found, unavailable.
  virtual Task<Result<std::string>> grub_script(GrubRequest request) = 0;
  /// The same with `menu=NAME`: one of the operator's own. Errors: not_found, unavailable.
  virtual Result<std::string> menu_script(ScriptRequest request, const std::string& menu) const = 0;
  /// GET /ks/<token>, /ks/<token>/user-data. Errors: not_found, denied, unavailable.
  virtual Task<Result<std::string>> kickstart(KickstartRequest request) = 0;
  /// GET or POST /v1/event/<token>. Errors: not_found.
  virtual Task<Result<void>> event(EventRequest request) = 0;

  /// A file of a tree went out completely to `client`, or every range it asked for did. Told a
  /// moment later, but before whatever the same connection asks next.
  virtual void fetched(std::string_view client, const CatalogFile& file) = 0;
  virtual SiteStatus status() const = 0;
  /// The metrics are about to be read: brings those up to date that others count.
  virtual void count() {}
};

}  // namespace farboot
