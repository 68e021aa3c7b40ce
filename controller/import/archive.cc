#include "controller/import/archive.h"

#include <utility>

#include "common/base/check.h"

namespace farboot {

std::string archive_problem(::archive* reader) {
  const char* text = ::archive_error_string(reader);
  return text == nullptr ? "unknown failure" : printable(text);
}

void support_filters(::archive* reader) {
  ::archive_read_support_filter_gzip(reader);
  ::archive_read_support_filter_bzip2(reader);
  ::archive_read_support_filter_xz(reader);
  ::archive_read_support_filter_lzma(reader);
  ::archive_read_support_filter_zstd(reader);
}

PulledArchive::PulledArchive(PullBytes pull)
    : pull_(std::move(pull)), reader_(::archive_read_new()) {
  FARBOOT_CHECK(reader_ != nullptr);
}

PulledArchive::~PulledArchive() = default;

::la_ssize_t PulledArchive::on_read(::archive* reader, void* self, const void** buffer) {
  auto* archive = static_cast<PulledArchive*>(self);
  auto bytes = archive->pull_();
  if (!bytes) {
    archive->pull_error_ = bytes.error();
    ::archive_set_error(reader, EIO, "%s", bytes.error().what.c_str());
    return -1;
  }
  *buffer = bytes->data();
  return static_cast<::la_ssize_t>(bytes->size());
}

Error PulledArchive::problem() const {
  if (pull_error_) return *pull_error_;
  return fail(Errc::invalid, "{}", archive_problem(reader_.get()));
}

Result<void> PulledArchive::open() {
  if (::archive_read_open(reader_.get(), this, nullptr, on_read, nullptr) != ARCHIVE_OK)
    return problem();
  return {};
}

Result<bool> PulledArchive::next(::archive_entry*& entry) {
  const int status = ::archive_read_next_header(reader_.get(), &entry);
  if (status == ARCHIVE_EOF) return false;
  if (status != ARCHIVE_OK) return problem();
  return true;
}

Result<void> PulledArchive::read(std::uint64_t bytes_max, const PushBytes& push) {
  std::uint64_t total = 0;
  while (true) {
    const void* block = nullptr;
    std::size_t size = 0;
    ::la_int64_t offset = 0;
    const int status = ::archive_read_data_block(reader_.get(), &block, &size, &offset);
    if (status == ARCHIVE_EOF) return {};
    if (status != ARCHIVE_OK) return problem();
    total += size;
    if (total > bytes_max) return fail(Errc::exhausted, "more than {} bytes", bytes_max);
    if (auto ok = push({static_cast<const std::uint8_t*>(block), size}); !ok) return ok.error();
  }
}

Result<void> inflate(PullBytes pull, std::uint64_t bytes_max, const PushBytes& push) {
  PulledArchive archive(std::move(pull));
  support_filters(archive.get());
  ::archive_read_support_format_raw(archive.get());
  ::archive_read_support_format_empty(archive.get());
  if (auto ok = archive.open(); !ok) return ok.error();
  ::archive_entry* entry = nullptr;
  auto more = archive.next(entry);
  if (!more) return more.error();
  if (!*more) return {};
  return archive.read(bytes_max, push);
}

PullBytes pull_from(ByteView bytes) {
  return [rest = bytes]() mutable -> Result<ByteView> { return std::exchange(rest, {}); };
}

}  // namespace farboot
