// A machine's end of our own ports: blocking sockets with an end to every wait. For a thread of its
// own, never the loop.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/content/digest.h"
#include "common/wire/dhcp.h"

namespace farboot::doctor {

/// Where our servers are, as a machine on the LAN reaches them.
struct Servers {
  Ipv4 address;
  std::uint16_t pxe_port = 4011;
  std::uint16_t tftp_port = 69;
  std::uint16_t http_port = 80;
};

struct Patience {
  Milliseconds datagram{1'000};  ///< for one answer; then it is asked again
  unsigned tries = 3;
  Milliseconds stream{5'000};            ///< for the next bytes of HTTP
  std::uint64_t bytes_max = 2ull << 30;  ///< of one file
};

/// One file as it came.
struct Fetched {
  std::uint64_t size_bytes = 0;
  Digest sha256;
  std::string beginning;  ///< at most kBeginningMax
};
inline constexpr std::size_t kBeginningMax = 64 << 10;

/// Errors of all: timeout (nothing came back), cancelled (stop), unavailable, invalid (what came is
/// none of the protocol).
class WireClient {
 public:
  WireClient(Servers servers, Patience patience, std::stop_token stop)
      : servers_(servers), patience_(patience), stop_(std::move(stop)) {}

  /// The ACK of port 4011.
  Result<dhcp::Packet> boot_server(const dhcp::Packet& request) const;
  /// A whole file in octet mode. Errors also: not_found.
  Result<Fetched> tftp(const std::string& name) const;
  /// Errors also: not_found for 404; unavailable for every other status but 200.
  Result<Fetched> http_get(const std::string& path) const;
  /// The length it would have; nothing is begun by it. Errors: as http_get().
  Result<std::uint64_t> http_head(const std::string& path) const;

 private:
  enum class Method {
    get,
    head
  };
  Result<Fetched> http(Method method, const std::string& path) const;

  Servers servers_;
  Patience patience_;
  std::stop_token stop_;
};

}  // namespace farboot::doctor
