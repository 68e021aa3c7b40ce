#include "controller/import/intake.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"

namespace farboot {
namespace {

constexpr std::size_t kPieceBytes = kChunkBytesMax;  ///< read and hashed at once
constexpr std::size_t kBatchBytes = 16u << 20;       ///< stored with one sync
constexpr std::size_t kBatchChunksMax = 4096;
constexpr std::size_t kHashPiecesWaiting = 8;
constexpr std::size_t kBatchesWaiting = 1;
/// In bounds: piece_ is never longer than a fixed chunk, so a file of one piece is one chunk.
static_assert(kPieceBytes == kChunkBytesMax);

}  // namespace

Intake::Intake(ContentStore& store, Meter& meter, Mode mode)
    : store_(store),
      meter_(meter),
      mode_(mode),
      hashing_(kHashPiecesWaiting),
      storing_(kBatchesWaiting) {}

Result<void> Intake::begin(const SourceFile& file) {
  file_ = file;
  reset_file();
  return meter_.file(file.path);
}

void Intake::reset_file() {
  hashing_.drain();
  whole_ = Sha256();
  chunker_.reset();
  entry_ = FileEntry{.path = file_.path, .mode = file_.mode};
  piece_ = {};
  read_bytes_ = 0;
  in_pieces_ = false;
}

void Intake::again() {
  meter_.rewind(read_bytes_);
  reset_file();
}

Result<void> Intake::write(ByteView data) {
  while (!data.empty()) {
    if (piece_.size() == kPieceBytes) {  // only now is it sure that more follows
      if (auto ok = close_piece(); !ok) return ok.error();
    }
    if (piece_.capacity() == 0) {
      const std::uint64_t left = file_.size_bytes.value_or(kPieceBytes) - read_bytes_;
      piece_.reserve(
          std::clamp<std::uint64_t>(left, std::min(data.size(), kPieceBytes), kPieceBytes));
    }
    const ByteView part = data.first(std::min(data.size(), kPieceBytes - piece_.size()));
    data = data.subspan(part.size());
    piece_.insert(piece_.end(), part.begin(), part.end());
    read_bytes_ += part.size();
    if (file_.size_bytes && read_bytes_ > *file_.size_bytes)
      return fail(Errc::mismatch, "{}: longer than the {} bytes it was listed with",
                  printable(file_.path), *file_.size_bytes);
    if (auto ok = meter_.advance(part.size()); !ok) return ok.error();
  }
  return {};
}

Result<void> Intake::close_piece() {
  if (!in_pieces_) {
    in_pieces_ = true;
    const std::uint64_t size_bytes = file_.size_bytes.value_or(0);
    const ByteView head = ByteView(piece_).first(std::min(piece_.size(), kCuttingHeadBytes));
    if (cutting_for(file_.path, size_bytes, head) == Cutting::content)
      chunker_.emplace(Cutting::content);
  }
  const Piece piece = std::make_shared<const Bytes>(std::exchange(piece_, {}));
  hashing_.post([this, piece] { whole_.update(*piece); });
  return chunker_ ? cut_by_content(piece) : keep_chunk(*piece, piece);
}

Result<void> Intake::cut_by_content(const Piece& piece) {
  for (ByteView rest = *piece; !rest.empty();) {
    const Chunker::Step step = chunker_->push(rest);
    if (!step.chunk.empty()) {
      // Wholly inside this piece: borrow it. Otherwise the chunker joined it and will reuse it.
      const bool inside = step.chunk.data() == rest.data();
      const Piece owner =
          inside ? piece : std::make_shared<const Bytes>(step.chunk.begin(), step.chunk.end());
      if (auto ok = keep_chunk(inside ? step.chunk : ByteView(*owner), owner); !ok)
        return ok.error();
    }
    rest = rest.subspan(step.used);
  }
  return {};
}

Result<void> Intake::keep_chunk(ByteView bytes, Piece owner) {
  const Digest id = sha256(bytes);
  entry_.chunks.push_back({id, static_cast<std::uint32_t>(bytes.size())});
  batch_.push_back({id, bytes, std::move(owner)});
  batch_bytes_ += bytes.size();
  if (batch_bytes_ >= kBatchBytes || batch_.size() >= kBatchChunksMax) return flush();
  return {};
}

Result<void> Intake::end() {
  if (file_.size_bytes && read_bytes_ != *file_.size_bytes)
    return fail(Errc::mismatch, "{}: ends after {} of the {} bytes it was listed with",
                printable(file_.path), read_bytes_, *file_.size_bytes);
  if (in_pieces_) {
    if (auto ok = close_piece(); !ok) return ok.error();
    if (chunker_) {
      if (const ByteView tail = chunker_->finish(); !tail.empty()) {
        const Piece owner = std::make_shared<const Bytes>(tail.begin(), tail.end());
        if (auto ok = keep_chunk(*owner, owner); !ok) return ok.error();
      }
    }
    hashing_.drain();
    entry_.sha256 = whole_.finish();
  } else if (!piece_.empty()) {  // one chunk: one hash serves both
    const Piece piece = std::make_shared<const Bytes>(std::exchange(piece_, {}));
    if (auto ok = keep_chunk(*piece, piece); !ok) return ok.error();
    entry_.sha256 = entry_.chunks.front().id;
  } else {
    entry_.sha256 = sha256({});
  }
  entry_.size_bytes = read_bytes_;
  if (file_.checksum && file_.checksum->algorithm == "sha256" &&
      file_.checksum->hex != entry_.sha256.hex())
    return fail(Errc::mismatch, "{}: sha256 is {}, the tree promises {}", printable(file_.path),
                entry_.sha256, file_.checksum->hex);
  files_.push_back(std::move(entry_));
  return meter_.file_done();
}

Result<void> Intake::adopt(FileEntry entry) {
  if (auto ok = meter_.file(entry.path); !ok) return ok.error();
  if (auto ok = meter_.advance(entry.size_bytes); !ok) return ok.error();
  files_.push_back(std::move(entry));
  return meter_.file_done();
}

Result<std::vector<FileEntry>> Intake::finish() {
  if (auto ok = flush(); !ok) return ok.error();
  storing_.drain();
  if (auto ok = failure(); !ok) return ok.error();
  return std::move(files_);
}

Result<void> Intake::failure() const {
  const std::optional<Error> error = failed_.with([](const auto& failed) { return failed; });
  if (error) return *error;
  return {};
}

Result<void> Intake::flush() {
  if (auto ok = failure(); !ok) return ok.error();
  if (batch_.empty()) return {};
  auto batch = std::make_shared<const Batch>(std::exchange(batch_, {}));
  batch_bytes_ = 0;
  storing_.post([this, batch] { store_batch(*batch); });
  return {};
}

void Intake::store_batch(const Batch& batch) {
  if (!failure()) return;  // one failed batch ends the import; the rest is not worth the disk
  if (auto ok = store_missing(batch); !ok)
    failed_.with([&ok](auto& failed) { failed = ok.error(); });
}

Result<void> Intake::store_missing(const Batch& batch) {
  std::vector<Digest> ids;
  ids.reserve(batch.size());
  for (const Cut& cut : batch) ids.push_back(cut.id);
  auto missing = store_.missing(ids);
  if (!missing) return missing.error();
  // In the order given, each once: walk both lists together.
  std::vector<ContentStore::Chunk> chunks;
  for (std::size_t i = 0; i < batch.size() && chunks.size() < missing->size(); ++i)
    if (batch[i].id == (*missing)[chunks.size()]) chunks.push_back({batch[i].id, batch[i].bytes});
  FARBOOT_CHECK(chunks.size() == missing->size());
  for (const ContentStore::Chunk& chunk : chunks)
    if (mode_ == Mode::keep || counted_.insert(chunk.id).second)
      missing_bytes_ += chunk.bytes.size();
  if (mode_ == Mode::measure || chunks.empty()) return {};
  return store_.put(chunks);
}

}  // namespace farboot
