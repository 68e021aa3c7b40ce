// One connection to the controller, from dial to loss. Private to link.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <thread>

#include "agent/link/convert.h"
#include "agent/link/grpc_upstream.h"
#include "agent/link/silence.h"
#include "agent/link/wakeup.h"
#include "common/rpc/credentials.h"
#include "farboot/v1/link.grpc.pb.h"

namespace farboot {

/// What a connection needs of the link. Called on the connection's threads.
struct ConnectionHost {
  Sync& sync;
  const ContentStore& content;
  const Clock& clock;
  const AgentLinkSettings& settings;
  Wakeup& report;       ///< raised when there is something to tell
  LogLimit& malformed;  ///< GrpcUpstream's
  const std::function<bool()> stopping;
  /// Collects on the loop; nullopt: the agent is stopping.
  const std::function<std::optional<SiteReport>(std::size_t events_max)> collect;
  const std::function<void(std::uint64_t sequence)> acknowledged;
  /// The controller has answered: `upstream` works from now on.
  const std::function<void(const WelcomeTerms& terms, std::shared_ptr<GrpcUpstream> upstream)>
      connected;
  /// Time to look whether the certificate wants renewal.
  const std::function<void(v1::Link::Stub& stub, WallTime controller_time)> renew;
  /// The site is to be examined; what was found comes back by `examined`.
  const std::function<void(std::uint64_t request)> examine;
  const std::function<std::vector<v1::DoctorResult>()> examined;
};

class LinkConnection {
 public:
  LinkConnection(ConnectionHost& host, const std::shared_ptr<grpc::Channel>& channel);

  /// Runs until the stream ends; says why. Blocks.
  Error run();
  /// Ends it. Any thread.
  void cancel();

 private:
  void receive(const v1::ControllerMessage& message);
  void tell();
  bool tell_once(SteadyTime& events_sent_at);
  bool write(const v1::AgentMessage& message);
  void watch_certificate(SteadyTime& checked);

  ConnectionHost& host_;
  std::unique_ptr<v1::Link::Stub> stub_;
  std::shared_ptr<GrpcUpstream> upstream_;
  grpc::ClientContext context_;
  SilenceWatch unread_;  ///< a controller that reads nothing any more
  std::unique_ptr<grpc::ClientReaderWriter<v1::AgentMessage, v1::ControllerMessage>> stream_;
  Guarded<std::optional<WelcomeTerms>> terms_;
  SteadyTime welcomed_at_{};
  std::atomic<bool> ended_{false};
  std::atomic<std::uint64_t> events_acked_{0}, events_sent_{0};  ///< up to these numbers
};

}  // namespace farboot
