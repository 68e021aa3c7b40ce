// A file that is in memory: what is made for one request.
#pragma once

#include <memory>
#include <utility>

#include "agent/tftp/file_source.h"
#include "common/base/bytes.h"

namespace farboot {

class MemoryTftpFile final : public TftpFile {
 public:
  /// `made_of`: the file whose content this is in another form; told of the delivery. May be empty.
  explicit MemoryTftpFile(Bytes bytes, std::unique_ptr<TftpFile> made_of = nullptr)
      : bytes_(std::move(bytes)), made_of_(std::move(made_of)) {}

  std::uint64_t size_bytes() const override { return bytes_.size(); }
  Task<Result<Bytes>> read(std::uint64_t offset, std::size_t n) override;
  void delivered() override {
    if (made_of_) made_of_->delivered();
  }

 private:
  Bytes bytes_;
  std::unique_ptr<TftpFile> made_of_;
};

}  // namespace farboot
