#include "agent/tftp/netascii.h"

#include <utility>

#include "agent/tftp/memory_file.h"

namespace farboot {

Bytes to_netascii(ByteView text) {
  Bytes out;
  out.reserve(text.size() + text.size() / 16);
  for (const std::uint8_t byte : text) {
    if (byte == '\n') out.push_back('\r');
    out.push_back(byte);
    if (byte == '\r') out.push_back('\0');
  }
  return out;
}

Task<Result<std::unique_ptr<TftpFile>>> as_netascii(std::unique_ptr<TftpFile> file) {
  const std::uint64_t size = file->size_bytes();
  if (size > kNetasciiBytesMax)
    co_return fail(Errc::invalid, "file of {} bytes: too large for text mode", size);
  auto bytes = co_await file->read(0, static_cast<std::size_t>(size));
  if (!bytes) co_return bytes.error();
  if (bytes->size() != size)
    co_return fail(Errc::corrupt, "file: {} bytes, not {}", bytes->size(), size);
  std::unique_ptr<TftpFile> text =
      std::make_unique<MemoryTftpFile>(to_netascii(*bytes), std::move(file));
  co_return text;
}

}  // namespace farboot
