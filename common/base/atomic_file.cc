#include "common/base/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/base/unique_fd.h"

namespace farboot {
namespace {

Error file_error(const std::filesystem::path& path, std::string_view what, int error) {
  Errc code = Errc::unavailable;
  if (error == ENOENT || error == ENOTDIR) code = Errc::not_found;
  if (error == EACCES || error == EPERM || error == EROFS) code = Errc::denied;
  if (error == ENOSPC || error == EDQUOT) code = Errc::exhausted;
  return fail(code, "{}: {}: {}", path.string(), what, std::strerror(error));
}

Result<void> write_all(int fd, ByteView content, const std::filesystem::path& path) {
  while (!content.empty()) {
    const ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return file_error(path, "write", errno);
    content = content.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

}  // namespace

Result<void> write_file_atomically(const std::filesystem::path& path, ByteView content,
                                   unsigned mode) {
  // One writer per folder: the name need not be unguessable, and a leftover is replaced.
  const std::filesystem::path temporary = path.string() + ".new";
  ::unlink(temporary.c_str());
  UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                     static_cast<mode_t>(mode)));
  if (!fd) return file_error(temporary, "create", errno);
  if (::fchmod(fd.get(), static_cast<mode_t>(mode)) != 0)
    return file_error(temporary, "chmod", errno);
  auto written = write_all(fd.get(), content, temporary);
  if (written && ::fsync(fd.get()) != 0) written = file_error(temporary, "fsync", errno);
  fd.reset();
  if (written && ::rename(temporary.c_str(), path.c_str()) != 0)
    written = file_error(path, "rename", errno);
  if (!written) {
    ::unlink(temporary.c_str());
    return written.error();
  }
  return sync_folder(path.parent_path());
}

Result<std::string> read_file(const std::filesystem::path& path, std::size_t bytes_max) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return file_error(path, "open", errno);
  std::string text;
  char block[4096];
  while (true) {
    const ssize_t n = ::read(fd.get(), block, sizeof block);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return file_error(path, "read", errno);
    if (n == 0) return text;
    if (text.size() + static_cast<std::size_t>(n) > bytes_max)
      return fail(Errc::exhausted, "{}: over {} bytes", path.string(), bytes_max);
    text.append(block, static_cast<std::size_t>(n));
  }
}

Result<void> sync_folder(const std::filesystem::path& folder) {
  const UniqueFd fd(
      ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return file_error(folder, "open", errno);
  if (::fsync(fd.get()) != 0) return file_error(folder, "fsync", errno);
  return {};
}

}  // namespace farboot
