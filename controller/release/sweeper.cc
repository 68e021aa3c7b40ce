#include "controller/release/sweeper.h"

#include <unordered_set>

#include "common/base/log.h"

namespace farboot {

void Sweeper::begin_writing() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !sweeping_; });
  ++writing_;
}

void Sweeper::end_writing() {
  {
    const std::lock_guard lock(mutex_);
    --writing_;
    if (writing_ > 0 || !wanted_) return;
    sweeping_ = true;
    wanted_ = false;
  }
  const auto freed = sweep_now();
  if (!freed) log::warn("release.sweep_failed", log::kv("error", freed.error().what));
}

Result<std::optional<std::uint64_t>> Sweeper::sweep() {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !sweeping_; });
    if (writing_ > 0) {
      wanted_ = true;
      return std::optional<std::uint64_t>();
    }
    sweeping_ = true;
  }
  const auto freed = sweep_now();
  if (!freed) return freed.error();
  return std::optional(*freed);
}

Result<std::uint64_t> Sweeper::sweep_now() {
  const auto run = [this]() -> Result<std::uint64_t> {
    const auto manifests = roots();
    if (!manifests) return manifests.error();
    std::unordered_set<Digest, DigestHash> keep;
    for (const Digest& manifest : *manifests) {
      const auto closure = manifest_closure(content_, manifest);
      // A tree we cannot read whole is a reason to free nothing, not to free the rest of it.
      if (!closure)
        return prefix(fmt::format("manifest {}", manifest.short_hex()), closure.error());
      for (const ChunkRef& chunk : *closure) keep.insert(chunk.id);
    }
    return content_.sweep([&keep](const Digest& id) { return keep.contains(id); });
  };
  auto freed = run();
  if (freed) log::info("release.swept", log::kv("freed_bytes", *freed));
  {
    const std::lock_guard lock(mutex_);
    sweeping_ = false;
  }
  changed_.notify_all();
  return freed;
}

Result<std::set<Digest>> Sweeper::roots() const {
  std::set<Digest> out;
  const auto images = images_.images();
  if (!images) return images.error();
  for (const ImageRecord& record : *images) out.insert(record.image.manifest);
  const auto loaders = images_.loaders();
  if (!loaders) return loaders.error();
  if (*loaders) out.insert((*loaders)->manifest);
  const auto live = live_();
  if (!live) return live.error();
  for (const Digest& digest : *live) {
    const auto release = releases_.find(digest);
    if (!release) return release.error();
    for (const Digest& manifest : release->release.manifests()) out.insert(manifest);
  }
  return out;
}

}  // namespace farboot
