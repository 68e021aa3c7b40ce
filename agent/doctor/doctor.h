// One examination at a time, on a thread of its own: the loop goes on serving, the self-made
// machines among others.
#pragma once

#include <functional>
#include <thread>
#include <vector>

#include "agent/doctor/finding.h"
#include "agent/doctor/lan_probe.h"
#include "agent/doctor/observe.h"
#include "agent/doctor/self_boot.h"
#include "agent/loop.h"

namespace farboot::doctor {

/// What an examination starts from: taken on the loop, then nobody else's.
struct Question {
  Observations own;  ///< what is known without asking anybody
  LanProbe lan;
  SelfBoot boot;
};

/// Blocks, some seconds to half a minute.
std::vector<Finding> examine(Question question, const std::stop_token& stop);

/// Everything on the loop.
class Doctor {
 public:
  using Done = std::function<void(const std::vector<Finding>&)>;
  static constexpr std::size_t kAskersMax = 16;

  /// `ask` is called on the loop, once for each examination.
  Doctor(Loop& loop, std::function<Question()> ask) : loop_(loop), ask_(std::move(ask)) {}
  ~Doctor() { stop(); }
  Doctor(const Doctor&) = delete;
  Doctor& operator=(const Doctor&) = delete;

  /// Calls `done` on the loop when it is through; who asks meanwhile hears the same. Errors:
  /// exhausted, if too many wait already; unavailable after stop().
  Result<void> examine(Done done);
  /// Waits for the thread, which ends soon. Nobody is told any more. The loop may have ended.
  void stop();

 private:
  Result<void> begin();
  void finish(const std::vector<Finding>& findings);

  Loop& loop_;
  std::function<Question()> ask_;
  std::vector<Done> waiting_;
  std::jthread thread_;
  bool stopped_ = false;
};

}  // namespace farboot::doctor
