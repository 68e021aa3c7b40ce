// A machine made of code: from DHCP through our own ports to the bytes of its kernel. Also what a
// release must pass before it goes live: it depends on nothing but its arguments.
#pragma once

#include <memory>
#include <stop_token>
#include <vector>

#include "agent/catalog/catalog.h"
#include "agent/dhcp/decide.h"
#include "agent/doctor/observe.h"
#include "agent/doctor/wire_client.h"

namespace farboot::doctor {

struct SelfBoot {
  std::shared_ptr<const Snapshot>
      release;  ///< what the ports are to serve; nullptr: only look at them
  Servers servers;
  /// As the proxyDHCP server has it, but for `wish`, which is asked on the thread that walks.
  dhcp::Policy policy;
  bool asks_4011 = true;  ///< false: nobody answers there, by the settings
  Patience patience;
};

struct SelfBootResult {
  std::vector<PortCheck> ports;
  std::vector<LoaderCheck> loaders;
  std::vector<Walk> walks;  ///< of every kind of machine that is given a loader
};

/// Blocks; ends soon after `stop`. Begins no install: scripts are asked for by HEAD, as a machine
/// that nobody knows. Who allows or denies machines is passed over: the one played is none of the
/// site's.
SelfBootResult self_boot(const SelfBoot& boot, const std::stop_token& stop);

/// The boot loaders of a release, as a LoaderSet.
class ReleaseLoaders final : public dhcp::LoaderSet {
 public:
  /// Borrows; nullptr has none.
  explicit ReleaseLoaders(const Snapshot* release) : release_(release) {}
  bool loader_exists(std::string_view name) const override { return file(name) != nullptr; }
  /// nullptr: not held.
  const FileEntry* file(std::string_view name) const;
  std::vector<std::string> names() const;

 private:
  const Snapshot* release_;
};

}  // namespace farboot::doctor
