#include "controller/import/meter.h"

#include <utility>

namespace farboot {
namespace {
constexpr Milliseconds kTellEvery{200};
}

Result<void> Meter::start(std::string step, Total total) {
  progress_ = {};
  progress_.step = std::move(step);
  progress_.files_total = total.files;
  progress_.bytes_total = total.bytes;
  return tell();
}

Result<void> Meter::file(const std::string& path) {
  progress_.path = path;
  return tick();
}

Result<void> Meter::advance(std::uint64_t bytes) {
  progress_.bytes_done += bytes;
  return tick();
}

Result<void> Meter::file_done() {
  ++progress_.files_done;
  const bool last = progress_.files_total != 0 && progress_.files_done == progress_.files_total;
  return last ? tell() : tick();
}

Result<void> Meter::tick() {
  if (!cancelled_ && system_clock().steady() - told_ < kTellEvery) return {};
  return tell();
}

Result<void> Meter::tell() {
  told_ = system_clock().steady();
  if (!cancelled_ && watcher_) cancelled_ = !watcher_(progress_);
  if (cancelled_) return fail(Errc::cancelled, "import: cancelled");
  return {};
}

}  // namespace farboot
