// What is kept of one machine on disk, and how it is written.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/host/install_state.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/content/desired_state.h"

namespace farboot {

/// How a machine shows itself. `uuid` and `serial` may be empty; all of it is hostile text.
struct MachineId {
  std::string mac;
  std::string uuid;
  std::string serial;
};

/// A machine: one the operator named, or one that began an install from the menu.
struct HostRecord {
  HostSpec spec;        ///< of a machine nobody named: empty name, its MAC
  bool wanted = false;  ///< the desired state names it
  InstallState install;
  std::string token;                 ///< of the newest attempt; empty: none, or forgotten
  std::string entry;                 ///< that attempt's entry
  std::vector<std::string> clients;  ///< addresses that attempt was seen to come from
  std::uint64_t release = 0;         ///< its release's number
  WallTime since{};                  ///< when the phase last changed
  WallTime saved{};                  ///< when this record was last written
  std::string saved_boot;            ///< in which run of the kernel that was
  Seconds saved_uptime{0};           ///< how far into it

  /// Name, or MAC.
  const std::string& key() const { return spec.name.empty() ? spec.macs.front() : spec.name; }
};

/// JSON with a format number; on disk.
std::string encode_host_record(const HostRecord& record);
/// Errors: corrupt.
Result<HostRecord> decode_host_record(std::string_view text);

/// What the controller is told of a machine.
struct HostStatus {
  std::string host;  ///< name, or the MAC of a machine nobody named
  std::string mac;
  InstallPhase phase = InstallPhase::idle;
  std::string entry;
  std::uint32_t percent = 0;
  std::string detail;
  std::uint64_t release = 0;
  WallTime since{};
  std::uint64_t order = 0;  ///< newest order taken
  std::uint64_t used = 0;   ///< orders up to this one are used up
  bool operator==(const HostStatus&) const = default;
};
HostStatus status_of(const HostRecord& record);

/// True for a UUID or serial number that boards carry by the thousand (all zeros, `To be filled by
/// O.E.M.`): it identifies nothing.
bool is_placeholder(std::string_view uuid_or_serial);

}  // namespace farboot
