// Reading back from the disk what was written: the proof that a release is whole.
#include <algorithm>
#include <iterator>
#include <unordered_set>
#include <utility>

#include "common/store/pack_store.h"

namespace farboot {
namespace {

/// Records so near to each other are read in one go.
constexpr std::uint64_t kEvictGapBytes = 64 * 1024;

ByteRange range_of(const ChunkPlace& place) {
  return {place.offset, std::uint64_t{place.offset} + place.size_bytes};
}

}  // namespace

/// So that inline bytes are read from the disk next time.
Result<void> PackStore::drop_cached_inline() {
  // Those put lately are still in the write buffer: have them written before asking.
  if (inline_unflushed_.exchange(false)) {
    if (auto ok = index_->database().flush(Family::small); !ok) {
      inline_unflushed_ = true;
      return ok.error();
    }
  }
  index_->database().drop_page_cache();
  return {};
}

Result<void> PackStore::verify(const Digest& id) {
  auto found = find(id);
  if (!found) return found.error();
  if (found->file) {
    found->file->evict(range_of(found->place));
  } else {
    if (auto dropped = drop_cached_inline(); !dropped) return dropped.error();
    found = find(id);
    if (!found) return found.error();
  }
  return check(id, *found);
}

/// What lies together leaves the page cache together and is read in one go: the kernel reads ahead
/// and keeps what it read in large pieces, which cost less to send than single pages.
Result<std::vector<Digest>> PackStore::verify_all(std::span<const Digest> ids) {
  struct Asked {
    const Digest* id;
    Found found;
  };
  std::unordered_set<Digest, DigestHash> bad;
  std::vector<Asked> packed;
  std::vector<Digest> others;
  for (const Digest& id : ids) {
    auto found = find(id);
    if (found && found->file) {
      packed.push_back({&id, std::move(*found)});
    } else {
      others.push_back(id);
    }
  }
  std::sort(packed.begin(), packed.end(), [](const Asked& a, const Asked& b) {
    return std::pair(a.found.place.pack, a.found.place.offset) <
           std::pair(b.found.place.pack, b.found.place.offset);
  });
  for (auto run = packed.begin(); run != packed.end();) {
    ByteRange range = range_of(run->found.place);
    auto end = run + 1;
    for (; end != packed.end() && end->found.place.pack == run->found.place.pack &&
           end->found.place.offset <= range.end + kEvictGapBytes;
         ++end)
      range.end = range_of(end->found.place).end;
    run->found.file->evict(range);
    for (; run != end; ++run) {
      auto right = check(*run->id, run->found);
      if (!right && right.error().code != Errc::corrupt) return right.error();
      if (!right) bad.insert(*run->id);
    }
  }
  if (!others.empty()) {
    if (auto dropped = drop_cached_inline(); !dropped) return dropped.error();
  }
  for (const Digest& id : others) {
    auto found = find(id);
    auto right = found ? check(id, *found) : Result<void>(found.error());
    if (right) continue;
    const Errc code = right.error().code;
    if (code != Errc::corrupt && code != Errc::not_found) return right.error();
    bad.insert(id);
  }
  std::vector<Digest> in_order;
  std::copy_if(ids.begin(), ids.end(), std::back_inserter(in_order),
               [&](const Digest& id) { return bad.contains(id); });
  return in_order;
}

}  // namespace farboot
