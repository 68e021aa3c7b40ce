// A file whose bytes follow from their place, so that one of any size needs no memory.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "agent/tftp/file_source.h"

namespace farboot {

class FakeTftpFile final : public TftpFile {
 public:
  explicit FakeTftpFile(std::uint64_t bytes) : size(bytes) {}

  static std::uint8_t byte_at(std::uint64_t place) {
    return static_cast<std::uint8_t>((place * 2654435761U) >> 16 ^ place);
  }
  static Bytes bytes_of(std::uint64_t size) {
    Bytes bytes(size);
    for (std::uint64_t i = 0; i < size; ++i) bytes[i] = byte_at(i);
    return bytes;
  }

  std::uint64_t size_bytes() const override { return size; }
  Task<Result<void>> prepare() override {
    if (unprepared) co_return fail(Errc::unavailable, "chunk: being fetched");
    co_return Result<void>();
  }
  Task<Result<Bytes>> read(std::uint64_t offset, std::size_t n) override {
    reads.push_back(n);
    if (fails_at && offset + n > *fails_at) co_return fail(Errc::corrupt, "chunk: rotten");
    Bytes bytes(static_cast<std::size_t>(std::min<std::uint64_t>(n, size - offset)));
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = byte_at(offset + i);
    co_return bytes;
  }

  std::uint64_t size;
  bool unprepared = false;
  std::optional<std::uint64_t> fails_at;
  std::vector<std::size_t> reads;
};

}  // namespace farboot
