// The streams open now: who is connected, who fetches. Private to link.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "controller/link/agent_stream.h"
#include "controller/link/chunk_stream.h"

namespace farboot {

/// Thread-safe. Calls nobody while it holds its mutex.
class Streams {
 public:
  static constexpr std::size_t kFetchesPerAgent = 2;
  /// With those that are ended: one whose line takes nothing keeps its frames for CutOff::kGrace.
  static constexpr std::size_t kFetchesOpenPerAgent = 4;

  /// A stream that has just been accepted, of whom is not known yet. False: we are stopping.
  bool add(const std::shared_ptr<AgentStream>& stream);
  bool add(const std::shared_ptr<ChunkStream>& stream);
  /// The stream has said hello: it is its agent's from now on. The one whose place it takes, if
  /// any, goes to `before`. False: it has ended meanwhile.
  bool greet(const std::shared_ptr<AgentStream>& stream, std::shared_ptr<AgentStream>& before);
  /// Whose the stream is, as its certificate says, before it says hello. The one that waited to
  /// say hello in its place is to be ended.
  std::shared_ptr<AgentStream> admit(const std::shared_ptr<AgentStream>& stream,
                                     const std::string& agent);
  /// The oldest of this agent's go to `over` and are to be ended, so that not more than those few
  /// are left. False: too many of them have not gone yet, and this one is to be ended instead.
  bool admit(const std::shared_ptr<ChunkStream>& stream, const std::string& agent,
             std::vector<std::shared_ptr<ChunkStream>>& over);

  /// True if it was the agent's stream, so that the agent is gone now.
  bool remove(AgentStream& stream);
  void remove(ChunkStream& stream);

  std::vector<std::shared_ptr<AgentStream>> of_site(const std::string& site) const;
  std::shared_ptr<AgentStream> of_agent(const std::string& agent) const;
  /// Ends everything that the agent has open.
  void drop(const std::string& agent, const grpc::Status& status);
  /// Ends all and lets nothing new in.
  void stop();
  std::size_t connected() const;

 private:
  mutable std::mutex mutex_;
  struct Open {
    std::shared_ptr<AgentStream> stream;
    /// Empty: not known yet. Not asked of the stream, which may be told at this moment.
    std::string agent;
  };
  std::map<AgentStream*, Open> all_;
  std::map<std::string, std::shared_ptr<AgentStream>> greeted_;  ///< by agent
  std::map<std::string, std::weak_ptr<AgentStream>> arrived_;    ///< likewise, no hello yet
  struct Fetch {
    std::shared_ptr<ChunkStream> stream;
    std::string agent;         ///< empty: not known yet
    std::uint64_t number = 0;  ///< of its admission; 0: not yet, or to be ended
  };
  std::map<ChunkStream*, Fetch> fetches_;
  std::uint64_t admissions_ = 0;
  bool stopping_ = false;
};

}  // namespace farboot
