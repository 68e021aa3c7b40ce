#include "common/store/pack_file.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <vector>

#include "common/store/pack_record.h"

namespace farboot {
namespace {

constexpr std::size_t kPartsPerWrite = 512;  ///< below IOV_MAX
/// The largest piece the kernel's page cache works in (a transparent huge page).
constexpr std::uint64_t kFolioBytesMax = 2u << 20;

std::uint64_t page_bytes() {
  static const auto size = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return size;
}

std::string text_of(int code) { return std::error_code(code, std::generic_category()).message(); }

/// Which pages of a range lie in the page cache: one byte a page, bit 0. Asks by a mapping that is
/// never touched, so no bad block can reach us through it. Empty if the kernel will not say.
std::vector<unsigned char> residency(int fd, ByteRange range) {
  const std::size_t length = range.size();
  void* const mapping =
      ::mmap(nullptr, length, PROT_NONE, MAP_SHARED, fd, static_cast<off_t>(range.begin));
  if (mapping == MAP_FAILED) return {};
  std::vector<unsigned char> pages(length / page_bytes());
  if (::mincore(mapping, length, pages.data()) != 0) pages.clear();
  ::munmap(mapping, length);
  return pages;
}

bool any_resident(const std::vector<unsigned char>& pages) {
  return std::any_of(pages.begin(), pages.end(), [](unsigned char page) { return page & 1; });
}

void drop(int fd, ByteRange range) {
  ::posix_fadvise(fd, static_cast<off_t>(range.begin), static_cast<off_t>(range.size()),
                  POSIX_FADV_DONTNEED);
}

/// Drops a range of whole pages; returns which are still there.
std::vector<unsigned char> drop_and_look(int fd, ByteRange range) {
  drop(fd, range);
  auto pages = residency(fd, range);
  if (!any_resident(pages)) return pages;
  // The cache holds large pieces that reach over the range's ends: only dropping all of such a
  // piece drops it.
  drop(fd, {range.begin - std::min(range.begin, kFolioBytesMax), range.end + kFolioBytesMax});
  return residency(fd, range);
}

bool lives_in_page_cache(int fd) {
  struct statfs info = {};
  return ::fstatfs(fd, &info) == 0 && info.f_type == TMPFS_MAGIC;
}

}  // namespace

Error PackFile::failed(const char* what, int code) const {
  const bool full = code == ENOSPC || code == EDQUOT || code == EFBIG;
  return fail(full ? Errc::exhausted : Errc::unavailable, "pack {}: {}: {}", path_, what,
              text_of(code));
}

Result<std::shared_ptr<PackFile>> PackFile::open_with(const std::string& path, int flags) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | flags, 0640));
  if (!fd) {
    const int code = errno;
    const Errc errc = code == ENOENT   ? Errc::not_found
                      : code == EEXIST ? Errc::conflict
                      : code == ENOSPC ? Errc::exhausted
                                       : Errc::unavailable;
    return fail(errc, "pack {}: {}", path, text_of(code));
  }
  return std::shared_ptr<PackFile>(new PackFile(path, std::move(fd)));
}

Result<std::shared_ptr<PackFile>> PackFile::open(const std::string& path) {
  return open_with(path, 0);
}

Result<std::shared_ptr<PackFile>> PackFile::create(const std::string& path) {
  return open_with(path, O_CREAT | O_EXCL);
}

Result<void> PackFile::write(std::uint64_t offset, std::span<const ByteView> parts) {
  std::vector<iovec> pending;
  pending.reserve(parts.size());
  for (const ByteView part : parts) {
    // iovec is one struct for reading and writing; pwritev only reads.
    if (!part.empty()) pending.push_back({const_cast<std::uint8_t*>(part.data()), part.size()});
  }
  std::span<iovec> left = pending;
  while (!left.empty()) {
    const auto count = static_cast<int>(std::min(left.size(), kPartsPerWrite));
    const ssize_t wrote = ::pwritev(fd_.get(), left.data(), count, static_cast<off_t>(offset));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return failed("cannot write", errno);
    if (wrote == 0) return failed("cannot write", ENOSPC);
    offset += static_cast<std::uint64_t>(wrote);
    auto done = static_cast<std::size_t>(wrote);
    while (!left.empty() && done >= left.front().iov_len) {
      done -= left.front().iov_len;
      left = left.subspan(1);
    }
    if (done > 0) {
      left.front().iov_base = static_cast<std::uint8_t*>(left.front().iov_base) + done;
      left.front().iov_len -= done;
    }
  }
  return {};
}

Result<void> PackFile::sync() {
  if (::fdatasync(fd_.get()) != 0) return failed("cannot sync", errno);
  return {};
}

Result<void> PackFile::truncate(std::uint64_t size_bytes) {
  if (::ftruncate(fd_.get(), static_cast<off_t>(size_bytes)) != 0) {
    return failed("cannot truncate", errno);
  }
  return {};
}

Result<void> PackFile::read(std::uint64_t offset, std::span<std::uint8_t> out) const {
  while (!out.empty()) {
    const ssize_t got = ::pread(fd_.get(), out.data(), out.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(Errc::corrupt, "pack {}: cannot read: {}", path_, text_of(errno));
    if (got == 0) return fail(Errc::corrupt, "pack {}: ends before offset {}", path_, offset);
    offset += static_cast<std::uint64_t>(got);
    out = out.subspan(static_cast<std::size_t>(got));
  }
  return {};
}

void PackFile::evict(ByteRange range) const {
  range = {range.begin / page_bytes() * page_bytes(), align_up(range.end, page_bytes())};
  static_cast<void>(drop_and_look(fd_.get(), range));
}

Result<PackFile::Punched> PackFile::punch(ByteRange range) {
  // Whole pages only, and only pages that nobody can still send. sendfile(2) queues references to
  // pages: punching part of a page, or of a large piece of the page cache (seen with ext4 on Linux
  // 6.18), writes zeros into what a slow client has yet to receive. A page that is not in the
  // cache is referenced by the cache no more; sockets keep the old one.
  range = {align_up(range.begin, page_bytes()), range.end / page_bytes() * page_bytes()};
  Punched punched;
  if (range.begin >= range.end) return punched;
  std::vector<unsigned char> pages(range.size() / page_bytes(), 0);
  // In tmpfs the cache is all there is; its pages are freed whole.
  if (!lives_in_page_cache(fd_.get())) {
    auto resident = drop_and_look(fd_.get(), range);
    if (resident.empty()) return Punched{.whole = false};
    pages = std::move(resident);
  }
  for (std::size_t i = 0; i < pages.size();) {
    const bool busy = pages[i] & 1;
    std::size_t n = 1;
    while (i + n < pages.size() && ((pages[i + n] & 1) != 0) == busy) ++n;
    const std::uint64_t length = n * page_bytes();
    if (busy) {
      punched.whole = false;
    } else if (::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                           static_cast<off_t>(range.begin + i * page_bytes()),
                           static_cast<off_t>(length)) != 0) {
      return failed("cannot punch", errno);
    } else {
      punched.freed_bytes += length;
    }
    i += n;
  }
  return punched;
}

std::uint64_t PackFile::size_bytes() const {
  struct stat info = {};
  return ::fstat(fd_.get(), &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

std::uint64_t PackFile::disk_bytes() const {
  struct stat info = {};
  return ::fstat(fd_.get(), &info) == 0 ? static_cast<std::uint64_t>(info.st_blocks) * 512 : 0;
}

Result<void> sync_folder(const std::string& folder) {
  const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) {
    return fail(Errc::unavailable, "folder {}: cannot sync: {}", folder, text_of(errno));
  }
  return {};
}

}  // namespace farboot
