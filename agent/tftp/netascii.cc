#include "agent/tftp/netascii.h"

#include <algorithm>
#include <utility>

namespace farboot {
namespace {

class NetasciiFile final : public TftpFile {
 public:
  NetasciiFile(std::unique_ptr<TftpFile> file, Bytes text)
      : file_(std::move(file)), text_(std::move(text)) {}

  std::uint64_t size_bytes() const override { return text_.size(); }
  Task<Result<Bytes>> read(std::uint64_t offset, std::size_t n) override {
    const auto from = static_cast<std::size_t>(std::min<std::uint64_t>(offset, text_.size()));
    const auto part = ByteView(text_).subspan(from, std::min(n, text_.size() - from));
    co_return Bytes(part.begin(), part.end());
  }
  void delivered() override { file_->delivered(); }

 private:
  std::unique_ptr<TftpFile> file_;
  Bytes text_;
};

}  // namespace

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
      std::make_unique<NetasciiFile>(std::move(file), to_netascii(*bytes));
  co_return text;
}

}  // namespace farboot
