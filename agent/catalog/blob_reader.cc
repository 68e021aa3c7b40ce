#include "agent/catalog/blob_reader.h"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

#include "common/base/check.h"

namespace farboot {
namespace {

/// Distance of the pages that is_resident() looks at: a chunk comes into memory as a whole and
/// leaves it by parts, and a wrong guess costs one short wait for the disk.
constexpr std::uint32_t kProbeStepBytes = 256 * 1024;
constexpr std::size_t kWarmBlockBytes = 64 * 1024;

/// pread(2) until `out` is full or nothing more comes; the bytes read, or -1.
ssize_t read_fully(int fd, std::span<std::uint8_t> out, std::uint64_t offset) {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t n =
        ::pread(fd, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return static_cast<ssize_t>(done);
}

bool page_resident(int fd, std::uint64_t offset) {
  std::uint8_t byte = 0;
  iovec vector{&byte, 1};
  const ssize_t n = ::preadv2(fd, &vector, 1, static_cast<off_t>(offset), RWF_NOWAIT);
  // A file system without RWF_NOWAIT (EOPNOTSUPP) lives in memory, or we cannot know.
  return n >= 0 || errno != EAGAIN;
}

}  // namespace

BlobReader::BlobReader(const ContentStore& store, CatalogFile file)
    : store_(store), file_(std::move(file)) {
  FARBOOT_CHECK(file_.entry != nullptr);
}

void BlobReader::seek(std::uint64_t offset) {
  if (offset < chunk_begin_) {
    index_ = 0;
    chunk_begin_ = 0;
  }
  const auto& chunks = file_.entry->chunks;
  while (index_ < chunks.size() && offset - chunk_begin_ >= chunks[index_].size_bytes) {
    chunk_begin_ += chunks[index_].size_bytes;
    ++index_;
  }
}

Result<std::vector<BlobSegment>> BlobReader::open(std::uint64_t offset, std::uint64_t length,
                                                  const BlobWindowLimits& limits) {
  FARBOOT_CHECK(length > 0 && offset < size_bytes() && length <= size_bytes() - offset);
  const auto& chunks = file_.entry->chunks;
  std::vector<BlobSegment> segments;
  std::uint64_t opened_bytes = 0;
  std::uint64_t hashed_bytes = 0;
  while (opened_bytes < length) {
    seek(offset + opened_bytes);
    FARBOOT_CHECK(index_ < chunks.size());
    const ChunkRef& chunk = chunks[index_];
    const bool checked = store_.checked(chunk.id);
    auto source = store_.open(chunk.id);
    if (!source) {
      // What is open already may still go out; the next call reports it.
      if (!segments.empty()) break;
      return prefix(file_.entry->path, source.error());
    }
    if (source->size_bytes != chunk.size_bytes) {
      return fail(Errc::corrupt, "{}: chunk {} has {} bytes, the manifest says {}",
                  file_.entry->path, chunk.id.short_hex(), source->size_bytes, chunk.size_bytes);
    }
    const auto skip = static_cast<std::uint32_t>(offset + opened_bytes - chunk_begin_);
    const auto size = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(chunk.size_bytes - skip, length - opened_bytes));
    segments.push_back({std::move(*source), skip, size, chunk.id});
    if (checked) make_resident(segments.back(), 0);  // else its pages were read a moment ago
    if (!checked) hashed_bytes += chunk.size_bytes;
    opened_bytes += size;
    if (opened_bytes >= limits.bytes_max || hashed_bytes >= limits.hashed_bytes_max ||
        segments.size() >= limits.segments_max) {
      break;
    }
  }
  return segments;
}

std::vector<BlobSegment> BlobReader::open_at_once(std::uint64_t offset, std::uint64_t length,
                                                  const BlobWindowLimits& limits, WarmChunks& warm,
                                                  SteadyTime now) {
  FARBOOT_CHECK(length > 0 && offset < size_bytes() && length <= size_bytes() - offset);
  std::vector<BlobSegment> segments;
  for (std::uint64_t opened_bytes = 0; opened_bytes < length && opened_bytes < limits.bytes_max;) {
    seek(offset + opened_bytes);
    const ChunkRef& chunk = file_.entry->chunks[index_];
    auto source = store_.open_at_once(chunk.id);
    if (!source || source->size_bytes != chunk.size_bytes) break;
    const auto skip = static_cast<std::uint32_t>(offset + opened_bytes - chunk_begin_);
    const auto size = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(chunk.size_bytes - skip, length - opened_bytes));
    BlobSegment segment{std::move(*source), skip, size, chunk.id};
    if (!warm.recent(chunk.id, now)) {
      if (!is_resident(segment, 0, size)) break;
      if (size == chunk.size_bytes) warm.seen(chunk.id, now);
    }
    segments.push_back(std::move(segment));
    opened_bytes += size;
    if (segments.size() >= limits.segments_max) break;
  }
  return segments;
}

Result<Bytes> BlobReader::read(std::uint64_t offset, std::size_t length) {
  if (offset >= size_bytes()) return Bytes();
  const std::uint64_t wanted = std::min<std::uint64_t>(length, size_bytes() - offset);
  Bytes out(wanted);
  std::size_t done = 0;
  while (done < wanted) {
    seek(offset + done);
    const ChunkRef& chunk = file_.entry->chunks[index_];
    if (open_index_ != index_) {
      auto source = store_.open(chunk.id);
      if (!source) return prefix(file_.entry->path, source.error());
      open_source_ = std::move(*source);
      open_index_ = index_;
    }
    const auto skip = static_cast<std::uint32_t>(offset + done - chunk_begin_);
    const auto size = std::min<std::size_t>(chunk.size_bytes - skip, wanted - done);
    const BlobSegment segment{open_source_, skip, static_cast<std::uint32_t>(size), chunk.id};
    auto copied = copy_segment(segment, 0, std::span(out).subspan(done, size));
    if (!copied) {
      open_index_ = SIZE_MAX;
      look_again(chunk.id);
      return prefix(file_.entry->path, copied.error());
    }
    done += size;
  }
  return out;
}

void BlobReader::look_again(const Digest& chunk) const {
  const auto bytes = store_.get(chunk);  // quarantines what it cannot read
  static_cast<void>(bytes);
}

Result<void> copy_segment(const BlobSegment& segment, std::uint32_t skip,
                          std::span<std::uint8_t> out) {
  const std::size_t begin = std::size_t{segment.offset} + skip;
  const ChunkSource& source = segment.source;
  if (begin + out.size() > source.size_bytes) {
    return fail(Errc::corrupt, "chunk of {} bytes: {} wanted", source.size_bytes,
                begin + out.size());
  }
  if (source.fd < 0) {
    std::memcpy(out.data(), source.inline_bytes->data() + begin, out.size());
    return {};
  }
  const ssize_t n = read_fully(source.fd, out, source.offset + begin);
  if (n == static_cast<ssize_t>(out.size())) return {};
  return fail(Errc::corrupt, "pack file: {}", n < 0 ? std::strerror(errno) : "ends early");
}

bool is_resident(const BlobSegment& segment, std::uint32_t skip, std::uint32_t window) {
  const int fd = segment.source.fd;
  if (fd < 0 || skip >= segment.size_bytes) return true;
  const std::uint64_t begin = segment.source.offset + segment.offset;
  const std::uint32_t end = std::min(segment.size_bytes - skip, window) + skip;
  for (std::uint32_t at = skip; at < end; at += kProbeStepBytes) {
    if (!page_resident(fd, begin + at)) return false;
  }
  return page_resident(fd, begin + end - 1);
}

void make_resident(const BlobSegment& segment, std::uint32_t skip) {
  if (is_resident(segment, skip, segment.size_bytes)) return;
  std::array<std::uint8_t, kWarmBlockBytes> block;
  const std::uint64_t begin = segment.source.offset + segment.offset;
  for (std::uint32_t at = skip; at < segment.size_bytes;) {
    const auto size = std::min<std::uint32_t>(kWarmBlockBytes, segment.size_bytes - at);
    if (read_fully(segment.source.fd, std::span(block).first(size), begin + at) <= 0) return;
    at += size;
  }
}

}  // namespace farboot
