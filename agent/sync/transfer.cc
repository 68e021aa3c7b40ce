#include "agent/sync/transfer.h"

#include <algorithm>

#include "common/base/log.h"
#include "common/store/release_closure.h"

namespace farboot {
namespace {

/// Index entry and record header of one chunk on disk, rounded up.
constexpr std::uint64_t kChunkOverheadBytes = 128;

std::uint64_t bytes_of(std::span<const ChunkRef> chunks) {
  std::uint64_t sum = 0;
  for (const ChunkRef& chunk : chunks) sum += chunk.size_bytes;
  return sum;
}

Error not_wanted() { return fail(Errc::cancelled, "transfer: no longer wanted"); }

}  // namespace

Transfer::Transfer(ContentStore& store, Upstream* upstream, const Clock& clock,
                   TransferWatch& watch)
    : store_(store), upstream_(upstream), clock_(clock), watch_(watch) {}

Result<Transfer::Done> Transfer::run(const Job& job) {
  const std::string subject = fmt::format("release r{}", job.number);
  watch_.at(SyncStep::offer, 0, job.total_bytes);
  if (auto room = check_room_early(job); !room) return prefix(subject, room.error());
  if (auto got = get_manifests(job); !got) return prefix(subject, got.error());
  auto closure = release_closure(store_, job.manifests);
  if (!closure) return prefix(subject, closure.error());
  total_bytes_ = bytes_of(*closure);

  for (int round = 0;; ++round) {
    if (auto got = get_chunks(job, *closure); !got) return prefix(subject, got.error());
    if (!job.verify) break;
    auto rotten = read_back(*closure);
    if (!rotten) return prefix(subject, rotten.error());
    if (rotten->empty()) break;
    log::warn("sync.chunks_rotten", log::kv("release", job.digest.short_hex()),
              log::kv("chunks", rotten->size()));
    if (round >= kFruitlessRoundsMax)
      return fail(Errc::corrupt,
                  "{}: {} chunks did not read back as they were written; check the disk", subject,
                  rotten->size());
    // A manifest may be among them.
    if (auto got = get_manifests(job); !got) return prefix(subject, got.error());
  }
  return Done{std::move(*closure), total_bytes_, stored_chunks_};
}

Result<void> Transfer::check_room_early(const Job& job) {
  auto usage = store_.usage();
  if (!usage) return usage.error();
  // Even if all that is held were part of it.
  if (job.total_bytes > usage->free_bytes + usage->payload_bytes && job.total_bytes != 0)
    return fail(Errc::exhausted,
                "does not fit: {} bytes, {} free and {} held under a budget of {}; raise "
                "store_budget_bytes or use a larger disk",
                job.total_bytes, usage->free_bytes, usage->payload_bytes, usage->budget_bytes);
  return {};
}

Result<void> Transfer::check_room(const std::vector<ChunkRef>& closure,
                                  std::uint64_t missing_bytes) {
  const std::uint64_t needed = missing_bytes + closure.size() * kChunkOverheadBytes;
  for (const bool last : {false, true}) {
    auto usage = store_.usage();
    if (!usage) return usage.error();
    if (needed <= usage->free_bytes) return {};
    if (!last && watch_.make_room(closure)) continue;
    return fail(Errc::exhausted,
                "does not fit: {} bytes more are needed, {} are free under a budget of {}; raise "
                "store_budget_bytes or use a larger disk",
                needed, usage->free_bytes, usage->budget_bytes);
  }
  return {};
}

Result<void> Transfer::get_manifests(const Job& job) {
  for (const Digest& manifest : job.manifests) {
    auto got = get_manifest_chunks(job, manifest);
    // A store may be full of a transfer that was given up, so that not even these find room.
    if (!got && got.error().code == Errc::exhausted && watch_.make_room(known_manifests(job)))
      got = get_manifest_chunks(job, manifest);
    if (!got) return prefix("manifest " + manifest.short_hex(), got.error());
  }
  return {};
}

/// What is held of the release's own manifests.
std::vector<ChunkRef> Transfer::known_manifests(const Job& job) const {
  std::vector<ChunkRef> known;
  for (const Digest& root : job.manifests) {
    const auto bytes = store_.get(root);
    if (!bytes) continue;
    known.push_back({root, static_cast<std::uint32_t>(bytes->size())});
    if (const auto parts = manifest_parts(*bytes))
      known.insert(known.end(), parts->begin(), parts->end());
  }
  return known;
}

/// The root is stored last: who holds it holds the parts.
Result<void> Transfer::get_manifest_chunks(const Job& job, const Digest& root) {
  auto bytes = store_.get(root);
  const bool held = bytes.has_value();
  if (!held) bytes = fetch_one(job, root);
  if (!bytes) return bytes.error();
  auto parts = manifest_parts(*bytes);
  if (!parts) return parts.error();
  auto missing = lacking(*parts);
  if (!missing) return missing.error();
  if (!missing->empty()) {
    if (auto fetched = fetch_round(job, *missing); !fetched) return fetched.error();
    missing = lacking(*parts);
    if (!missing) return missing.error();
    if (!missing->empty())
      return fail(Errc::unavailable, "{} of {} parts did not come", missing->size(), parts->size());
  }
  if (held) return {};
  if (auto put = store_.put(root, *bytes); !put) return put.error();
  ++stored_chunks_;
  return {};
}

Result<Bytes> Transfer::fetch_one(const Job& job, const Digest& id) {
  if (upstream_ == nullptr) return fail(Errc::unavailable, "no link to fetch it over");
  watch_.at(SyncStep::want, done_bytes_, std::max(total_bytes_, job.total_bytes));
  Bytes found;
  const auto keep = [&](FetchedChunk chunk) -> Result<void> {
    watch_.received(chunk.wire_bytes);
    if (!watch_.wanted()) return not_wanted();
    if (chunk.id == id && sha256(chunk.bytes) == id) found = std::move(chunk.bytes);
    return {};
  };
  for (int round = 0; round < kFruitlessRoundsMax && found.empty(); ++round) {
    auto fetched = upstream_->fetch(job.digest, std::span(&id, 1), keep);
    if (!fetched) return fetched.error();
  }
  if (found.empty()) return fail(Errc::unavailable, "the other side does not have it whole");
  return found;
}

Result<void> Transfer::get_chunks(const Job& job, const std::vector<ChunkRef>& closure) {
  int fruitless = 0;
  for (bool first = true;; first = false) {
    auto missing = lacking(closure);
    if (!missing) return missing.error();
    const std::uint64_t missing_bytes = bytes_of(*missing);
    done_bytes_ = total_bytes_ - missing_bytes;
    watch_.at(SyncStep::want, done_bytes_, total_bytes_);
    if (missing->empty()) return {};
    if (first) {
      if (auto room = check_room(closure, missing_bytes); !room) return room.error();
    }
    const std::uint64_t before = stored_chunks_;
    if (auto fetched = fetch_round(job, *missing); !fetched) return fetched.error();
    fruitless = stored_chunks_ == before ? fruitless + 1 : 0;
    if (fruitless < kFruitlessRoundsMax) continue;
    if (wrong_chunks_ > 0)
      return fail(Errc::mismatch, "{} chunks came with wrong bytes, {} are still missing",
                  wrong_chunks_, missing->size());
    return fail(Errc::unavailable, "the other side does not hold {} of the chunks",
                missing->size());
  }
}

Result<std::vector<ChunkRef>> Transfer::lacking(const std::vector<ChunkRef>& closure) {
  std::vector<Digest> ids;
  ids.reserve(closure.size());
  for (const ChunkRef& chunk : closure) ids.push_back(chunk.id);
  auto missing = store_.missing(ids);
  if (!missing) return missing.error();
  std::vector<ChunkRef> out;
  out.reserve(missing->size());
  auto at = closure.begin();
  for (const Digest& id : *missing) {  // in the order given
    at = std::find_if(at, closure.end(), [&](const ChunkRef& chunk) { return chunk.id == id; });
    if (at == closure.end()) return fail(Errc::internal, "chunk {}: not asked about", id);
    out.push_back(*at);
  }
  return out;
}

Result<std::vector<Digest>> Transfer::read_back(const std::vector<ChunkRef>& closure) {
  watch_.at(SyncStep::ready, total_bytes_, total_bytes_);
  std::vector<Digest> rotten, ids;
  std::uint64_t bytes = 0;
  for (const ChunkRef& chunk : closure) {
    ids.push_back(chunk.id);
    bytes += chunk.size_bytes;
    const bool last = &chunk == &closure.back();
    if (bytes < kReadBackBytes && ids.size() < kBatchChunksMax && !last) continue;
    if (!watch_.wanted()) return not_wanted();
    auto bad = store_.verify_all(ids);
    if (!bad) return bad.error();
    rotten.insert(rotten.end(), bad->begin(), bad->end());
    ids.clear();
    bytes = 0;
  }
  return rotten;
}

Result<void> Transfer::fetch_round(const Job& job, const std::vector<ChunkRef>& missing) {
  std::span<const ChunkRef> rest(missing);
  while (!rest.empty()) {
    // Under a limit no more is asked for at once than a second's worth: what is on the way already
    // comes at the line's speed.
    const std::uint64_t limit = watch_.bytes_per_second();
    const std::uint64_t bytes_max = limit == 0 ? kWantBytesMax : std::min(limit, kWantBytesMax);
    std::size_t count = 0;
    std::uint64_t bytes = 0;
    while (count < rest.size() && count < kWantChunksMax &&
           (count == 0 || bytes + rest[count].size_bytes <= bytes_max))
      bytes += rest[count++].size_bytes;
    if (auto fetched = fetch_batch(job, rest.first(count)); !fetched) return fetched.error();
    rest = rest.subspan(count);
  }
  return {};
}

Result<void> Transfer::fetch_batch(const Job& job, std::span<const ChunkRef> want) {
  if (upstream_ == nullptr)
    return fail(Errc::unavailable, "{} chunks are missing and there is no link", want.size());
  if (!watch_.wanted()) return not_wanted();
  std::vector<Digest> ids;
  wanted_.clear();
  last_came_ = clock_.steady();
  for (const ChunkRef& chunk : want) {
    ids.push_back(chunk.id);
    wanted_.emplace(chunk.id, chunk.size_bytes);
  }
  auto fetched = upstream_->fetch(job.digest, ids,
                                  [this](FetchedChunk chunk) { return take(std::move(chunk)); });
  // What came before a cut counts: it is stored, and not asked for again.
  auto kept = flush();
  wanted_.clear();
  if (!fetched) return fetched.error();
  return kept;
}

Result<void> Transfer::take(FetchedChunk chunk) {
  watch_.received(chunk.wire_bytes);
  if (!watch_.wanted()) return not_wanted();
  const SteadyTime now = clock_.steady();
  const Milliseconds delay = pacer_.took(chunk.wire_bytes, watch_.bytes_per_second(), now);
  const auto wanted = wanted_.find(chunk.id);
  if (wanted != wanted_.end()) {  // else doubled, or nobody asked for it
    const bool right_size = chunk.bytes.size() == wanted->second;
    wanted_.erase(wanted);
    if (right_size) {
      // On a line where a chunk takes that long each one is stored as it comes.
      if (batch_.empty()) batch_began_ = std::min(now, last_came_);
      batch_bytes_ += chunk.bytes.size();
      batch_.push_back(std::move(chunk));
    } else {
      ++wrong_chunks_;
    }
  }
  last_came_ = now;
  if (batch_bytes_ >= kBatchBytes || batch_.size() >= kBatchChunksMax ||
      (!batch_.empty() && now - batch_began_ >= kBatchAge) || delay >= kBatchAge) {
    if (auto kept = flush(); !kept) return kept.error();
  }
  if (delay > Milliseconds(0)) {
    watch_.pause(delay);
    if (!watch_.wanted()) return not_wanted();
  }
  return {};
}

Result<void> Transfer::flush() {
  if (batch_.empty()) return {};
  std::vector<ContentStore::Chunk> chunks;
  for (const FetchedChunk& chunk : batch_) chunks.push_back({chunk.id, chunk.bytes});
  auto put = store_.put(chunks);
  if (!put && put.error().code == Errc::mismatch) {
    // The store hashes once for all; only now is it worth finding out which.
    const std::size_t before = chunks.size();
    std::erase_if(chunks, [](const auto& chunk) { return sha256(chunk.bytes) != chunk.id; });
    wrong_chunks_ += before - chunks.size();
    log::warn("sync.chunks_wrong", log::kv("chunks", before - chunks.size()));
    put = chunks.empty() ? Result<void>() : store_.put(chunks);
  }
  if (put) {
    for (const auto& chunk : chunks) done_bytes_ += chunk.bytes.size();
    stored_chunks_ += chunks.size();
  }
  batch_.clear();
  batch_bytes_ = 0;
  watch_.at(SyncStep::chunk, done_bytes_, total_bytes_);
  return put;
}

}  // namespace farboot
