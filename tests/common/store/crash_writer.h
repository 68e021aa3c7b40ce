// A process that fills a store until it is killed, and says what was acknowledged to it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <set>
#include <string>

#include "common/base/bytes.h"
#include "common/base/unique_fd.h"

namespace farboot::test {

/// What the writer was told is durable. Chunks are noise: a seed says all of one.
struct Acknowledged {
  std::set<std::uint64_t> chunks;  ///< kept by every sweep
  std::uint64_t state = 0;         ///< last number committed under "counter"
};
std::size_t crash_chunk_size(std::uint64_t seed);
/// Sweeps of the writer free these.
inline bool crash_chunk_droppable(std::uint64_t seed) { return seed % 5 == 0; }

class CrashWriter {
 public:
  /// Starts this very program again, to write to the store in `folder`, chunks from `seed` on.
  CrashWriter(const std::string& folder, std::uint64_t seed);
  ~CrashWriter();
  CrashWriter(const CrashWriter&) = delete;
  CrashWriter& operator=(const CrashWriter&) = delete;

  /// Waits until `count` more acknowledgements came. False if the writer ended before.
  bool wait(int count, Acknowledged& acknowledged);
  /// Takes what has been said up to now.
  void drain(Acknowledged& acknowledged);
  void stop();  ///< returns when no thread of it runs
  void go_on();
  void kill();  ///< -9

 private:
  bool read_one(int timeout_ms, Acknowledged& acknowledged);
  pid_t pid_ = -1;
  UniqueFd acks_;
};

}  // namespace farboot::test
