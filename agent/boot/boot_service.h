// What a machine boots, as text: the room between HTTP requests and the pure decisions of boot/ and
// host/.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/catalog/catalog.h"
#include "agent/host/host_book.h"
#include "agent/loop.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/content/release.h"

namespace farboot {

/// What iPXE says of its machine in the query of /boot/<mac>.ipxe. All of it is hostile text.
struct MachineFacts {
  std::string mac;   ///< normalised
  std::string uuid;  ///< lower case, or empty
  std::string serial;
  std::string manufacturer;
  std::string product;
  std::string asset;
  std::string buildarch;  ///< i386, x86_64, arm64
  std::string platform;   ///< pcbios, efi
  std::string client;     ///< address the request came from, without port
};

/// What the installer's headers and query say when it fetches a kickstart.
struct KickstartAsk {
  std::string token;
  std::string client;             ///< address, without port
  std::vector<std::string> macs;  ///< of X-RHN-Provisioning-MAC-*, normalised
  std::string serial;             ///< X-System-Serial-Number
};

/// One report from a machine: POST or GET /v1/event/<token>?event=…
struct MachineEvent {
  std::string token;
  std::string event;   ///< `installed`, `failed`, `progress`, `started`; others are kept as notes
  std::string detail;  ///< free text, bounded
};

/// Every call on the loop; `server` is our base URL as the client reached it, `http://10.4.0.2` or
/// with port, no trailing slash.
class BootService {
 public:
  BootService(Loop& loop, DiskPool& disk, Catalog& catalog, HostBook& hosts, const Clock& clock);

  /// GET /boot.ipxe: learns the machine's facts and chains /boot/<mac>.ipxe with them. Static text.
  std::string first_script(std::string_view server) const;

  /// GET /boot/<mac>.ipxe: menu, entry or local disk. Always a runnable script: also when nothing
  /// is active yet (it says so, waits and retries). For an armed host this starts the attempt,
  /// durably, before the script goes out.
  Task<std::string> boot_script(MachineFacts facts, std::string server);

  /// GET /boot/<mac>.ipxe?entry=NAME (chosen in the menu): script of one entry; an install begins
  /// an attempt. Errors: not_found.
  Task<Result<std::string>> entry_script(MachineFacts facts, std::string entry, std::string server);

  /// GET /ks/<token>. Errors: not_found (unknown or expired token), denied (a host's token asked
  /// for by another machine), unavailable.
  Task<Result<std::string>> kickstart(KickstartAsk ask, std::string server);

  /// A file of a tree went out to `client` completely (or its ranges did). Cheap; infers progress.
  void on_fetched(std::string_view client, const CatalogFile& file);

  /// Errors: not_found.
  Task<Result<void>> on_event(MachineEvent event);
};

}  // namespace farboot
