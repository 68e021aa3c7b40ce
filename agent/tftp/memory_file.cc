#include "agent/tftp/memory_file.h"

#include <algorithm>

namespace farboot {

Task<Result<Bytes>> MemoryTftpFile::read(std::uint64_t offset, std::size_t n) {
  const auto from = static_cast<std::size_t>(std::min<std::uint64_t>(offset, bytes_.size()));
  const auto part = ByteView(bytes_).subspan(from, std::min(n, bytes_.size() - from));
  co_return Bytes(part.begin(), part.end());
}

}  // namespace farboot
