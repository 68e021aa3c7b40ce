// Ports 67 and 4011: answers PXE clients beside the site's own DHCP server (proxyDHCP).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/dhcp/decide.h"
#include "agent/dhcp/relays.h"
#include "common/base/clock.h"
#include "common/base/result.h"

namespace boost::asio {
class io_context;
}

namespace farboot {

enum class DhcpMode : std::uint8_t {
  proxy,    ///< answers
  observe,  ///< decides and logs, answers nothing
  off       ///< binds no port
};

struct DhcpServerOptions {
  DhcpMode mode = DhcpMode::proxy;
  /// Where to answer; empty: every interface that has an IPv4 address, but not the loopback.
  std::vector<std::string> interfaces;
  std::uint16_t dhcp_port = 67;
  std::uint16_t pxe_port = 4011;
  std::uint16_t client_port = 68;
  dhcp::Relays relays = dhcp::Relays::by_itself;
  /// Answers a second, to all clients together and to one.
  std::uint32_t answers_per_second_max = 5000;
  std::uint32_t answers_per_client_second_max = 20;
  Milliseconds bind_retry{10'000};  ///< after ports could not be had
};

/// Everything on the loop. Counters only grow.
class DhcpServer {
 public:
  struct Counters {
    std::uint64_t received = 0;
    std::uint64_t malformed = 0;
    std::uint64_t offers = 0;
    std::uint64_t acks = 0;
    std::uint64_t observed = 0;  ///< would have been answered
    std::uint64_t limited = 0;   ///< beyond a rate
    std::uint64_t send_failed = 0;
    std::array<std::uint64_t, dhcp::kWhys> silent{};  ///< by dhcp::Why
  };

  /// Borrows `loop` and `loaders`, which must outlive it.
  DhcpServer(boost::asio::io_context& loop, const dhcp::LoaderSet& loaders,
             DhcpServerOptions options, dhcp::Policy policy);
  ~DhcpServer();  ///< as stop()
  DhcpServer(const DhcpServer&) = delete;
  DhcpServer& operator=(const DhcpServer&) = delete;

  /// Binds the ports, all or none. Errors: denied, conflict, unavailable.
  Result<void> bind();
  /// Answers from now on; after bind(). If that failed, it is tried again until it does not.
  void start();
  void stop();

  /// Our address on the first interface we answer on; zero if there is none. For the status page.
  Ipv4 address() const;
  /// Why the ports are not open; empty: they are, or need not be.
  const std::string& trouble() const;
  /// What is not heard though it should be, and what helps: a sentence each. The rest is served.
  std::vector<std::string> unheard() const;
  /// What other servers of the network do to PXE clients, and what helps: a sentence each.
  std::vector<std::string> foreign() const;
  /// The ports bound: 0 in the options means any.
  std::uint16_t dhcp_port() const;
  std::uint16_t pxe_port() const;
  const Counters& counters() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace farboot
