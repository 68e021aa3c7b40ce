#include "agent/tftp/negotiate.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace farboot {
namespace {

/// RFC 2349 knows up to 255. A client that asks for more than we would ever wait gets our own
/// timing: its session would else be held for minutes by one lost packet, or by one that was
/// forged.
constexpr std::uint64_t kTimeoutSecondsMax = 8;
constexpr int kFirstResendsInSilence = 3;          ///< before a client counts as gone
constexpr std::uint64_t kWindowBlocksMax = 65535;  // RFC 7440

/// Sets what the option is about in `transfer`; the value to answer, nullopt: leave it out.
std::optional<std::uint64_t> grant(std::string_view name, std::uint64_t asked,
                                   std::uint64_t size_bytes, const TftpCaps& caps,
                                   TftpTransfer& transfer) {
  if (name == "tsize") return size_bytes;
  if (name == "blksize" && asked >= tftp::kBlockBytesMin) {
    const std::uint32_t cap = std::min(caps.block_bytes_max, tftp::kBlockBytesMax);
    transfer.block_bytes = static_cast<std::uint32_t>(std::min<std::uint64_t>(asked, cap));
    return transfer.block_bytes;
  }
  if (name == "windowsize" && asked >= 1 && asked <= kWindowBlocksMax) {
    transfer.window_blocks =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(asked, caps.window_blocks_max));
    return transfer.window_blocks;
  }
  if (name == "timeout" && asked >= 1 && asked <= kTimeoutSecondsMax) {
    TftpTiming& timing = transfer.timing;
    timing.first_resend = Seconds(asked);
    timing.silence_max =
        std::max(timing.silence_max, Milliseconds(kFirstResendsInSilence * timing.first_resend));
    return asked;
  }
  return std::nullopt;
}

}  // namespace

TftpTransfer negotiate(const tftp::Request& request, std::uint64_t size_bytes,
                       const TftpCaps& caps) {
  constexpr std::array<std::string_view, 4> kKnown = {"blksize", "tsize", "timeout", "windowsize"};
  TftpTransfer transfer;
  transfer.timing = caps.timing;
  std::array<bool, kKnown.size()> seen{};
  for (const tftp::Option& option : request.options) {
    for (std::size_t i = 0; i < kKnown.size(); ++i) {
      if (seen[i] || !tftp::same_name(option.name, kKnown[i])) continue;
      const auto asked = tftp::number(option.value);
      if (!asked) continue;
      const auto granted = grant(kKnown[i], *asked, size_bytes, caps, transfer);
      if (!granted) continue;
      seen[i] = true;
      transfer.oack.push_back({.name = option.name, .value = std::to_string(*granted)});
    }
  }
  return transfer;
}

}  // namespace farboot
