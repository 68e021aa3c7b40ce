#include "controller/import/whole_iso.h"

#include <algorithm>
#include <functional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace farboot {
namespace {

constexpr std::size_t kIsoPieceBytes = kChunkBytesMax;
constexpr std::size_t kIsoBatchBytes = 16u << 20;

class Keeper {
 public:
  Keeper(const WholeIso& iso, const std::vector<FileEntry>& files, ContentStore& store,
         Meter& meter)
      : iso_(iso), store_(store), meter_(meter) {
    for (const FileEntry& file : files) {
      known_.try_emplace(file.sha256, &file);
      sizes_.insert(file.size_bytes);
    }
  }

  Result<FileEntry> run() {
    auto extents = iso_extents(iso_.read, iso_.size_bytes);
    if (!extents) return extents.error();
    std::uint64_t at = 0;
    for (const IsoExtent& extent : *extents) {
      if (!sizes_.contains(extent.size_bytes)) continue;
      if (auto ok = keep({at, extent.offset_bytes - at}, &whole_); !ok) return ok.error();
      if (auto ok = share(extent); !ok) return ok.error();
      at = extent.offset_bytes + extent.size_bytes;
    }
    if (auto ok = keep({at, iso_.size_bytes - at}, &whole_); !ok) return ok.error();
    if (auto ok = flush(); !ok) return ok.error();
    entry_.path = iso_.path;
    entry_.size_bytes = iso_.size_bytes;
    entry_.sha256 = whole_.finish();
    return std::move(entry_);
  }

 private:
  using Take = std::function<Result<void>(Bytes)>;

  Result<void> read_pieces(const IsoExtent& part, const Take& take) {
    for (std::uint64_t done = 0; done < part.size_bytes;) {
      Bytes piece(std::min<std::uint64_t>(kIsoPieceBytes, part.size_bytes - done));
      auto got = iso_.read(part.offset_bytes + done, piece);
      if (!got) return got.error();
      if (*got != piece.size()) return fail(Errc::mismatch, "the image became shorter meanwhile");
      done += piece.size();
      if (auto ok = take(std::move(piece)); !ok) return ok.error();
    }
    return {};
  }

  /// Stores a part of the image. `whole` is fed unless it has seen these bytes.
  Result<void> keep(const IsoExtent& part, Sha256* whole) {
    return read_pieces(part, [this, whole](Bytes piece) -> Result<void> {
      if (whole != nullptr) {
        whole->update(piece);
        if (auto ok = meter_.advance(piece.size()); !ok) return ok.error();
      }
      const Digest id = sha256(piece);
      entry_.chunks.push_back({id, static_cast<std::uint32_t>(piece.size())});
      batch_bytes_ += piece.size();
      batch_.emplace_back(id, std::move(piece));
      return batch_bytes_ >= kIsoBatchBytes ? flush() : Result<void>();
    });
  }

  /// A file's place: its chunks, if it is one of the tree's.
  Result<void> share(const IsoExtent& extent) {
    Sha256 hasher;
    auto read = read_pieces(extent, [this, &hasher](const Bytes& piece) {
      whole_.update(piece);
      hasher.update(piece);
      return meter_.advance(piece.size());
    });
    if (!read) return read.error();
    const auto file = known_.find(hasher.finish());
    if (file == known_.end()) return keep(extent, nullptr);
    const std::vector<ChunkRef>& chunks = file->second->chunks;
    entry_.chunks.insert(entry_.chunks.end(), chunks.begin(), chunks.end());
    return {};
  }

  Result<void> flush() {
    std::vector<ContentStore::Chunk> chunks;
    std::unordered_set<Digest, DigestHash> once;
    for (const auto& [id, bytes] : batch_)
      if (once.insert(id).second) chunks.push_back({id, bytes});
    if (!chunks.empty())
      if (auto ok = store_.put(chunks); !ok) return ok.error();
    batch_.clear();
    batch_bytes_ = 0;
    return {};
  }

  const WholeIso& iso_;
  ContentStore& store_;
  Meter& meter_;
  std::unordered_map<Digest, const FileEntry*, DigestHash> known_;
  std::unordered_set<std::uint64_t> sizes_;
  FileEntry entry_;
  Sha256 whole_;
  std::vector<std::pair<Digest, Bytes>> batch_;
  std::size_t batch_bytes_ = 0;
};

}  // namespace

Result<FileEntry> keep_whole_iso(const WholeIso& iso, const std::vector<FileEntry>& files,
                                 ContentStore& store, Meter& meter) {
  if (auto ok = meter.start("whole ISO", {1, iso.size_bytes}); !ok) return ok.error();
  if (auto ok = meter.file(iso.path); !ok) return ok.error();
  auto entry = Keeper(iso, files, store, meter).run();
  if (!entry) return prefix("the ISO as a file of its tree", entry.error());
  if (auto ok = meter.file_done(); !ok) return ok.error();
  return entry;
}

}  // namespace farboot
