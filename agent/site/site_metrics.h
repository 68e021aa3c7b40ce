// What DHCP, TFTP, the store and the link count by themselves, as metrics.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "agent/dhcp/server.h"
#include "agent/sync/sync.h"
#include "agent/tftp/server.h"
#include "common/store/content_store.h"

namespace prometheus {
class Registry;
}

namespace farboot {

/// Loop only. Borrows the registry. Each call takes the newest figures; what they count only grows.
class SiteMetrics {
 public:
  explicit SiteMetrics(prometheus::Registry& registry);
  ~SiteMetrics();

  void dhcp(const DhcpServer::Counters& counters, bool listening);
  void tftp(const TftpServer::Counters& counters, std::size_t sessions);
  void store(const StoreUsage& usage);
  void link(bool connected, const SyncStatus& sync);
  void handshakes(std::uint64_t refused);
  void catalog(std::uint64_t refused);
  void serving(std::uint64_t release, std::size_t installs);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace farboot
