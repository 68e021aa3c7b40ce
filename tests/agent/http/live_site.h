// A whole serving site on loopback: store, catalog and HTTP server on a loop of its own thread.
#pragma once

#include <gtest/gtest.h>

#include <prometheus/registry.h>

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>

#include "agent/catalog/catalog.h"
#include "agent/http/server.h"
#include "agent/http/site_handlers.h"
#include "agent/loop.h"
#include "common/base/guarded.h"
#include "common/store/database.h"
#include "common/store/memory_state.h"
#include "common/store/memory_store.h"
#include "common/store/pack_store.h"
#include "tests/agent/http/raw_client.h"
#include "tests/support/site_content.h"
#include "tests/support/temp_folder.h"

namespace farboot {

/// Answers with what it was asked, and remembers.
class EchoingSite final : public SiteHandlers {
 public:
  std::string boot_first(std::string_view server) const override {
    return "#!ipxe\nchain " + std::string(server) + "\n";
  }
  Task<std::string> boot_script(ScriptRequest r) override {
    co_return "#!ipxe\n# " + r.mac + '|' + r.uuid + '|' + r.serial + '|' + r.manufacturer + '|' +
        r.product + '|' + r.asset + '|' + r.buildarch + '|' + r.platform + '|' + r.client + '|' +
        r.server + '\n';
  }
  Task<Result<std::string>> entry_script(ScriptRequest request, std::string entry) override {
    if (entry == "absent") co_return fail(Errc::not_found, "entry: absent");
    co_return "#!ipxe\n# entry " + entry + ' ' + request.mac + '\n';
  }
  std::string grub_first(std::string_view server) const override {
    return "# grub " + std::string(server) + '\n';
  }
  Task<Result<std::string>> grub_script(GrubRequest r) override {
    if (r.path.ends_with("/absent.grub")) co_return fail(Errc::not_found, "entry: absent");
    co_return "# " + r.path + '|' + r.client + '|' + r.server + (r.head ? "|head\n" : "|get\n");
  }
  Result<std::string> menu_script(ScriptRequest request, const std::string& menu) const override {
    if (menu == "absent") return fail(Errc::not_found, "menu: absent");
    return "#!ipxe\n# menu " + menu + ' ' + request.mac + '\n';
  }
  Task<Result<std::string>> kickstart(KickstartRequest request) override {
    if (request.token == "expired") co_return fail(Errc::not_found, "token: expired");
    if (request.token == "other") co_return fail(Errc::denied, "token: of another machine");
    if (request.token == "busy") co_return fail(Errc::unavailable, "installs: too many");
    if (held && request.token == "held") {
      asked.set_value();
      boost::system::error_code ignored;
      co_await held->async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
    }
    std::string text = "# " + request.client + ' ' + request.server + ' ' + request.serial;
    for (const std::string& mac : request.macs) text += ' ' + mac;
    if (request.token.find('/') != std::string::npos) text += "of " + request.token;
    co_return text + '\n';
  }
  Task<Result<void>> event(EventRequest request) override {
    if (request.token == "expired") co_return fail(Errc::not_found, "token: expired");
    events.with([&](auto& all) { all.push_back(request); });
    if (on_event) on_event();
    co_return Result<void>();
  }
  void fetched(std::string_view client, const CatalogFile& file) override {
    fetches.with([&](auto& all) { all.push_back(std::string(client) + ' ' + file.entry->path); });
  }
  SiteStatus status() const override {
    SiteStatus status;
    status.site = "lyon";
    status.agent = "pi1";
    InstallRow row;
    row.host = "web<1>";
    row.entry = "centos7";
    row.state = "packages";
    row.percent = 42;
    status.installs.push_back(row);
    return status;
  }

  Guarded<std::vector<std::string>> fetches;
  Guarded<std::vector<EventRequest>> events;
  std::function<void()> on_event;  ///< on the loop
  /// Kickstarts of the token `held` wait for it.
  std::unique_ptr<boost::asio::steady_timer> held;
  std::promise<void> asked;  ///< one of them was asked for
};

enum class StoreKind {
  memory,
  packs
};

class LiveSite {
 public:
  explicit LiveSite(StoreKind kind = StoreKind::memory, HttpLimits limits = {},
                    const Clock& clock = system_clock())
      : clock_(clock), limits_(limits) {
    if (kind == StoreKind::packs) {
      open_packs();
    } else {
      auto memory = std::make_unique<MemoryStore>();
      memory_ = memory.get();
      store_ = std::move(memory);
    }
    catalog_ = std::make_unique<Catalog>(*store_, state_);
  }
  ~LiveSite() { stop(); }

  ContentStore& store() { return *store_; }
  MemoryStore& memory() { return *memory_; }
  Catalog& catalog() { return *catalog_; }
  EchoingSite& site() { return site_; }
  std::uint16_t port() const { return port_; }
  std::size_t connections() const { return server_->connections(); }  ///< on the loop

  /// Closes the pack store and opens it again: nothing is checked any more. Before start().
  void reopen_packs() {
    catalog_.reset();
    store_.reset();
    database_.reset();
    open_packs();
    catalog_ = std::make_unique<Catalog>(*store_, state_);
  }
  const TempFolder& folder() const { return folder_; }

  void start() {
    server_ = std::make_unique<HttpServer>(loop_, disk_, *store_, *catalog_, site_, clock_,
                                           registry_, limits_);
    auto port = server_->listen("127.0.0.1", 0);
    ASSERT_TRUE(port) << port.error().what;
    port_ = *port;
    thread_ = std::thread([this] { loop_.run(); });
  }
  void stop() {
    if (!thread_.joinable()) return;
    if (!ended_) on_loop([this] { server_->stop(); });
    thread_.join();  // the loop runs out of work
    site_.held.reset();
    disk_.join();
    EXPECT_EQ(server_->connections(), 0u);
    server_.reset();
  }
  Loop& loop() { return loop_; }
  /// On the loop, before stop().
  void end_connections() {
    ended_ = true;
    server_->stop();
  }
  void on_loop(const std::function<void()>& job) {
    std::promise<void> done;
    boost::asio::post(loop_, [&] {
      job();
      done.set_value();
    });
    done.get_future().get();
  }

  /// Makes `release` the active one, as sync would.
  void activate(const Release& release) {
    const SignedDocument document = sign_release(release);
    auto snapshot = load_snapshot(*store_, document);
    ASSERT_TRUE(snapshot) << snapshot.error().what;
    ASSERT_TRUE(catalog_->commit_active(document));
    if (thread_.joinable()) {
      on_loop([&] { catalog_->publish(*snapshot); });
    } else {
      catalog_->publish(*snapshot);
    }
  }
  /// Frees what nobody needs, as sync would.
  void sweep() {
    std::map<Digest, std::shared_ptr<const Manifest>> trees;
    on_loop([&] { trees = catalog_->trees_in_use(); });
    std::set<Digest> needed;
    for (const auto& [digest, tree] : trees) {
      needed.insert(digest);
      for (const FileEntry& file : tree->files) {
        for (const ChunkRef& chunk : file.chunks) needed.insert(chunk.id);
      }
    }
    ASSERT_TRUE(store_->sweep([&](const Digest& id) { return needed.contains(id); }));
  }

 private:
  void open_packs() {
    auto database = Database::open((folder_ / "db").string());
    ASSERT_TRUE(database) << database.error().what;
    database_ = std::move(*database);
    PackStoreOptions options;
    options.reserve_bytes = 0;
    auto packs = PackStore::open(*database_, (folder_ / "packs").string(), options);
    ASSERT_TRUE(packs) << packs.error().what;
    store_ = std::move(*packs);
  }

  const Clock& clock_;
  TempFolder folder_;
  HttpLimits limits_;
  MemoryState state_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<ContentStore> store_;
  MemoryStore* memory_ = nullptr;
  std::unique_ptr<Catalog> catalog_;
  EchoingSite site_;
  prometheus::Registry registry_;
  Loop loop_;
  DiskPool disk_{2};
  std::unique_ptr<HttpServer> server_;
  std::uint16_t port_ = 0;
  std::thread thread_;
  std::atomic<bool> ended_ = false;
};

}  // namespace farboot
