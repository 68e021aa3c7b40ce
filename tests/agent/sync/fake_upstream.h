// An upstream in the process, with bad days: seeded, so that a failure can be repeated.
#pragma once

#include <map>
#include <random>

#include "agent/sync/upstream.h"
#include "common/store/content_store.h"

namespace farboot {

struct Faults {
  double lose = 0;      ///< chance that a chunk does not come
  double twice = 0;     ///< … comes twice
  double corrupt = 0;   ///< … comes with a wrong byte
  double truncate = 0;  ///< … comes short
  double foreign = 0;   ///< … comes with one nobody asked for
  double cut = 0;       ///< … is where the line is cut
  bool reorder = false;
};

class FakeUpstream final : public Upstream {
 public:
  FakeUpstream(const ContentStore& source, std::uint64_t seed, Faults faults = {})
      : source_(source), random_(seed), faults_(faults) {}

  Result<void> fetch(const Digest&, std::span<const Digest> want, const Take& take) override {
    ++fetches;
    std::vector<Digest> ids(want.begin(), want.end());
    if (faults_.reorder) std::shuffle(ids.begin(), ids.end(), random_);
    for (const Digest& id : ids) {
      if (chance(faults_.cut) || (cut_after && *cut_after == 0)) {
        cut_after.reset();
        return fail(Errc::unavailable, "the line is cut");
      }
      if (cut_after) --*cut_after;
      auto gone = send(id, take);
      if (!gone) return gone.error();
    }
    return {};
  }

  std::optional<std::uint64_t> cut_after;  ///< chunks until the line is cut, once
  std::function<void(const Digest&)> on_send;
  std::map<Digest, int> sent;
  std::uint64_t fetches = 0, sent_bytes = 0;

 private:
  bool chance(double p) { return p > 0 && std::uniform_real_distribution<>(0, 1)(random_) < p; }

  Result<void> send(const Digest& id, const Take& take) {
    if (on_send) on_send(id);
    if (chance(faults_.lose)) return {};
    auto bytes = source_.get(id);
    if (!bytes) return {};
    if (chance(faults_.corrupt)) (*bytes)[random_() % bytes->size()] ^= 0x40;
    if (chance(faults_.truncate)) bytes->resize(bytes->size() / 2);
    if (chance(faults_.foreign)) {
      const Bytes other = {1, 2, 3};
      auto taken = take({sha256(other), other, other.size()});
      if (!taken) return taken.error();
    }
    const int times = chance(faults_.twice) ? 2 : 1;
    for (int i = 0; i < times; ++i) {
      ++sent[id];
      sent_bytes += bytes->size();
      auto taken = take({id, *bytes, bytes->size()});
      if (!taken) return taken.error();
    }
    return {};
  }

  const ContentStore& source_;
  std::mt19937_64 random_;
  Faults faults_;
};

}  // namespace farboot
