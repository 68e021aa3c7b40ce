// A line between two ends that can be bad: cut at any byte, slow, or dead without a word. What goes
// over it is TLS, so a piece left out or changed is a cut as well.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "common/base/guarded.h"
#include "common/base/unique_fd.h"

namespace farboot {

/// What becomes of one connection.
struct LineFate {
  /// Cut (RST to both ends) after this many bytes towards the client; not: never.
  std::optional<std::uint64_t> cut_after_bytes;
  /// Each piece waits up to this long, at random by `seed`.
  unsigned delay_ms_max = 0;
  std::uint64_t seed = 1;
};

/// Loopback only. Methods from any thread.
class TcpProxy {
 public:
  /// `target`: `127.0.0.1:<port>`, dialled for each connection.
  explicit TcpProxy(const std::string& target);
  ~TcpProxy();

  std::string address() const;
  /// Asked for each new connection, which is the nth since the start.
  void on_connection(std::function<LineFate(unsigned nth)> fate);

  enum class Way {
    none,
    up,    ///< towards the target
    down,  ///< towards the client
    both
  };
  /// Forwards nothing this way, on old and new connections; nobody is told.
  void stall(Way way);
  /// Cuts every connection there is.
  void cut();

  unsigned connections() const { return connections_; }  ///< since the start
  unsigned cuts() const { return cuts_; }
  std::uint64_t down_bytes() const { return down_bytes_; }

 private:
  struct Line;
  struct Control {
    std::function<LineFate(unsigned)> fate;
    Way stalled = Way::none;
    bool cut = false, stop = false;
  };
  void run();
  void accept_one();
  void wake() const;

  UniqueFd listener_, wake_read_, wake_write_;
  std::uint16_t port_ = 0, target_port_ = 0;
  Guarded<Control> control_;
  std::vector<std::unique_ptr<Line>> lines_;  ///< of the thread
  std::atomic<unsigned> connections_{0}, cuts_{0};
  std::atomic<std::uint64_t> down_bytes_{0};
  std::thread thread_;
};

}  // namespace farboot
