#include "agent/site/site_files.h"

#include <utility>

#include "agent/catalog/any_case.h"
#include "agent/catalog/blob_reader.h"
#include "agent/http/find_file.h"
#include "agent/http/routes.h"
#include "agent/http/target.h"
#include "agent/site/loader_names.h"
#include "agent/tftp/memory_file.h"
#include "common/base/clock.h"
#include "common/base/log.h"

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
  CatalogTftpFile(const ContentStore& store, DiskPool& disk, CatalogFile file,
                  std::function<void(const CatalogFile&)> fetched)
      : disk_(disk),
        file_(file),
        fetched_(std::move(fetched)),
        reader_(std::make_shared<BlobReader>(store, std::move(file))) {}

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

  void delivered() override {
    if (fetched_) fetched_(file_);
  }

 private:
  DiskPool& disk_;
  CatalogFile file_;
  std::function<void(const CatalogFile&)> fetched_;
  std::shared_ptr<BlobReader> reader_;
};

Task<Result<std::string>> no_such_script(std::string path) {
  co_return fail(Errc::not_found, "{}: no machine asks so", printable(path));
}

/// What GRUB is told next. Its size is known before it is made: what is made then begins an
/// install, and is for a client that has answered.
class GrubScriptFile final : public TftpFile {
 public:
  using Make = std::function<Task<Result<std::string>>(Asking asking)>;

  /// `preview`: as Make gives it for Asking::head.
  GrubScriptFile(const std::string& preview, Make make)
      : size_bytes_(preview.size() + kGrowth), make_(std::move(make)) {}

  std::uint64_t size_bytes() const override { return size_bytes_; }
  bool acts() const override { return true; }

  Task<Result<Bytes>> read(std::uint64_t offset, std::size_t n) override {
    if (!made_) {
      auto text = co_await make_(Asking::get);
      if (!text) co_return content_error(text.error());
      if (text->size() > size_bytes_)
        co_return fail(Errc::unavailable, "script: longer than when it was asked for");
      text->resize(size_bytes_, '\n');
      made_.emplace(to_bytes(*text));
    }
    co_return co_await made_->read(offset, n);
  }

 private:
  /// The answer may have changed since the preview: another message, another menu title.
  static constexpr std::size_t kGrowth = 512;

  std::uint64_t size_bytes_;
  Make make_;
  std::optional<MemoryTftpFile> made_;
};

}  // namespace

std::string server_url(Ipv4 address, std::uint16_t http_port) {
  if (http_port == 80) return "http://" + address.to_string();
  return "http://" + address.to_string() + ":" + std::to_string(http_port);
}

SiteFiles::SiteFiles(const Catalog& catalog, const ContentStore& store, DiskPool& disk,
                     Scripts scripts, Fetched fetched, SiteFilesSettings settings)
    : catalog_(catalog),
      store_(store),
      disk_(disk),
      scripts_(std::move(scripts)),
      fetched_(std::move(fetched)),
      settings_(std::move(settings)) {}

Task<Result<std::unique_ptr<TftpFile>>> SiteFiles::script(RouteKind kind, std::string path,
                                                          TftpAsker asker) {
  const std::string url = server_url(asker.server, settings_.http_port);
  if (kind == RouteKind::grub_script) {
    auto make = [this, path, url,
                 client = asker.client.to_string()](Asking asking) -> Task<Result<std::string>> {
      auto asked = parse_grub_path(path);
      if (!asked) return no_such_script(path);
      return scripts_.grub(std::move(*asked), client, url, asking);
    };
    const auto preview = co_await make(Asking::head);
    if (!preview) co_return preview.error();
    co_return std::make_unique<GrubScriptFile>(*preview, std::move(make));
  }
  co_return std::make_unique<MemoryTftpFile>(
      to_bytes(kind == RouteKind::grub_first ? scripts_.grub_first(url) : scripts_.first(url)));
}

std::unique_ptr<TftpFile> SiteFiles::file_for(CatalogFile file, Ipv4 client) const {
  std::function<void(const CatalogFile&)> fetched;
  if (fetched_)
    fetched = [this, client](const CatalogFile& whole) { fetched_(client.to_string(), whole); };
  return std::make_unique<CatalogTftpFile>(store_, disk_, std::move(file), std::move(fetched));
}

CatalogFile SiteFiles::find_spelt_otherwise(const Route& route) const {
  const auto active = catalog_.active();
  const auto digest = active ? tree_of(*active, route) : std::nullopt;
  if (!digest) return {};
  const auto tree = active->trees.find(*digest);
  if (tree == active->trees.end()) return {};
  const FileEntry* entry = find_in_any_case(*tree->second, route.path).file;
  if (entry == nullptr) return {};
  return {tree->second, entry, *digest, active->release.created};
}

std::optional<RouteKind> SiteFiles::script_for(const Route& route, std::string_view path,
                                               const TftpAsker& asker, bool exists) {
  if (route.kind == RouteKind::first_script || route.kind == RouteKind::grub_script)
    return route.kind;
  if (!exists) return script_instead(route);
  if (!settings_.script_for_ipxe || !asker.ipxe || !is_ipxe_loader(path)) return std::nullopt;
  if (const auto left_out = for_ipxe_.take(system_clock().steady()))
    log::info("tftp.script_for_ipxe", log::kv("client", asker.client.to_string()),
              log::kv("path", printable(path)), log::kv("left_out", *left_out));
  return RouteKind::first_script;
}

std::optional<std::string> SiteFiles::second_stage_for(std::string_view path, Ipv4 client) {
  const std::string meant = settings_.second_stage.empty() ? "grubx64.efi" : settings_.second_stage;
  auto stage = garbled_second_stage(path, meant,
                                    [this](std::string_view name) { return loader_exists(name); });
  if (!stage) return std::nullopt;
  if (const auto left_out = garbled_.take(system_clock().steady()))
    log::warn("tftp.garbled_name", log::kv("client", client.to_string()),
              log::kv("path", printable(path)), log::kv("second_stage", settings_.second_stage),
              log::kv("left_out", *left_out));
  return settings_.second_stage.empty() ? std::nullopt : stage;
}

Task<Result<std::unique_ptr<TftpFile>>> SiteFiles::open(std::string path, TftpAsker asker) {
  if (path.starts_with(dhcp::kFullIpxeFolder)) {
    path.erase(0, dhcp::kFullIpxeFolder.size());
    asker.ipxe = false;  // it is one, and wants the loader all the same
  }
  // The name as it stands: in TFTP `%`, `?` and `#` are bytes like others.
  const auto route_of = [](const std::string& name) {
    return find_route(Target{.path = name, .directory = false, .query = {}});
  };
  const Route route = route_of(path);
  CatalogFile file = find_file(catalog_, route);
  for (const auto& meant : {raspberry_pi_file(path), beside_shim(path)})
    if (meant && file.entry == nullptr) file = find_file(catalog_, route_of(*meant));
  if (const auto kind = script_for(route, path, asker, file.entry != nullptr))
    co_return co_await script(*kind, std::move(path), asker);
  if (file.entry == nullptr && settings_.ignore_case) file = find_spelt_otherwise(route);
  if (file.entry == nullptr && route.kind == RouteKind::loader)
    if (const auto stage = second_stage_for(path, asker.client))
      file = find_file(catalog_, route_of(*stage));
  if (file.entry != nullptr) co_return file_for(std::move(file), asker.client);
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
