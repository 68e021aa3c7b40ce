// What an agent last said of itself, as the controller's rooms speak of it (proto stops at link).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/content/digest.h"
#include "common/content/signature.h"

namespace farboot {

/// The five steps of a transfer, and rest. The words of the wire, the logs and the CLI.
enum class TransferStep : std::uint8_t {
  idle,
  offer,
  want,
  chunk,
  ready,
  activate
};

struct HostReport {
  std::string host;  ///< name, or the MAC of a machine nobody named
  std::string mac;
  std::string state;  ///< armed, started, kickstart, packages, done, failed, expired
  std::string entry;
  std::uint32_t percent = 0;
  std::string detail;
  WallTime since{};
  std::uint64_t install_order = 0;  ///< newest order it took
  std::uint64_t install_used = 0;   ///< orders up to this one are used up
  bool operator==(const HostReport&) const = default;
};

struct AgentReport {
  std::string agent, site, version;
  WallTime received{};
  std::uint64_t desired_number = 0;  ///< newest desired state it holds
  std::optional<Digest> active, previous, staged;
  TransferStep step = TransferStep::idle;
  std::optional<Digest> release;  ///< the transfer's
  std::uint64_t bytes_total = 0, bytes_done = 0, bytes_per_second = 0;
  std::uint64_t wan_bytes = 0;  ///< chunk bytes received since it started
  std::uint64_t disk_free_bytes = 0;
  std::uint64_t rotten_chunks = 0;     ///< found on its disk since it started
  std::string error;                   ///< why the last step failed; empty: it did not
  std::vector<std::string> abilities;  ///< of what came after the first agents, what it obeys
  std::optional<SignedDocument>
      ready_proof;  ///< signed by the agent's key; document as sync/ready.h says
  std::vector<HostReport> hosts;
};

/// The newest desired state that an agent holds, as it says when it comes.
struct HeldState {
  std::uint64_t number = 0;        ///< 0: none
  std::optional<Digest> document;  ///< none: not told
};

/// Who wants to hear of it. Called on gRPC's threads; must be quick and thread-safe.
class ReportSink {
 public:
  virtual ~ReportSink() = default;
  /// An agent is about to be told what is desired. May write to the store.
  virtual void on_hello(const std::string& agent, const std::string& site,
                        const HeldState& held) = 0;
  virtual void on_connected(const std::string& agent, const std::string& site) = 0;
  virtual void on_disconnected(const std::string& agent) = 0;
  virtual void on_report(const AgentReport& report) = 0;
  /// Machines of `site` as events tell of them: a report holds only so many.
  virtual void on_hosts(const std::string& site, const std::vector<HostReport>& hosts) = 0;
};

}  // namespace farboot
