// One agent's open stream: reads what it says, writes what it is to know. Knows no store.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "common/content/signature.h"
#include "controller/link/cut_off.h"
#include "controller/link/worker_pool.h"
#include "controller/pki/enrol.h"
#include "farboot/v1/link.grpc.pb.h"

namespace farboot {

/// A message may go to many agents: one copy.
using SharedMessage = std::shared_ptr<const v1::ControllerMessage>;

/// Who hears what a stream reads. On the pool, one call at a time for a stream.
class StreamOwner {
 public:
  virtual ~StreamOwner() = default;
  /// Each returns what ends the stream, or OK.
  virtual grpc::Status on_hello(class AgentStream& stream, const v1::Hello& hello) = 0;
  virtual grpc::Status on_report(AgentStream& stream, const v1::Report& report) = 0;
  virtual grpc::Status on_events(AgentStream& stream, const v1::EventBatch& events) = 0;
  virtual grpc::Status on_doctor(AgentStream& stream, const v1::DoctorResult& result) = 0;
  /// The last call for this stream. On gRPC's threads.
  virtual void on_ended(AgentStream& stream) = 0;
};

/// Lives until gRPC is done with it, or longer while somebody holds the pointer.
class AgentStream final : public grpc::ServerBidiReactor<v1::AgentMessage, v1::ControllerMessage>,
                          public std::enable_shared_from_this<AgentStream> {
 public:
  /// Messages waiting for a slow line; more end the stream, and the agent comes again.
  static constexpr std::size_t kWaitingMax = 64;

  static std::shared_ptr<AgentStream> make(grpc::CallbackServerContext& context, WorkerPool& pool,
                                           StreamOwner& owner);
  /// The caller is who it says: read on. Ends the stream if there is no hello within `hello_wait`.
  void begin(AgentRecord agent, Milliseconds hello_wait);

  /// After begin().
  const AgentRecord& agent() const { return agent_; }

  /// The first that is sent. Nothing is after finish().
  void welcome(v1::ControllerMessage message);
  /// Thread-safe. True from the welcome on: what is sent is no longer ignored for want of it.
  bool welcomed();
  /// Thread-safe. Ignored before the welcome, as by send_state(), and after finish().
  void send(v1::ControllerMessage message);
  /// A desired state and its offers: take the place of those that still wait. Ignored before the
  /// welcome was sent (who sends it looks again then), and if one of a later `revision` was given
  /// already, or as much of this one: two threads may have looked at different moments.
  void send_state(std::uint64_t revision, const std::vector<SharedMessage>& messages);
  /// Thread-safe, harmless twice: the first status counts. What is being written goes out before
  /// it; what waits does not.
  void finish(const grpc::Status& status);

  /// The last proof that was found good. One thread at a time: the owner's.
  SignedDocument proof;
  std::uint64_t rotten_chunks = 0;  ///< last told; likewise

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  AgentStream(grpc::CallbackServerContext& context, WorkerPool& pool, StreamOwner& owner)
      : pool_(pool), owner_(owner), cut_off_(context) {}

  void read();
  void handle();
  grpc::Status take(const v1::AgentMessage& message);
  void put(SharedMessage message);

  WorkerPool& pool_;
  StreamOwner& owner_;
  CutOff cut_off_;
  AgentRecord agent_;
  std::shared_ptr<AgentStream> self_;  ///< until OnDone
  v1::AgentMessage incoming_;
  std::atomic<bool> greeted_ = false;

  std::mutex mutex_;                   ///< below
  std::deque<SharedMessage> waiting_;  ///< the first one is being written
  bool welcomed_ = false;
  std::uint64_t state_revision_ = 0;
  std::size_t state_messages_ = 0;  ///< sent of that revision
  bool finished_ = false;
  std::optional<grpc::Status> last_word_;  ///< to follow the message being written
};

}  // namespace farboot
