// How far an import is, told to its watcher a few times a second; and whether it was cancelled.
#pragma once

#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "controller/import/importer.h"

namespace farboot {

/// One owner, one thread.
class Meter {
 public:
  /// Borrows `watcher`, which may be empty.
  explicit Meter(const ImportWatcher& watcher) : watcher_(watcher) {}

  struct Total {
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
  };
  /// A new step begins: counts start at zero.
  Result<void> start(std::string step, Total total);
  Result<void> file(const std::string& path);
  Result<void> advance(std::uint64_t bytes);
  /// What was counted is read once more.
  void rewind(std::uint64_t bytes) { progress_.bytes_done -= bytes; }
  Result<void> file_done();
  /// Tells the watcher if it has not heard for a while. Errors: cancelled.
  Result<void> tick();

 private:
  Result<void> tell();

  const ImportWatcher& watcher_;
  ImportProgress progress_;
  SteadyTime told_{};
  bool cancelled_ = false;
};

}  // namespace farboot
