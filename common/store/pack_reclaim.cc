// The half of PackWriter that takes away: quarantine, forgetting, unlinking, punching.
#include <algorithm>

#include "common/base/atomic_file.h"
#include "common/base/log.h"
#include "common/store/pack_record.h"
#include "common/store/pack_writer.h"

namespace farboot {
namespace {

constexpr std::size_t kQuarantineRowsMax = 1000;  ///< older ones are forgotten
constexpr std::size_t kReclaimStep = 256;         ///< freed rows looked at per database write
constexpr std::uint64_t kPunchBytesMax = 64u << 20;

}  // namespace

/// Adds to `batch` what erasing one chunk takes; `rows` and `inline_row` are as they will be.
void PackWriter::erase_from(IndexBatch& batch, const Dead& dead,
                            std::map<std::uint32_t, PackRow>& rows, InlineRow& inline_row) const {
  batch.erase_chunk(dead.id, dead.place);
  if (dead.place.is_inline()) {
    --inline_row.chunks;
    inline_row.payload_bytes -= dead.place.size_bytes;
    return;
  }
  const auto known = rows_.find(dead.place.pack);
  if (known == rows_.end()) return;  // the pack's row is lost: nothing to count
  PackRow& row = rows.try_emplace(dead.place.pack, known->second).first->second;
  --row.chunks;
  row.payload_bytes -= dead.place.size_bytes;
}

Result<bool> PackWriter::quarantine(const Quarantined& chunk) {
  const std::lock_guard lock(mutex_);
  auto place = index_.find(chunk.id);
  if (!place) return place.error();
  if (*place != chunk.place) return false;  // gone, or stored anew elsewhere meanwhile

  IndexBatch batch;
  std::map<std::uint32_t, PackRow> rows;
  InlineRow inline_row = inline_row_;
  // The bytes stay where they are, unindexed: a bad block is better kept than given back.
  erase_from(batch, {chunk.id, chunk.place}, rows, inline_row);
  for (const auto& [pack, row] : rows) batch.put_pack(pack, row);
  batch.put_inline_row(inline_row);
  batch.put_quarantined(next_quarantine_, chunk);
  if (next_quarantine_ >= kQuarantineRowsMax) {
    batch.erase_quarantined(next_quarantine_ - kQuarantineRowsMax);
  }
  if (auto ok = index_.commit(batch); !ok) return ok.error();
  ++next_quarantine_;
  inline_row_ = inline_row;
  for (const auto& [pack, row] : rows) rows_[pack] = row;
  totals_.with([&](Totals& totals) {
    --totals.chunks;
    totals.payload_bytes -= chunk.place.size_bytes;
  });
  known_.forget(chunk.id);
  return true;
}

void PackWriter::begin_sweep() {
  const std::lock_guard lock(mutex_);
  put_during_sweep_.emplace();
}

void PackWriter::end_sweep() {
  const std::lock_guard lock(mutex_);
  put_during_sweep_.reset();
}

Result<PackWriter::Forgotten> PackWriter::forget(std::span<const Dead> dead) {
  const std::lock_guard lock(mutex_);
  IndexBatch batch;
  std::map<std::uint32_t, PackRow> rows;
  InlineRow inline_row = inline_row_;
  std::vector<Dead> erased;
  for (const Dead& chunk : dead) {
    if (put_during_sweep_ && put_during_sweep_->contains(chunk.id)) continue;
    auto place = index_.find(chunk.id);
    if (!place) return place.error();
    if (*place != chunk.place) continue;
    erase_from(batch, chunk, rows, inline_row);
    erased.push_back(chunk);
    if (chunk.place.is_inline()) continue;
    const auto begin = chunk.place.offset - static_cast<std::uint32_t>(kRecordHeaderBytes);
    const auto length = static_cast<std::uint32_t>(record_bytes(chunk.place.size_bytes));
    batch.put_freed({.pack = chunk.place.pack, .begin = begin, .end = begin + length});
  }
  if (erased.empty()) return Forgotten{};
  for (const auto& [pack, row] : rows) batch.put_pack(pack, row);
  batch.put_inline_row(inline_row);
  if (auto ok = index_.commit(batch); !ok) return ok.error();

  const Forgotten forgotten{.chunks = erased.size(),
                            .inline_bytes = inline_row_.payload_bytes - inline_row.payload_bytes};
  inline_row_ = inline_row;
  for (const auto& [pack, row] : rows) rows_[pack] = row;
  totals_.with([&](Totals& totals) {
    totals.chunks -= erased.size();
    for (const Dead& chunk : erased) totals.payload_bytes -= chunk.place.size_bytes;
  });
  for (const Dead& chunk : erased) known_.forget(chunk.id);
  return forgotten;
}

/// Files first, then their rows: a row without a file is nothing at start, files without rows look
/// like an index that was lost.
Result<std::uint64_t> PackWriter::drop_empty_packs() {
  const std::lock_guard lock(mutex_);
  IndexBatch batch;
  std::vector<std::uint32_t> empty;
  for (const auto& [pack, row] : rows_) {
    if (row.chunks != 0) continue;
    if (current_ == pack) current_ = 0;
    if (!folder_.remove(pack)) continue;
    batch.erase_pack(pack);
    empty.push_back(pack);
  }
  if (empty.empty()) return std::uint64_t{0};
  const std::uint64_t freed = totals_.with([&](Totals& totals) {
    std::uint64_t sum = 0;
    for (const std::uint32_t pack : empty) {
      sum += totals.disk_bytes[pack];
      totals.disk_bytes.erase(pack);
    }
    return sum;
  });
  if (auto ok = sync_folder(folder_.path()); !ok) return ok.error();
  if (auto ok = index_.commit(batch); !ok) return ok.error();
  for (const std::uint32_t pack : empty) rows_.erase(pack);
  return freed;
}

/// Punches one run of neighbours; their rows leave the index if nothing is left to punch.
std::uint64_t PackWriter::punch_run(std::span<const FreedRow> run, IndexBatch& batch) {
  const std::uint32_t pack = run.front().pack;
  auto file = folder_.file(pack);
  if (!file) {
    if (file.error().code != Errc::not_found) return 0;
    for (const FreedRow& row : run) batch.erase_freed(row);  // unlinked already
    return 0;
  }
  const std::uint64_t before = (*file)->disk_bytes();
  const ByteRange range{run.front().begin, run.back().end};
  auto punched = (*file)->punch(range);
  if (!punched) {
    log::warn("store.punch_failed", log::kv("error", punched.error().what));
    return 0;
  }
  const std::uint64_t after = (*file)->disk_bytes();
  totals_.with([&](Totals& totals) {
    const auto it = totals.disk_bytes.find(pack);
    if (it != totals.disk_bytes.end()) it->second = after;
  });
  if (punched->whole) {
    for (const FreedRow& row : run) batch.erase_freed(row);
  }
  return before > after ? std::min(before - after, range.size()) : 0;
}

Result<std::uint64_t> PackWriter::reclaim() {
  const std::lock_guard lock(reclaim_mutex_);
  std::uint64_t freed = 0;
  std::uint32_t pack = 0, begin = 0;
  for (;;) {
    auto rows = index_.freed(pack, begin, kReclaimStep);
    if (!rows) return rows.error();
    if (rows->empty()) return freed;
    IndexBatch batch;
    for (std::size_t i = 0; i < rows->size();) {
      const FreedRow& first = rows->at(i);
      std::size_t n = 1;
      if (folder_.leased(first.pack, first.payload_offset())) {
        i += n;
        continue;
      }
      // Neighbours go together, or the pages they share would stay. Less than two blocks between
      // two are the padding between batches and before a page: no chunk in a pack is that small.
      while (i + n < rows->size()) {
        const FreedRow& last = rows->at(i + n - 1);
        const FreedRow& next = rows->at(i + n);
        if (next.pack != first.pack || next.begin - last.end >= 2 * kPackBlockBytes ||
            next.end - first.begin > kPunchBytesMax ||
            folder_.leased(next.pack, next.payload_offset())) {
          break;
        }
        ++n;
      }
      freed += punch_run(std::span(*rows).subspan(i, n), batch);
      i += n;
    }
    if (auto ok = index_.commit(batch); !ok) return ok.error();
    pack = rows->back().pack;
    begin = rows->back().begin + 1;
  }
}

}  // namespace farboot
