#include "common/store/chunk_index.h"

#include <initializer_list>

#include "common/store/pack_record.h"

namespace farboot {
namespace {

// Rows of the family `packs`, by their first letter. On disk: never reuse one.
constexpr char kPackRow = 'p';
constexpr char kFreedRow = 'f';
constexpr char kQuarantineRow = 'q';
// Rows of the family `meta`.
constexpr std::string_view kInlineKey = "store/inline";
constexpr std::string_view kNextPackKey = "store/next_pack";

constexpr std::size_t kRowsPerPage = 1024;

/// Numbers in values: little-endian, in keys: big-endian, so that they sort.
template <class T>
void append_number(std::string& text, T value) {
  for (std::size_t i = 0; i < sizeof value; ++i) text += static_cast<char>(value >> (8 * i));
}
template <class T>
void append_sorted(std::string& text, T value) {
  for (std::size_t i = sizeof value; i-- > 0;) text += static_cast<char>(value >> (8 * i));
}

/// Takes numbers off the front of a row; `ok` turns false when it is too short.
struct RowReader {
  std::string_view rest;
  bool ok = true;

  template <class T>
  T number(bool sorted = false) {
    if (rest.size() < sizeof(T)) {
      ok = false;
      return 0;
    }
    T value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      const auto byte = static_cast<std::uint8_t>(rest[sorted ? i : sizeof(T) - 1 - i]);
      value = static_cast<T>(value << 8 | byte);
    }
    rest.remove_prefix(sizeof(T));
    return value;
  }
  Digest digest() {
    Digest id;
    if (rest.size() < id.bytes.size()) {
      ok = false;
      return id;
    }
    std::memcpy(id.bytes.data(), rest.data(), id.bytes.size());
    rest.remove_prefix(id.bytes.size());
    return id;
  }
};

std::string_view key(const Digest& id) { return as_text(id.view()); }

std::string pack_key(std::uint32_t pack) {
  std::string key(1, kPackRow);
  append_sorted(key, pack);
  return key;
}
std::string freed_key(std::uint32_t pack, std::uint32_t begin) {
  std::string key(1, kFreedRow);
  append_sorted(key, pack);
  append_sorted(key, begin);
  return key;
}
std::string quarantine_key(std::uint64_t sequence) {
  std::string key(1, kQuarantineRow);
  append_sorted(key, sequence);
  return key;
}

void append_place(std::string& row, const ChunkPlace& place) {
  append_number(row, place.pack);
  append_number(row, place.offset);
  append_number(row, place.size_bytes);
}
ChunkPlace read_place(RowReader& row) {
  ChunkPlace place;
  place.pack = row.number<std::uint32_t>();
  place.offset = row.number<std::uint32_t>();
  place.size_bytes = row.number<std::uint32_t>();
  if (place.size_bytes == 0 || place.size_bytes > kChunkBytesMax) row.ok = false;
  return place;
}

Error broken(std::string_view what) {
  return fail(Errc::corrupt, "store index: a row of {} cannot be read", what);
}

}  // namespace

std::uint32_t FreedRow::payload_offset() const {
  return begin + static_cast<std::uint32_t>(kRecordHeaderBytes);
}

void IndexBatch::put_chunk(const Digest& id, const ChunkPlace& place) {
  std::string row;
  append_place(row, place);
  batch_.put(Family::chunks, key(id), row);
}
void IndexBatch::put_inline(const Digest& id, ByteView bytes) {
  put_chunk(id, {.size_bytes = static_cast<std::uint32_t>(bytes.size())});
  batch_.put(Family::small, key(id), as_text(bytes));
}
void IndexBatch::erase_chunk(const Digest& id, const ChunkPlace& place) {
  batch_.erase(Family::chunks, key(id));
  if (place.is_inline()) batch_.erase(Family::small, key(id));
}
void IndexBatch::put_pack(std::uint32_t pack, const PackRow& row) {
  std::string value;
  append_number(value, row.end);
  append_number(value, row.chunks);
  append_number(value, row.payload_bytes);
  batch_.put(Family::packs, pack_key(pack), value);
}
void IndexBatch::erase_pack(std::uint32_t pack) { batch_.erase(Family::packs, pack_key(pack)); }
void IndexBatch::put_inline_row(const InlineRow& row) {
  std::string value;
  append_number(value, row.chunks);
  append_number(value, row.payload_bytes);
  batch_.put(Family::meta, kInlineKey, value);
}
void IndexBatch::put_next_pack(std::uint32_t number) {
  std::string value;
  append_number(value, number);
  batch_.put(Family::meta, kNextPackKey, value);
}
void IndexBatch::put_freed(const FreedRow& row) {
  std::string value;
  append_number(value, row.end);
  batch_.put(Family::packs, freed_key(row.pack, row.begin), value);
}
void IndexBatch::erase_freed(const FreedRow& row) {
  batch_.erase(Family::packs, freed_key(row.pack, row.begin));
}
void IndexBatch::put_quarantined(std::uint64_t sequence, const Quarantined& chunk) {
  std::string value(as_text(chunk.id.view()));
  append_place(value, chunk.place);
  append_number(value, static_cast<std::uint64_t>(chunk.when.time_since_epoch().count()));
  value += chunk.why;
  batch_.put(Family::packs, quarantine_key(sequence), value);
}
void IndexBatch::erase_quarantined(std::uint64_t sequence) {
  batch_.erase(Family::packs, quarantine_key(sequence));
}
void IndexBatch::put_flag(std::string_view name) { batch_.put(Family::meta, name, "1"); }
void IndexBatch::erase_flag(std::string_view name) { batch_.erase(Family::meta, name); }

Result<std::optional<ChunkPlace>> ChunkIndex::find(const Digest& id) const {
  auto value = database_.get(Family::chunks, as_text(id.view()));
  if (!value) return prefix("store index", value.error());
  if (!*value) return std::optional<ChunkPlace>();
  RowReader row{**value};
  const ChunkPlace place = read_place(row);
  if (!row.ok) return broken("a chunk");
  return std::optional<ChunkPlace>(place);
}

Result<std::optional<Bytes>> ChunkIndex::inline_bytes(const Digest& id) const {
  auto value = database_.get(Family::small, as_text(id.view()));
  if (!value) return prefix("store index", value.error());
  if (!*value) return std::optional<Bytes>();
  return std::optional<Bytes>(to_bytes(**value));
}

Result<void> ChunkIndex::each_chunk(
    const std::function<bool(const Digest&, const ChunkPlace&)>& row) const {
  std::string from;
  for (;;) {
    // A page at a time: a scan keeps the database from being opened anew, which a write may need.
    std::vector<std::pair<Digest, ChunkPlace>> page;
    bool ok = true;
    auto done =
        database_.scan_from(Family::chunks, from, [&](std::string_view id, std::string_view value) {
          RowReader key_reader{id}, value_reader{value};
          page.emplace_back(key_reader.digest(), read_place(value_reader));
          ok = key_reader.ok && value_reader.ok;
          return ok && page.size() < kRowsPerPage;
        });
    if (!done) return prefix("store index", done.error());
    if (!ok) return broken("a chunk");
    for (const auto& [id, place] : page) {
      if (!row(id, place)) return {};
    }
    if (page.size() < kRowsPerPage) return {};
    from = std::string(key(page.back().first)) + '\0';
  }
}

Result<std::map<std::uint32_t, PackRow>> ChunkIndex::packs() const {
  std::map<std::uint32_t, PackRow> packs;
  bool ok = true;
  auto done = database_.scan(Family::packs, std::string(1, kPackRow),
                             [&](std::string_view key, std::string_view value) {
                               RowReader number{key.substr(1)}, row{value};
                               PackRow pack;
                               pack.end = row.number<std::uint64_t>();
                               pack.chunks = row.number<std::uint64_t>();
                               pack.payload_bytes = row.number<std::uint64_t>();
                               packs[number.number<std::uint32_t>(true)] = pack;
                               return ok = row.ok && number.ok;
                             });
  if (!done) return prefix("store index", done.error());
  if (!ok) return broken("a pack");
  return packs;
}

Result<void> ChunkIndex::erase_packs() {
  for (const char kind : {kPackRow, kFreedRow}) {
    std::string from(1, kind);
    for (bool more = true; more;) {
      std::string last;
      DatabaseBatch batch;
      auto done = database_.scan_from(Family::packs, from, [&](std::string_view key, auto) {
        if (key.empty() || key[0] != kind) return false;
        batch.erase(Family::packs, key);
        last = key;
        return batch.changes().size() < kRowsPerPage;
      });
      if (!done) return prefix("store index", done.error());
      if (batch.empty()) break;
      if (auto ok = database_.write(batch); !ok) return ok;
      more = batch.changes().size() == kRowsPerPage;
      from = last + '\0';
    }
  }
  return {};
}

Result<InlineRow> ChunkIndex::inline_row() const {
  auto value = database_.get(Family::meta, kInlineKey);
  if (!value) return prefix("store index", value.error());
  InlineRow inline_row;
  if (!*value) return inline_row;
  RowReader row{**value};
  inline_row.chunks = row.number<std::uint64_t>();
  inline_row.payload_bytes = row.number<std::uint64_t>();
  if (!row.ok) return broken("the inline chunks");
  return inline_row;
}

Result<std::uint32_t> ChunkIndex::next_pack() const {
  auto value = database_.get(Family::meta, kNextPackKey);
  if (!value) return prefix("store index", value.error());
  if (!*value) return std::uint32_t{1};
  RowReader row{**value};
  const auto number = row.number<std::uint32_t>();
  if (!row.ok || number == 0) return broken("the pack numbers");
  return number;
}

Result<std::vector<FreedRow>> ChunkIndex::freed(std::uint32_t pack, std::uint32_t begin,
                                                std::size_t max) const {
  std::vector<FreedRow> rows;
  bool ok = true;
  const std::string start = freed_key(pack, begin);
  auto done =
      database_.scan_from(Family::packs, start, [&](std::string_view key, std::string_view value) {
        if (key.empty() || key[0] != kFreedRow || rows.size() == max) return false;
        RowReader numbers{key.substr(1)}, row{value};
        FreedRow freed;
        freed.pack = numbers.number<std::uint32_t>(true);
        freed.begin = numbers.number<std::uint32_t>(true);
        freed.end = row.number<std::uint32_t>();
        ok = numbers.ok && row.ok && freed.begin < freed.end;
        if (ok) rows.push_back(freed);
        return ok;
      });
  if (!done) return prefix("store index", done.error());
  if (!ok) return broken("freed bytes");
  return rows;
}

Result<std::map<std::uint64_t, Quarantined>> ChunkIndex::quarantined() const {
  std::map<std::uint64_t, Quarantined> chunks;
  bool ok = true;
  auto done = database_.scan(
      Family::packs, std::string(1, kQuarantineRow),
      [&](std::string_view key, std::string_view value) {
        RowReader number{key.substr(1)}, row{value};
        Quarantined chunk;
        chunk.id = row.digest();
        chunk.place = read_place(row);
        chunk.when = WallTime(Milliseconds(static_cast<std::int64_t>(row.number<std::uint64_t>())));
        chunk.why = row.rest;
        ok = number.ok && row.ok;
        chunks[number.number<std::uint64_t>(true)] = std::move(chunk);
        return ok;
      });
  if (!done) return prefix("store index", done.error());
  if (!ok) return broken("the quarantine");
  return chunks;
}

Result<bool> ChunkIndex::flag(std::string_view name) const {
  auto value = database_.get(Family::meta, name);
  if (!value) return prefix("store index", value.error());
  return value->has_value();
}

}  // namespace farboot
