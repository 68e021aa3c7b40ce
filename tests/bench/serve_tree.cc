// Serves a folder as a site would: through pack store, catalog and HTTP server.
//
//   serve_tree FOLDER STATE_DIR PORT PATHS [--unchecked]
//
// Keeps FOLDER's files in a store under STATE_DIR (once), writes lines `path size` to PATHS, prints
// `ready PORT` and serves until SIGTERM. --unchecked: the store is opened anew after that, so that
// every chunk is checked on its first use.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <prometheus/registry.h>
#include <boost/asio/signal_set.hpp>

#include "agent/catalog/catalog.h"
#include "agent/http/server.h"
#include "common/store/database.h"
#include "common/store/pack_store.h"
#include "common/store/rocks_state.h"

namespace farboot {
namespace {

namespace fs = std::filesystem;

/// Nothing but files is asked for.
class FilesOnly final : public SiteHandlers {
 public:
  std::string boot_first(std::string_view) const override { return "#!ipxe\n"; }
  Task<std::string> boot_script(ScriptRequest) override { co_return "#!ipxe\n"; }
  Task<Result<std::string>> entry_script(ScriptRequest, std::string) override {
    co_return fail(Errc::not_found, "no entries");
  }
  std::string grub_first(std::string_view) const override { return {}; }
  Task<Result<std::string>> grub_script(GrubRequest) override {
    co_return fail(Errc::not_found, "no machines");
  }
  Result<std::string> menu_script(ScriptRequest, const std::string&) const override {
    return fail(Errc::not_found, "no menus");
  }
  Task<Result<std::string>> kickstart(KickstartRequest) override {
    co_return fail(Errc::not_found, "no kickstarts");
  }
  Task<Result<void>> event(EventRequest) override { co_return fail(Errc::not_found, "no events"); }
  void fetched(std::string_view, const CatalogFile&) override {}
  SiteStatus status() const override { return {}; }
};

struct Store {
  std::unique_ptr<Database> database;
  std::unique_ptr<PackStore> chunks;
  std::unique_ptr<RocksState> state;
};

Result<Store> open_store(const std::string& folder) {
  Store store;
  auto database = Database::open(folder + "/db");
  if (!database) return database.error();
  store.database = std::move(*database);
  auto chunks = PackStore::open(*store.database, folder + "/packs");
  if (!chunks) return chunks.error();
  store.chunks = std::move(*chunks);
  auto state = RocksState::open(*store.database);
  if (!state) return state.error();
  store.state = std::move(*state);
  return store;
}

/// What an agent puts at once.
constexpr std::uint64_t kBatchBytes = 4u << 20;

/// Keeps chunks as an agent does: in batches.
class Keeper {
 public:
  explicit Keeper(ContentStore& store) : store_(store) {}

  Result<FileEntry> file(const fs::path& from, std::string path) {
    FileEntry entry;
    entry.path = std::move(path);
    std::ifstream in(from, std::ios::binary);
    Sha256 whole;
    while (in) {
      Bytes block(kChunkBytesMax);
      in.read(reinterpret_cast<char*>(block.data()), static_cast<std::streamsize>(block.size()));
      block.resize(static_cast<std::size_t>(in.gcount()));
      if (block.empty()) break;
      const Digest id = sha256(block);
      whole.update(block);
      entry.chunks.push_back({id, static_cast<std::uint32_t>(block.size())});
      entry.size_bytes += block.size();
      held_bytes_ += block.size();
      held_.emplace_back(id, std::move(block));
      if (held_bytes_ < kBatchBytes) continue;
      if (auto kept = put(); !kept) return kept.error();
    }
    entry.sha256 = whole.finish();
    return entry;
  }

  Result<void> put() {
    std::vector<ContentStore::Chunk> batch;
    for (const auto& [id, bytes] : held_) batch.push_back({id, bytes});
    auto kept = store_.put(batch);
    held_.clear();
    held_bytes_ = 0;
    return kept;
  }

 private:
  ContentStore& store_;
  std::vector<std::pair<Digest, Bytes>> held_;
  std::uint64_t held_bytes_ = 0;
};

Result<void> keep_release(Store& store, const fs::path& folder) {
  Manifest manifest;
  Keeper keeper(*store.chunks);
  for (const auto& item : fs::recursive_directory_iterator(folder)) {
    if (!item.is_regular_file()) continue;
    auto entry = keeper.file(item.path(), fs::relative(item.path(), folder).string());
    if (!entry) return entry.error();
    manifest.files.push_back(std::move(*entry));
  }
  if (auto kept = keeper.put(); !kept) return kept.error();
  std::sort(manifest.files.begin(), manifest.files.end(),
            [](const FileEntry& a, const FileEntry& b) { return a.path < b.path; });
  auto digest = put_manifest(*store.chunks, manifest);
  if (!digest) return digest.error();
  Release release;
  release.number = 1;
  Image image;
  image.name = "bench";
  image.tag = "1";
  image.manifest = *digest;
  image.facts.family = "other";
  release.images.push_back(std::move(image));
  release.loaders = *digest;
  const SigningKey key = SigningKey::generate();
  return Catalog(*store.chunks, *store.state)
      .commit_active(key.sign(DocumentKind::release, encode_release(release)));
}

void write_paths(const Snapshot& active, const char* file) {
  std::ofstream out(file);
  const Digest manifest = active.release.images.front().manifest;
  for (const FileEntry& entry : active.trees.at(manifest)->files) {
    out << "/t/" << manifest.hex() << '/' << entry.path << ' ' << entry.size_bytes << '\n';
  }
}

Result<void> serve(char** argv, bool unchecked) {
  auto opened = open_store(argv[2]);
  if (!opened) return opened.error();
  Store store = std::move(*opened);
  auto before = store.state->get("catalog/active");
  if (before && !*before) {
    auto kept = keep_release(store, argv[1]);
    if (!kept) return kept.error();
    if (unchecked) {
      store = Store();
      auto again = open_store(argv[2]);
      if (!again) return again.error();
      store = std::move(*again);
    }
  }
  Catalog catalog(*store.chunks, *store.state);
  auto loaded = catalog.open(nullptr);
  if (!loaded) return loaded.error();
  if (!catalog.active()) return fail(Errc::internal, "nothing to serve");
  write_paths(*catalog.active(), argv[4]);

  Loop loop(1);
  DiskPool disk(2);
  FilesOnly site;
  prometheus::Registry registry;
  HttpLimits limits;
  limits.connections_per_client_max = limits.connections_max;  // all of them come from one address
  HttpServer server(loop, disk, *store.chunks, catalog, site, system_clock(), registry, limits);
  auto port = server.listen("127.0.0.1", static_cast<std::uint16_t>(std::atoi(argv[3])));
  if (!port) return port.error();
  boost::asio::signal_set signals(loop, SIGTERM, SIGINT);
  signals.async_wait([&](const auto&, int) { server.stop(); });
  std::cout << "ready " << *port << std::endl;
  loop.run();
  disk.join();
  return {};
}

}  // namespace
}  // namespace farboot

int main(int argc, char** argv) {
  if (argc < 5) {
    fmt::print(stderr, "usage: serve_tree FOLDER STATE_DIR PORT PATHS [--unchecked]\n");
    return 2;
  }
  auto served = farboot::serve(argv, argc > 5 && std::string(argv[5]) == "--unchecked");
  if (served) return 0;
  fmt::print(stderr, "serve_tree: {}\n", served.error().what);
  return 1;
}
