#include "common/store/pack_writer.h"

#include <algorithm>
#include <utility>

#include "common/base/log.h"
#include "common/store/free_space.h"
#include "common/store/pack_record.h"

namespace farboot {
namespace {

/// What a chunk costs in the database beside its payload, with room to spare.
constexpr std::uint64_t kIndexBytesPerChunk = 256;
constexpr std::array<std::uint8_t, kPackBlockBytes> kZeros{};

std::uint64_t available_bytes(const std::string& folder) {
  auto space = free_space(folder);
  return space ? space->available_bytes : 0;
}

std::uint64_t minus(std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; }

}  // namespace

std::uint64_t PackWriter::reserve_bytes() const {
  return std::max(limits_.reserve_bytes, index_.database().room_bytes());
}

StoreUsage PackWriter::usage() const {
  StoreUsage usage;
  totals_.with([&](const Totals& totals) {
    usage.chunks = totals.chunks;
    usage.payload_bytes = totals.payload_bytes;
    for (const auto& [pack, bytes] : totals.disk_bytes) usage.disk_bytes += bytes;
  });
  usage.disk_bytes += index_.database().disk_bytes();
  usage.budget_bytes = limits_.budget_bytes;
  usage.free_bytes = std::min(minus(limits_.budget_bytes, usage.disk_bytes),
                              minus(available_bytes(folder_.path()), reserve_bytes()));
  return usage;
}

Result<PackWriter::Fresh> PackWriter::not_held(std::span<const ContentStore::Chunk> chunks) {
  Fresh fresh;
  std::unordered_set<Digest, DigestHash> seen;
  for (const ContentStore::Chunk& chunk : chunks) {
    if (!seen.insert(chunk.id).second) continue;
    auto place = index_.find(chunk.id);
    if (!place) return place.error();
    if (!*place) fresh.push_back(&chunk);
  }
  return fresh;
}

Result<void> PackWriter::put(std::span<const ContentStore::Chunk> chunks) {
  const std::lock_guard lock(mutex_);
  if (put_during_sweep_) {
    for (const auto& chunk : chunks) put_during_sweep_->insert(chunk.id);
  }
  auto fresh = not_held(chunks);
  if (!fresh) return fresh.error();
  if (fresh->empty()) return {};

  Fresh small, large;
  std::uint64_t wanted = kPackBlockBytes, indexed = 0;
  for (const auto* chunk : *fresh) {
    const bool fits_inline = chunk->bytes.size() <= kInlineBytesMax;
    (fits_inline ? small : large).push_back(chunk);
    wanted += record_room(static_cast<std::uint32_t>(chunk->bytes.size())) + kIndexBytesPerChunk;
    indexed += kIndexBytesPerChunk + (fits_inline ? chunk->bytes.size() : 0);
  }
  if (auto ok = check_room(wanted); !ok) return ok.error();
  if (auto ok = index_.database().make_writable(indexed); !ok) return prefix("store", ok.error());
  undo(std::exchange(refused_, {}));
  if (auto ok = adopt(); !ok) return ok.error();

  std::vector<ChunkPlace> places;
  std::vector<Touched> touched;
  if (auto ok = append(large, places, touched); !ok) {
    undo(touched);
    return prefix("store", ok.error());
  }
  if (auto ok = record(small, large, places, touched); !ok) {
    // The database may or may not remember the batch after a crash: leave the bytes where they
    // are, and write no others in their place, until it is writable again.
    current_ = 0;
    refused_ = std::move(touched);
    return prefix("store", ok.error());
  }
  for (const auto* chunk : *fresh) known_.set_checked(chunk->id);
  return {};
}

Result<void> PackWriter::check_room(std::uint64_t wanted) {
  StoreUsage now = usage();
  if (wanted <= now.free_bytes) return {};
  // What the last sweep could not free because somebody was reading it may be free by now.
  if (auto freed = reclaim(); freed && *freed > 0) now = usage();
  if (wanted <= now.free_bytes) return {};
  return fail(Errc::exhausted,
              "store: {} bytes wanted, {} free: {} used of a budget of {}, the file system has {} "
              "free and {} stay in reserve",
              wanted, now.free_bytes, now.disk_bytes, now.budget_bytes,
              available_bytes(folder_.path()), reserve_bytes());
}

/// The pack that the next batch goes to, its end moved to the next block: no write touches a block
/// that holds acknowledged bytes.
Result<PackWriter::Touched> PackWriter::pack_for(std::uint32_t first_size_bytes) {
  Touched touched;
  if (current_ != 0) {
    touched.pack = current_;
    touched.row = rows_[current_];
    touched.end_before = touched.row.end;
    touched.row.end = align_up(touched.row.end, kPackBlockBytes);
    if (record_end(touched.row.end, first_size_bytes) <= limits_.pack_bytes_max) {
      auto file = folder_.file(current_);
      if (!file) return file.error();
      touched.file = *file;
      return touched;
    }
  }
  current_ = 0;
  const std::uint32_t number = next_pack_++;
  auto file = folder_.create(number);
  if (!file) return file.error();
  touched = Touched{.pack = number, .file = *file, .created = true};
  const Bytes header = encode_pack_header(number);
  const ByteView parts[] = {header};
  auto ok = touched.file->write(0, parts);
  if (ok) ok = sync_folder(folder_.path());
  if (!ok) {
    folder_.remove(number);
    return ok.error();
  }
  touched.row.end = kPackBlockBytes;
  current_ = number;
  return touched;
}

Result<void> PackWriter::append(const Fresh& large, std::vector<ChunkPlace>& places,
                                std::vector<Touched>& touched) {
  std::vector<std::array<std::uint8_t, kRecordHeaderBytes>> headers(large.size());
  for (std::size_t next = 0; next < large.size();) {
    const auto size_of = [&](std::size_t i) {
      return static_cast<std::uint32_t>(large[i]->bytes.size());
    };
    auto target = pack_for(size_of(next));
    if (!target) return target.error();
    PackRow& row = target->row;
    const std::uint64_t begin = row.end;
    std::vector<ByteView> parts;
    do {
      const ContentStore::Chunk& chunk = *large[next];
      const std::uint64_t record = record_begin(row.end, size_of(next));
      const std::uint64_t payload = record + kRecordHeaderBytes;
      const std::uint64_t end = record_end(row.end, size_of(next));
      headers[next] = encode_record({.id = chunk.id, .size_bytes = size_of(next)});
      parts.push_back(ByteView(kZeros).first(record - row.end));
      parts.push_back(headers[next]);
      parts.push_back(chunk.bytes);
      parts.push_back(ByteView(kZeros).first(end - payload - chunk.bytes.size()));
      places.push_back({.pack = target->pack,
                        .offset = static_cast<std::uint32_t>(payload),
                        .size_bytes = size_of(next)});
      row.end = end;
      ++row.chunks;
      row.payload_bytes += chunk.bytes.size();
      ++next;
    } while (next < large.size() && record_end(row.end, size_of(next)) <= limits_.pack_bytes_max);
    touched.push_back(*target);
    if (next < large.size()) current_ = 0;  // full: the rest of the batch begins another
    if (auto ok = target->file->write(begin, parts); !ok) return ok.error();
    if (auto ok = target->file->sync(); !ok) {
      // Pages that failed to reach the disk may count as clean from now on: use the file no more.
      current_ = 0;
      return ok.error();
    }
  }
  return {};
}

void PackWriter::undo(const std::vector<Touched>& touched) {
  for (const Touched& part : touched) {
    if (part.created) {
      folder_.remove(part.pack);
      if (current_ == part.pack) current_ = 0;
    } else if (auto ok = part.file->truncate(part.end_before); !ok) {
      current_ = 0;
    }
  }
}

Result<void> PackWriter::record(const Fresh& small, const Fresh& large,
                                const std::vector<ChunkPlace>& places,
                                const std::vector<Touched>& touched) {
  IndexBatch batch;
  InlineRow inline_row = inline_row_;
  std::uint64_t payload = 0;
  for (const auto* chunk : small) {
    batch.put_inline(chunk->id, chunk->bytes);
    ++inline_row.chunks;
    inline_row.payload_bytes += chunk->bytes.size();
    payload += chunk->bytes.size();
  }
  if (!small.empty()) batch.put_inline_row(inline_row);
  for (std::size_t i = 0; i < large.size(); ++i) {
    batch.put_chunk(large[i]->id, places[i]);
    payload += places[i].size_bytes;
  }
  for (const Touched& part : touched) {
    batch.put_pack(part.pack, part.row);
    if (part.created) batch.put_next_pack(next_pack_);
  }
  if (auto ok = index_.commit(batch); !ok) return ok.error();

  inline_row_ = inline_row;
  for (const Touched& part : touched) rows_[part.pack] = part.row;
  totals_.with([&](Totals& totals) {
    totals.chunks += small.size() + large.size();
    totals.payload_bytes += payload;
    for (const Touched& part : touched) totals.disk_bytes[part.pack] = part.file->disk_bytes();
  });
  return {};
}

}  // namespace farboot
