#include "common/store/memory_store.h"

#include <unordered_set>

namespace farboot {

Result<std::shared_ptr<const Bytes>> MemoryStore::trusted(const Digest& id, bool again) const {
  Held held;
  const bool found = state_.with([&](const State& state) {
    const auto it = state.chunks.find(id);
    if (it != state.chunks.end()) held = it->second;
    return it != state.chunks.end();
  });
  if (!found) return fail(Errc::not_found, "chunk {}: not held", id);
  if (held.checked && !again) return held.bytes;
  const bool right = sha256(*held.bytes) == id;
  state_.with([&](State& state) {
    const auto it = state.chunks.find(id);
    if (it == state.chunks.end() || it->second.bytes != held.bytes) return;
    if (right) {
      it->second.checked = true;
    } else {
      state.payload_bytes -= held.bytes->size();
      state.chunks.erase(it);
    }
  });
  if (!right) return fail(Errc::corrupt, "chunk {}: what is stored has another digest", id);
  return held.bytes;
}

Result<Bytes> MemoryStore::get(const Digest& id) const {
  auto bytes = trusted(id, true);
  if (!bytes) return bytes.error();
  return Bytes(**bytes);
}

Result<void> MemoryStore::put(std::span<const Chunk> chunks) {
  for (const Chunk& chunk : chunks) {
    if (chunk.bytes.empty() || chunk.bytes.size() > kChunkBytesMax) {
      return fail(Errc::invalid, "chunk {}: {} bytes, 1 to {} are allowed", chunk.id,
                  chunk.bytes.size(), kChunkBytesMax);
    }
    if (sha256(chunk.bytes) != chunk.id) {
      return fail(Errc::mismatch, "chunk {}: the bytes have another digest", chunk.id);
    }
  }
  return state_.with([&](State& state) -> Result<void> {
    ++state.puts;
    std::uint64_t wanted = 0;
    std::unordered_set<Digest, DigestHash> fresh;
    for (const Chunk& chunk : chunks) {
      if (!state.chunks.contains(chunk.id) && fresh.insert(chunk.id).second) {
        wanted += chunk.bytes.size();
      }
    }
    if (wanted > budget_bytes_ - state.payload_bytes) {
      return fail(Errc::exhausted, "store: {} bytes wanted, {} free of a budget of {}", wanted,
                  budget_bytes_ - state.payload_bytes, budget_bytes_);
    }
    for (const Chunk& chunk : chunks) {
      auto& held = state.chunks[chunk.id];
      held.last_put = state.puts;
      if (held.bytes) continue;
      held.bytes = std::make_shared<const Bytes>(chunk.bytes.begin(), chunk.bytes.end());
      held.checked = true;
      state.payload_bytes += chunk.bytes.size();
    }
    return {};
  });
}

Result<std::vector<Digest>> MemoryStore::missing(std::span<const Digest> ids) const {
  std::vector<Digest> absent;
  std::unordered_set<Digest, DigestHash> seen;
  state_.with([&](const State& state) {
    for (const Digest& id : ids) {
      if (!state.chunks.contains(id) && seen.insert(id).second) absent.push_back(id);
    }
  });
  return absent;
}

Result<ChunkSource> MemoryStore::open(const Digest& id) const {
  auto bytes = trusted(id, false);
  if (!bytes) return bytes.error();
  ChunkSource source;
  source.size_bytes = static_cast<std::uint32_t>((*bytes)->size());
  source.inline_bytes = *bytes;
  source.lease = *bytes;
  return source;
}

std::optional<ChunkSource> MemoryStore::open_at_once(const Digest& id) const {
  if (!checked(id)) return std::nullopt;
  auto source = open(id);
  return source ? std::optional(std::move(*source)) : std::nullopt;
}

bool MemoryStore::checked(const Digest& id) const {
  return state_.with([&](const State& state) {
    const auto it = state.chunks.find(id);
    return it != state.chunks.end() && it->second.checked;
  });
}

Result<void> MemoryStore::verify(const Digest& id) {
  auto bytes = trusted(id, true);
  if (!bytes) return bytes.error();
  return {};
}

Result<std::uint64_t> MemoryStore::sweep(const std::function<bool(const Digest&)>& keep) {
  std::vector<Digest> ids;
  std::uint64_t began = 0;
  state_.with([&](const State& state) {
    began = state.puts;
    for (const auto& [id, held] : state.chunks) ids.push_back(id);
  });
  std::uint64_t freed = 0;
  for (const Digest& id : ids) {
    if (keep(id)) continue;
    state_.with([&](State& state) {
      const auto it = state.chunks.find(id);
      if (it == state.chunks.end() || it->second.last_put > began) return;
      freed += it->second.bytes->size();
      state.payload_bytes -= it->second.bytes->size();
      state.chunks.erase(it);
    });
  }
  return freed;
}

Result<StoreUsage> MemoryStore::usage() const {
  return state_.with([&](const State& state) {
    return StoreUsage{.chunks = state.chunks.size(),
                      .payload_bytes = state.payload_bytes,
                      .disk_bytes = state.payload_bytes,
                      .budget_bytes = budget_bytes_,
                      .free_bytes = budget_bytes_ - state.payload_bytes};
  });
}

bool MemoryStore::rot(const Digest& id) {
  return state_.with([&](State& state) {
    const auto it = state.chunks.find(id);
    if (it == state.chunks.end()) return false;
    Bytes bytes = *it->second.bytes;
    bytes[bytes.size() / 2] ^= 1;
    it->second.bytes = std::make_shared<const Bytes>(std::move(bytes));
    it->second.checked = false;
    return true;
  });
}

}  // namespace farboot
