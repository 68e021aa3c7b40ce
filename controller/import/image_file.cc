#include "controller/import/image_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "controller/import/tree_source.h"

namespace farboot {
namespace {

constexpr std::size_t kHashedAtOnceBytes = 1u << 20;

}  // namespace

Result<ImageFile> ImageFile::open(const std::string& path) {
  ImageFile file{path, UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)), 0};
  struct stat status {};
  if (file.fd.get() < 0 || ::fstat(file.fd.get(), &status) != 0) return not_readable(path, errno);
  file.size_bytes = static_cast<std::uint64_t>(status.st_size);
  ::posix_fadvise(file.fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  return file;
}

Result<std::size_t> read_at(int fd, std::uint64_t offset, std::span<std::uint8_t> out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t got =
        ::pread(fd, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(Errc::unavailable, "read: {}", std::strerror(errno));
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

FileHasher::~FileHasher() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

Result<void> FileHasher::finish(const std::string& path, const Digest& wanted) {
  thread_.join();
  if (!result_) return prefix(printable(path), result_.error());
  if (*result_ != wanted)
    return fail(Errc::mismatch, "{}: sha256 is {}, {} was asked for", printable(path), *result_,
                wanted);
  return {};
}

void FileHasher::run(int fd) {
  Sha256 hasher;
  Bytes buffer(kHashedAtOnceBytes);
  for (std::uint64_t offset = 0; !stop_;) {
    auto got = read_at(fd, offset, buffer);
    if (!got) {
      result_ = got.error();
      return;
    }
    if (*got == 0) break;
    hasher.update(ByteView(buffer).first(*got));
    offset += *got;
  }
  result_ = hasher.finish();
}

}  // namespace farboot
