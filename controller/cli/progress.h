// Long work: a bar with rate and time left on a tty, a plain line now and then elsewhere.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/clock.h"
#include "controller/cli/terminal.h"

namespace farboot {

/// Bytes per second over the last few seconds.
class Rate {
 public:
  void add(std::uint64_t bytes_done, SteadyTime now);
  double bytes_per_second() const { return rate_; }

 private:
  std::optional<SteadyTime> last_;
  std::uint64_t last_bytes_ = 0;
  double rate_ = 0;
};

struct ProgressState {
  std::string label;                  ///< `reading`
  std::string detail;                 ///< a file name; cut where the line ends
  std::uint64_t done = 0, total = 0;  ///< bytes; total 0: not known
  double bytes_per_second = 0;
};

/// `reading  [=====>    ]  45 %  1.9 of 4.3 GB  112.4 MB/s  21 s left  Packages/…`, at most
/// `columns` wide. Pure.
std::string progress_line(const ProgressState& state, std::size_t columns);

/// Redraws one line on a tty's stderr; elsewhere prints one every few seconds. Cleared at the end.
class Progress {
 public:
  Progress(Terminal& terminal, const Clock& clock) : terminal_(terminal), clock_(clock) {}
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void show(ProgressState state);
  /// The line's place is free again.
  void clear();

 private:
  Terminal& terminal_;
  const Clock& clock_;
  Rate rate_;
  std::string label_;
  std::optional<SteadyTime> shown_;
  bool drawn_ = false;
};

}  // namespace farboot
