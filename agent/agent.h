// The agent as a list of its parts, and the order in which they start and stop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "agent/config.h"
#include "common/base/result.h"

namespace farboot {

class Agent {
 public:
  /// Opens the store and what was active, binds every socket. Errors: what a part says, naming the
  /// folder or port.
  static Result<std::unique_ptr<Agent>> open(const AgentConfig& config);
  ~Agent();

  /// Serves until SIGTERM or SIGINT. An agent that is not enrolled yet serves what it holds and
  /// takes up its identity as soon as `farboot-agent enroll` has written it.
  void run();

  /// As bound: 0 in the settings means any.
  std::uint16_t http_port() const;
  std::uint16_t tftp_port() const;
  std::uint16_t pxe_port() const;
  /// HTTP connections and TFTP transfers; none are left when run() returns.
  std::size_t connections() const;

 private:
  struct Parts;
  explicit Agent(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace farboot
