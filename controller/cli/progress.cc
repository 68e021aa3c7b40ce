#include "controller/cli/progress.h"

#include <algorithm>
#include <cmath>

#include "controller/cli/table.h"

#include <fmt/format.h>

namespace farboot {
namespace {

constexpr Milliseconds kTtyInterval{100};
constexpr Milliseconds kPlainInterval{5000};
constexpr double kRateSeconds = 4;  ///< the rate follows changes within about this long
constexpr std::size_t kBarColumns = 24;

std::string bar(std::uint64_t done, std::uint64_t total) {
  const std::size_t full = kBarColumns * percent(done, total) / 100;
  std::string out = "[" + std::string(full, '=');
  if (full < kBarColumns) out += ">" + std::string(kBarColumns - full - 1, ' ');
  return out + "]";
}

}  // namespace

void Rate::add(std::uint64_t bytes_done, SteadyTime now) {
  if (!last_ || bytes_done < last_bytes_) {
    last_ = now;
    last_bytes_ = bytes_done;
    rate_ = 0;
    return;
  }
  const double seconds = std::chrono::duration<double>(now - *last_).count();
  if (seconds < 0.05) return;
  const double fresh = static_cast<double>(bytes_done - last_bytes_) / seconds;
  const double weight = rate_ == 0 ? 1 : 1 - std::exp(-seconds / kRateSeconds);
  rate_ += (fresh - rate_) * weight;
  last_ = now;
  last_bytes_ = bytes_done;
}

std::string progress_line(const ProgressState& state, std::size_t columns) {
  std::string out = state.label;
  if (state.total > 0) {
    out += fmt::format("  {} {:3} %  {} of {}", bar(state.done, state.total),
                       percent(state.done, state.total), size_text(state.done),
                       size_text(state.total));
  } else if (state.done > 0) {
    out += "  " + size_text(state.done);
  }
  if (state.bytes_per_second >= 1) {
    out += fmt::format("  {}/s", size_text(static_cast<std::uint64_t>(state.bytes_per_second)));
    if (state.total > state.done)
      out +=
          fmt::format("  {} left",
                      duration_text(static_cast<std::uint64_t>(
                          static_cast<double>(state.total - state.done) / state.bytes_per_second)));
  }
  const std::size_t used = width(out);
  if (!state.detail.empty() && used + 12 < columns) {
    const std::size_t room = columns - used - 3;
    std::string detail = state.detail;
    // The end of a path says more than its beginning.
    if (width(detail) > room) {
      detail = detail.substr(detail.size() - std::min(detail.size(), room - 1));
      while (!detail.empty() && (static_cast<unsigned char>(detail[0]) & 0xc0) == 0x80)
        detail.erase(0, 1);
      detail = "…" + detail;
    }
    out += "  " + detail;
  }
  return out;
}

void Progress::show(ProgressState state) {
  const SteadyTime now = clock_.steady();
  if (state.label != label_) {
    rate_ = Rate();
    shown_.reset();
    label_ = state.label;
  }
  rate_.add(state.done, now);
  const Milliseconds interval = terminal_.err_is_tty ? kTtyInterval : kPlainInterval;
  if (shown_ && now - *shown_ < interval) return;
  shown_ = now;
  if (state.bytes_per_second == 0) state.bytes_per_second = rate_.bytes_per_second();
  if (terminal_.err_is_tty) {
    terminal_.err << "\r\x1b[K" << progress_line(state, terminal_.columns - 1) << std::flush;
    drawn_ = true;
  } else {
    state.detail.clear();
    terminal_.err << progress_line(state, 1000) << "\n" << std::flush;
  }
}

void Progress::clear() {
  if (drawn_) terminal_.err << "\r\x1b[K" << std::flush;
  drawn_ = false;
}

}  // namespace farboot
