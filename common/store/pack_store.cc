#include "common/store/pack_store.h"

#include <algorithm>
#include <unordered_set>

#include "common/base/log.h"
#include "common/store/free_space.h"
#include "common/store/pack_record.h"
#include "common/store/pack_scan.h"

namespace farboot {
namespace {

constexpr unsigned kBudgetPercent = 80;
constexpr unsigned kReservePercent = 2;
constexpr std::uint64_t kReserveBytesMin = 256'000'000;
constexpr std::size_t kHashPieceBytes = 256 * 1024;  ///< read and hashed at a time
constexpr std::size_t kSweepStep = 256;              ///< chunks forgotten per database write
/// A chunk that moves (swept and put again) between two looks is looked up again, this often.
constexpr int kFindTriesMax = 16;

Result<PackLimits> limits_for(const std::string& folder, const PackStoreOptions& options) {
  auto space = free_space(folder);
  if (!space) return prefix("store", space.error());
  const std::uint64_t size = space->size_bytes;
  return PackLimits{
      .budget_bytes = options.budget_bytes.value_or(size / 100 * kBudgetPercent),
      .reserve_bytes = options.reserve_bytes.value_or(
          std::max<std::uint64_t>(kReserveBytesMin, size / 100 * kReservePercent)),
      .pack_bytes_max = std::min(options.pack_bytes_max, kPackBytesMax),
  };
}

/// While it lives, what is put is not forgotten.
class SweepMark {
 public:
  explicit SweepMark(PackWriter& writer) : writer_(writer) { writer_.begin_sweep(); }
  ~SweepMark() { writer_.end_sweep(); }
  SweepMark(const SweepMark&) = delete;
  SweepMark& operator=(const SweepMark&) = delete;

 private:
  PackWriter& writer_;
};

Error not_held(const Digest& id) { return fail(Errc::not_found, "chunk {}: not held", id); }

ChunkSource source_of(const PackFile& file, const ChunkPlace& place,
                      std::shared_ptr<const void> lease) {
  ChunkSource source;
  source.fd = file.fd();
  source.offset = place.offset;
  source.size_bytes = place.size_bytes;
  source.lease = std::move(lease);
  return source;
}

}  // namespace

PackStore::PackStore(Database& database, const std::string& folder, PackStoreOptions options,
                     PackLimits limits)
    : options_(std::move(options)),
      known_(std::make_unique<KnownChunks>()),
      folder_(std::make_unique<PackFolder>(folder)),
      index_(std::make_unique<ChunkIndex>(database)),
      writer_(std::make_unique<PackWriter>(*index_, *folder_, *known_, limits)) {}

Result<std::unique_ptr<PackStore>> PackStore::open(Database& database, const std::string& folder,
                                                   PackStoreOptions options) {
  if (auto ok = PackFolder(folder).make(); !ok) return ok.error();
  auto limits = limits_for(folder, options);
  if (!limits) return limits.error();
  std::unique_ptr<PackStore> store(new PackStore(database, folder, std::move(options), *limits));
  if (auto ok = store->writer_->load(); !ok) return ok.error();
  // What a sweep before the last stop could not free any more. A full disk is no reason not to
  // serve what is held.
  if (auto freed = store->writer_->reclaim(); !freed) {
    log::warn("store.reclaim_failed", log::kv("error", freed.error().what));
  }
  const StoreUsage usage = store->writer_->usage();
  log::info("store.opened", log::kv("folder", folder), log::kv("chunks", usage.chunks),
            log::kv("bytes", usage.payload_bytes), log::kv("disk_bytes", usage.disk_bytes),
            log::kv("budget_bytes", usage.budget_bytes), log::kv("free_bytes", usage.free_bytes));
  return store;
}

Result<PackStore::Found> PackStore::find(const Digest& id) const {
  for (int tries = 0; tries < kFindTriesMax; ++tries) {
    auto place = index_->find(id);
    if (!place) return place.error();
    if (!*place) return not_held(id);
    Found found{.place = **place};
    std::string why;
    if (found.place.is_inline()) {
      auto bytes = index_->inline_bytes(id);
      if (!bytes && bytes.error().code != Errc::corrupt) return bytes.error();
      if (bytes && *bytes) {
        found.inline_bytes = std::make_shared<const Bytes>(std::move(**bytes));
        return found;
      }
      why = bytes ? "its inline bytes are gone" : bytes.error().what;
    } else {
      auto file = folder_->file(found.place.pack);
      if (!file && file.error().code != Errc::not_found) return file.error();
      if (file) {
        found.file = *file;
        found.lease = folder_->lease(*file, found.place.pack, found.place.offset);
      } else {
        why = file.error().what;
      }
    }
    // Look again, now that the lease is there: a sweep that forgot the chunk before did not see
    // it, one that forgets it from now on does.
    auto again = index_->find(id);
    if (!again) return again.error();
    if (*again != found.place) continue;
    if (found.file) return found;
    return quarantine(id, found.place, std::move(why));
  }
  return fail(Errc::unavailable, "chunk {}: moved {} times while being looked up", id,
              kFindTriesMax);
}

/// Hashes what is stored. Quarantines what is wrong.
Result<void> PackStore::check(const Digest& id, const Found& found) const {
  Sha256 hasher;
  if (found.inline_bytes) {
    hasher.update(*found.inline_bytes);
  } else {
    Bytes piece(std::min<std::size_t>(kHashPieceBytes, found.place.size_bytes));
    for (std::uint64_t done = 0; done < found.place.size_bytes; done += piece.size()) {
      const auto length = std::min<std::uint64_t>(piece.size(), found.place.size_bytes - done);
      const auto part = std::span(piece).first(length);
      if (auto ok = found.file->read(found.place.offset + done, part); !ok) {
        return quarantine(id, found.place, ok.error().what);
      }
      hasher.update(part);
    }
  }
  if (hasher.finish() != id) return quarantine(id, found.place, "the bytes have another digest");
  known_->set_checked(id);
  remember(id, found.place);
  return {};
}

/// Of a chunk that was checked: where it lies.
void PackStore::remember(const Digest& id, const ChunkPlace& place) const {
  if (!place.is_inline()) known_->set_place(id, place);
  // Forgotten meanwhile: then it is not held, and may not be remembered.
  auto again = index_->find(id);
  if (!again || *again != place) known_->forget(id);
}

Error PackStore::quarantine(const Digest& id, const ChunkPlace& place, std::string why) const {
  // Known to be bad, whether the database can note it down now or not: never given out unhashed.
  known_->forget(id);
  const Quarantined chunk{id, place, system_clock().wall(), std::move(why)};
  auto done = writer_->quarantine(chunk);
  log::warn("store.quarantined", log::kv("chunk", id), log::kv("pack", place.pack),
            log::kv("offset", place.offset), log::kv("bytes", place.size_bytes),
            log::kv("why", chunk.why), log::kv("stored", done ? "ok" : done.error().what));
  // One that moved meanwhile (false) is another chunk's matter.
  if ((!done || *done) && options_.on_quarantine) options_.on_quarantine(chunk);
  return fail(Errc::corrupt, "chunk {}: {}", id, chunk.why);
}

Result<Bytes> PackStore::get(const Digest& id) const {
  auto found = find(id);
  if (!found) return found.error();
  Bytes bytes;
  if (found->inline_bytes) {
    bytes = *found->inline_bytes;
  } else {
    bytes.resize(found->place.size_bytes);
    if (auto ok = found->file->read(found->place.offset, bytes); !ok) {
      return quarantine(id, found->place, ok.error().what);
    }
  }
  if (sha256(bytes) != id) return quarantine(id, found->place, "the bytes have another digest");
  return bytes;
}

Result<void> PackStore::put(std::span<const Chunk> chunks) {
  // Hashing needs no lock: threads do it side by side, the disk comes after.
  for (const Chunk& chunk : chunks) {
    if (chunk.bytes.empty() || chunk.bytes.size() > kChunkBytesMax) {
      return fail(Errc::invalid, "chunk {}: {} bytes, 1 to {} are allowed", chunk.id,
                  chunk.bytes.size(), kChunkBytesMax);
    }
    if (sha256(chunk.bytes) != chunk.id) {
      return fail(Errc::mismatch, "chunk {}: the bytes have another digest", chunk.id);
    }
  }
  auto done = writer_->put(chunks);
  inline_unflushed_ = true;
  return done;
}

Result<std::vector<Digest>> PackStore::missing(std::span<const Digest> ids) const {
  std::vector<Digest> absent;
  std::unordered_set<Digest, DigestHash> seen;
  for (const Digest& id : ids) {
    if (!seen.insert(id).second) continue;
    auto place = index_->find(id);
    if (!place) return place.error();
    if (!*place) absent.push_back(id);
  }
  return absent;
}

Result<ChunkSource> PackStore::open(const Digest& id) const {
  auto found = find(id);
  if (!found) return found.error();
  if (!checked(id)) {
    if (auto ok = check(id, *found); !ok) return ok.error();
  } else if (found->file && !known_->place(id)) {
    remember(id, found->place);
  }
  if (found->file) return source_of(*found->file, found->place, std::move(found->lease));
  ChunkSource source;
  source.size_bytes = found->place.size_bytes;
  source.inline_bytes = found->inline_bytes;
  source.lease = found->inline_bytes;
  return source;
}

std::optional<ChunkSource> PackStore::open_at_once(const Digest& id) const {
  const auto place = known_->place(id);
  if (!place) return std::nullopt;
  const auto file = folder_->file_if_open(place->pack);
  if (!file) return std::nullopt;
  auto lease = folder_->lease(file, place->pack, place->offset);
  // As in find(): only a place still known with the lease there is safe from a sweep, which tells
  // `known_` before it looks for leases.
  if (known_->place(id) != place) return std::nullopt;
  return source_of(*file, *place, std::move(lease));
}

bool PackStore::checked(const Digest& id) const { return known_->checked(id); }

Result<std::uint64_t> PackStore::sweep(const std::function<bool(const Digest&)>& keep) {
  const std::lock_guard one_at_a_time(sweep_mutex_);
  const SweepMark mark(*writer_);
  std::uint64_t freed = 0, chunks = 0;
  std::optional<Error> failed;
  std::vector<PackWriter::Dead> step;
  const auto forget_step = [&] {
    auto forgotten = writer_->forget(step);
    if (forgotten) {
      freed += forgotten->inline_bytes;
      chunks += forgotten->chunks;
    } else {
      failed = forgotten.error();
    }
    step.clear();
    return forgotten.has_value();
  };
  auto done = index_->each_chunk([&](const Digest& id, const ChunkPlace& place) {
    if (keep(id)) return true;
    step.push_back({id, place});
    return step.size() < kSweepStep || forget_step();
  });
  if (done && !failed && !step.empty()) forget_step();
  // What was forgotten is freed even if the walk ended early: it is durable already.
  auto unlinked = writer_->drop_empty_packs();
  auto punched = writer_->reclaim();
  if (!done) return done.error();
  if (failed) return *failed;
  if (!unlinked) return unlinked.error();
  if (!punched) return punched.error();
  freed += *unlinked + *punched;
  log::info("store.swept", log::kv("chunks", chunks), log::kv("freed_bytes", freed));
  return freed;
}

Result<StoreUsage> PackStore::usage() const { return writer_->usage(); }

Result<std::vector<Quarantined>> PackStore::quarantined() const {
  auto rows = index_->quarantined();
  if (!rows) return rows.error();
  std::vector<Quarantined> chunks;
  for (auto& [sequence, chunk] : *rows) chunks.push_back(std::move(chunk));
  return chunks;
}

Result<PackStore::Rebuilt> PackStore::rebuild(Database& database, const std::string& folder_path) {
  ChunkIndex index(database);
  const PackFolder folder(folder_path);
  if (auto ok = folder.make(); !ok) return ok.error();
  auto numbers = folder.numbers();
  if (!numbers) return numbers.error();

  // The mark keeps a half-made index from being used. Bytes waiting to be punched may hold a chunk
  // that is about to be found again: they are forgotten first.
  IndexBatch begin;
  begin.put_flag(kFlagRebuilding);
  if (auto ok = index.commit(begin); !ok) return ok.error();
  if (auto ok = index.erase_packs(); !ok) return ok.error();
  std::optional<Error> failed;
  IndexBatch batch;
  std::size_t batched = 0;
  InlineRow inline_row;
  auto walked = index.each_chunk([&](const Digest& id, const ChunkPlace& place) {
    if (place.is_inline()) {
      ++inline_row.chunks;
      inline_row.payload_bytes += place.size_bytes;
      return true;
    }
    batch.erase_chunk(id, place);
    if (++batched % 1000 != 0) return true;
    if (auto ok = index.commit(batch); !ok) failed = ok.error();
    batch = IndexBatch();
    return !failed;
  });
  if (!walked) return walked.error();
  if (failed) return *failed;
  batch.put_inline_row(inline_row);
  if (auto ok = index.commit(batch); !ok) return ok.error();

  Rebuilt rebuilt;
  for (const std::uint32_t number : *numbers) {
    auto row = index_pack(index, folder, number, [](const Digest&) {});
    if (!row) return row.error();
    ++rebuilt.packs;
    rebuilt.chunks += row->chunks;
    rebuilt.payload_bytes += row->payload_bytes;
    log::info("store.pack_rebuilt", log::kv("pack", number), log::kv("of", numbers->size()),
              log::kv("chunks", row->chunks), log::kv("bytes", row->payload_bytes));
  }
  IndexBatch end;
  end.put_flag(kFlagStoreMade);
  end.erase_flag(kFlagRebuilding);
  if (auto ok = index.commit(end); !ok) return ok.error();
  return rebuilt;
}

}  // namespace farboot
