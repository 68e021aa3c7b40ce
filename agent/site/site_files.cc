#include "agent/site/site_files.h"

#include <algorithm>
#include <utility>

#include "agent/catalog/blob_reader.h"
#include "agent/http/find_file.h"
#include "agent/http/routes.h"
#include "agent/http/target.h"

namespace farboot {
namespace {

/// A file of the release whose bytes are not there is not a missing file: clients that hear
/// "not found" go on without it.
Error content_error(Error error) {
  if (error.code == Errc::not_found) error.code = Errc::unavailable;
  return error;
}

class CatalogTftpFile final : public TftpFile {
 public:
  CatalogTftpFile(const ContentStore& store, DiskPool& disk, CatalogFile file)
      : disk_(disk), reader_(std::make_shared<BlobReader>(store, std::move(file))) {}

  std::uint64_t size_bytes() const override { return reader_->size_bytes(); }

  Task<Result<void>> prepare() override {
    if (reader_->size_bytes() == 0) co_return Result<void>();
    auto job = [reader = reader_]() -> Result<void> {
      auto opened = reader->open(0, 1);
      if (!opened) return content_error(opened.error());
      return {};
    };
    co_return co_await on_disk(disk_, std::move(job));
  }

  Task<Result<Bytes>> read(std::uint64_t offset, std::size_t n) override {
    // The job holds the reader: a session may be torn down while its read is still on the pool.
    auto job = [reader = reader_, offset, n]() -> Result<Bytes> {
      auto bytes = reader->read(offset, n);
      if (!bytes) return content_error(bytes.error());
      return bytes;
    };
    co_return co_await on_disk(disk_, std::move(job));
  }

 private:
  DiskPool& disk_;
  std::shared_ptr<BlobReader> reader_;
};

class TextTftpFile final : public TftpFile {
 public:
  explicit TextTftpFile(std::string text) : text_(std::move(text)) {}

  std::uint64_t size_bytes() const override { return text_.size(); }

  Task<Result<Bytes>> read(std::uint64_t offset, std::size_t n) override {
    const std::string_view all = text_;
    const std::size_t from = static_cast<std::size_t>(std::min<std::uint64_t>(offset, all.size()));
    co_return to_bytes(all.substr(from, n));
  }

 private:
  std::string text_;
};

}  // namespace

std::string server_url(Ipv4 address, std::uint16_t http_port) {
  if (http_port == 80) return "http://" + address.to_string();
  return "http://" + address.to_string() + ":" + std::to_string(http_port);
}

SiteFiles::SiteFiles(const Catalog& catalog, const ContentStore& store, DiskPool& disk,
                     FirstScript first_script, std::uint16_t http_port)
    : catalog_(catalog),
      store_(store),
      disk_(disk),
      first_script_(std::move(first_script)),
      http_port_(http_port) {}

Task<Result<std::unique_ptr<TftpFile>>> SiteFiles::open(std::string path, Ipv4 /*client*/,
                                                        Ipv4 server) {
  // The name as it stands: in TFTP `%`, `?` and `#` are bytes like others.
  const Route route = find_route(Target{.path = path, .directory = false, .query = {}});
  CatalogFile file = find_file(catalog_, route);
  if (file.entry != nullptr) {
    std::unique_ptr<TftpFile> made =
        std::make_unique<CatalogTftpFile>(store_, disk_, std::move(file));
    co_return made;
  }
  if (path == "boot.ipxe" || path == "autoexec.ipxe") {
    std::unique_ptr<TftpFile> made =
        std::make_unique<TextTftpFile>(first_script_(server_url(server, http_port_)));
    co_return made;
  }
  // "Not found" would tell the client that it need not ask again.
  if (names_file(route.kind) && catalog_.active() == nullptr)
    co_return fail(Errc::unavailable, "file {}: no release is active yet", printable(path));
  co_return fail(Errc::not_found, "file {}: not in the active release", printable(path));
}

bool SiteFiles::loader_exists(std::string_view name) const {
  const auto active = catalog_.active();
  return active != nullptr && active->release.loaders &&
         active->find(*active->release.loaders, name).entry != nullptr;
}

}  // namespace farboot
