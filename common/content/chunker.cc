#include "common/content/chunker.h"

#include <algorithm>
#include <array>

// FastCDC as of 2020 (Xia et al., IEEE TPDS 31/9): gear hash, cut points below the minimum skipped,
// normalised chunking of level 2. Every constant here is on disk: another cut point is another
// chunk, and what sites hold already would cross the WAN again. golden in chunker_test.cc.

namespace farboot {
namespace {

constexpr std::size_t kContentBytesMin = 16 * 1024;
constexpr std::size_t kContentBytesNormal = 64 * 1024;  ///< the average aimed at: 2^16
constexpr std::size_t kContentBytesMax = kChunkBytesMax;
/// The hash shifts left, so its highest bits have seen the most bytes (64 of them).
constexpr std::uint64_t kMaskBeforeNormal = ~std::uint64_t{0} << (64 - 18);
constexpr std::uint64_t kMaskBehindNormal = ~std::uint64_t{0} << (64 - 14);
/// Files below this gain nothing: RPMs and boot files change as a whole.
constexpr std::uint64_t kLargeBytesMin = 4u << 20;

/// SplitMix64 (Steele, Lea, Flood 2014) counts from `kGearSeed`.
constexpr std::uint64_t kGearSeed = 0x666172626f6f7431;  // "farboot1"
constexpr std::array<std::uint64_t, 256> make_gear() {
  std::array<std::uint64_t, 256> gear{};
  std::uint64_t state = kGearSeed;
  for (std::uint64_t& value : gear) {
    state += 0x9e3779b97f4a7c15;
    std::uint64_t mixed = state;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    value = mixed ^ (mixed >> 31);
  }
  return gear;
}
constexpr std::array<std::uint64_t, 256> kGear = make_gear();

bool has(ByteView head, std::size_t offset, std::string_view magic) {
  return head.size() >= offset + magic.size() &&
         as_text(head.subspan(offset, magic.size())) == magic;
}

bool ends_with_any(std::string_view path, std::initializer_list<std::string_view> suffixes) {
  return std::any_of(suffixes.begin(), suffixes.end(),
                     [path](std::string_view suffix) { return path.ends_with(suffix); });
}

}  // namespace

Cutting cutting_for(std::string_view path, std::uint64_t size_bytes, ByteView head) {
  using namespace std::string_view_literals;
  if (size_bytes < kLargeBytesMin) return Cutting::fixed;
  const bool package = has(head, 0, "\xed\xab\xee\xdb"sv) || has(head, 0, "!<arch>\n"sv) ||
                       ends_with_any(path, {".rpm", ".deb", ".udeb"});
  const bool kernel = has(head, 0x202, "HdrS"sv);  // its boot sector looks like a disk's
  const bool one_stream = has(head, 0, "\x1f\x8b"sv) ||
                          has(head, 0,
                              "\xfd"
                              "7zXZ"sv) ||
                          has(head, 0, "\x28\xb5\x2f\xfd"sv) || has(head, 0, "BZh"sv) ||
                          has(head, 0, "07070"sv);  // an initrd, perhaps behind microcode
  if (package || kernel || one_stream) return Cutting::fixed;
  const bool image = has(head, 0, "hsqs"sv) || has(head, 510, "\x55\xaa"sv) ||
                     has(head, 0x438, "\x53\xef"sv) || has(head, 0, "MSWIM\0\0\0"sv) ||
                     has(head, 0, "QFI\xfb"sv);
  if (image || ends_with_any(path, {".img", ".iso", ".squashfs", ".raw", ".wim", ".esd", ".qcow2",
                                    ".vhd", ".vhdx"}))
    return Cutting::content;
  return Cutting::fixed;
}

Chunker::Chunker(Cutting cutting) : cutting_(cutting) {}

Chunker::Step Chunker::push(ByteView data) {
  if (returned_) {
    pending_.clear();
    returned_ = false;
  }
  const Reach reached = reach(data);
  const ByteView taken = data.first(reached.bytes);
  if (!reached.cut) {
    pending_.insert(pending_.end(), taken.begin(), taken.end());
    return {taken.size(), {}};
  }
  scanned_ = 0;
  fingerprint_ = 0;
  if (pending_.empty()) return {taken.size(), taken};  // wholly inside `data`: no copy
  pending_.insert(pending_.end(), taken.begin(), taken.end());
  returned_ = true;
  return {taken.size(), pending_};
}

ByteView Chunker::finish() {
  if (returned_) pending_.clear();
  scanned_ = 0;
  fingerprint_ = 0;
  returned_ = true;
  return pending_;
}

Chunker::Reach Chunker::reach(ByteView data) {
  if (cutting_ == Cutting::content) return reach_by_content(data);
  const std::size_t bytes = std::min<std::size_t>(data.size(), kChunkBytesMax - scanned_);
  scanned_ += bytes;
  return {bytes, scanned_ == kChunkBytesMax};
}

Chunker::Reach Chunker::reach_by_content(ByteView data) {
  std::size_t at = 0;
  if (scanned_ < kContentBytesMin) {
    at = std::min(data.size(), kContentBytesMin - scanned_);
    scanned_ += at;
  }
  // Two stretches with a mask each; the loop inside knows neither sizes nor limits.
  while (at < data.size()) {
    const bool before = scanned_ < kContentBytesNormal;
    const std::uint64_t mask = before ? kMaskBeforeNormal : kMaskBehindNormal;
    const std::size_t limit = (before ? kContentBytesNormal : kContentBytesMax) - scanned_;
    const std::size_t end = at + std::min(data.size() - at, limit);
    const std::size_t begin = at;
    while (at < end) {
      fingerprint_ = (fingerprint_ << 1) + kGear[data[at++]];
      if ((fingerprint_ & mask) == 0) return {at, true};
    }
    scanned_ += end - begin;
    if (scanned_ == kContentBytesMax) return {at, true};
  }
  return {at, false};
}

}  // namespace farboot
