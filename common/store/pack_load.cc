// The half of PackWriter that runs once: rows and files are brought together.
#include <algorithm>

#include "common/base/log.h"
#include "common/store/pack_record.h"
#include "common/store/pack_scan.h"
#include "common/store/pack_writer.h"

namespace farboot {
namespace {

/// Packs without a row that a crash can leave; more of them mean that the index is an old one.
constexpr std::size_t kAdoptedPacksMax = 4;

}  // namespace

Result<void> PackWriter::load() {
  const std::lock_guard lock(mutex_);
  auto rebuilding = index_.flag(kFlagRebuilding);
  if (!rebuilding) return rebuilding.error();
  if (*rebuilding) {
    return fail(Errc::corrupt, "store {}: a rebuild of the index was interrupted: repeat it",
                folder_.path());
  }
  if (auto ok = folder_.make(); !ok) return ok.error();
  auto rows = index_.packs();
  if (!rows) return rows.error();
  auto inline_row = index_.inline_row();
  if (!inline_row) return inline_row.error();
  auto next_pack = index_.next_pack();
  if (!next_pack) return next_pack.error();
  auto quarantined = index_.quarantined();
  if (!quarantined) return quarantined.error();
  auto numbers = folder_.numbers();
  if (!numbers) return numbers.error();
  auto made = index_.flag(kFlagStoreMade);
  if (!made) return made.error();
  std::vector<std::uint32_t> unknown;
  for (const std::uint32_t number : *numbers) {
    if (!rows->contains(number)) unknown.push_back(number);
  }
  if ((!*made && !unknown.empty()) || unknown.size() > kAdoptedPacksMax) {
    return fail(Errc::corrupt,
                "store {}: {} of {} pack files are not in the index, which was lost or is an old "
                "copy: rebuild it",
                folder_.path(), unknown.size(), numbers->size());
  }
  if (!*made) {
    IndexBatch batch;
    batch.put_flag(kFlagStoreMade);
    if (auto ok = index_.commit(batch); !ok) return ok.error();
  }
  rows_ = std::move(*rows);
  inline_row_ = *inline_row;
  next_pack_ = *next_pack;
  if (!numbers->empty()) next_pack_ = std::max(next_pack_, numbers->back() + 1);
  if (!rows_.empty()) next_pack_ = std::max(next_pack_, rows_.rbegin()->first + 1);
  if (!quarantined->empty()) next_quarantine_ = quarantined->rbegin()->first + 1;
  for (auto& [number, row] : rows_) {
    if (auto ok = load_pack(number, row); !ok) return ok.error();
  }
  totals_.with([&](Totals& totals) {
    totals.chunks = inline_row_.chunks;
    totals.payload_bytes = inline_row_.payload_bytes;
    for (const auto& [number, row] : rows_) {
      totals.chunks += row.chunks;
      totals.payload_bytes += row.payload_bytes;
    }
  });
  unadopted_ = std::move(unknown);
  // On a full disk what is indexed is served all the same.
  if (auto ok = adopt(); !ok && ok.error().code != Errc::exhausted) return ok.error();
  return {};
}

/// Cuts what a crash left behind the last indexed record.
Result<void> PackWriter::load_pack(std::uint32_t number, PackRow& row) {
  auto file = folder_.file(number);
  if (!file) {
    if (file.error().code != Errc::not_found) return file.error();
    // Each of its chunks is found out, quarantined and fetched again when it is next wanted.
    if (row.chunks == 0) return {};
    log::error("store.pack_lost", log::kv("pack", number), log::kv("chunks", row.chunks),
               log::kv("bytes", row.payload_bytes));
    return {};
  }
  const std::uint64_t size = (*file)->size_bytes();
  if (size > row.end) {
    if (auto ok = (*file)->truncate(row.end); !ok) return ok.error();
    log::info("store.tail_cut", log::kv("pack", number), log::kv("bytes", size - row.end));
  } else if (size < row.end) {
    log::error("store.pack_short", log::kv("pack", number), log::kv("bytes", row.end - size));
  }
  current_ = size < row.end ? 0 : number;  // the last one is appended to
  totals_.with([&](Totals& totals) { totals.disk_bytes[number] = (*file)->disk_bytes(); });
  return {};
}

/// Packs that came to be just before a crash: whole records are kept, empty files go. On a full
/// disk they wait for the next put.
Result<void> PackWriter::adopt() {
  while (!unadopted_.empty()) {
    const std::uint32_t number = unadopted_.front();
    auto row =
        index_pack(index_, folder_, number, [this](const Digest& id) { known_.set_checked(id); });
    if (!row) return prefix("store", row.error());
    log::info("store.pack_adopted", log::kv("pack", number), log::kv("chunks", row->chunks));
    if (row->chunks == 0) {
      IndexBatch batch;
      batch.erase_pack(number);
      if (auto ok = index_.commit(batch); !ok) return ok.error();
      folder_.remove(number);
    } else {
      auto file = folder_.file(number);
      if (!file) return file.error();
      rows_[number] = *row;
      totals_.with([&](Totals& totals) {
        totals.chunks += row->chunks;
        totals.payload_bytes += row->payload_bytes;
        totals.disk_bytes[number] = (*file)->disk_bytes();
      });
    }
    unadopted_.erase(unadopted_.begin());
  }
  return {};
}

}  // namespace farboot
