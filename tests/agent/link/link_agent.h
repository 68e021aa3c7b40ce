// The agent's end of the link in the test's own process: real stores on the disk, the real catalog,
// outbox and Link. It can be stopped and started again on the same disk.
#pragma once

#include "agent/link/link.h"

#include <gtest/gtest.h>

#include <mutex>

#include "agent/link/enrol.h"
#include "common/store/database.h"
#include "common/store/pack_store.h"
#include "common/store/rocks_state.h"
#include "tests/support/eventually.h"
#include "tests/support/fallible_state.h"
#include "tests/support/loop_thread.h"
#include "tests/support/temp_folder.h"

namespace farboot {

inline AgentLinkSettings quick_link() {
  AgentLinkSettings settings;
  settings.backoff = {Milliseconds(10), Milliseconds(200)};
  settings.report_gap = Milliseconds(5);
  settings.version = "0.1.0-test";
  settings.dhcp_mode = "proxy";
  settings.work_niceness = 0;  // the machine may be busy with other tests
  return settings;
}

class LinkAgent {
 public:
  explicit LinkAgent(AgentLinkSettings settings = quick_link()) : settings_(std::move(settings)) {
    settings_.state_dir = folder.path();
  }
  ~LinkAgent() { stop(); }

  /// As `farboot-agent enroll TOKEN` does.
  void enrol(const std::string& token) {
    auto made = farboot::enrol(token, {.state_dir = folder.path(), .version = "0.1.0-test"});
    ASSERT_TRUE(made) << made.error().what;
  }
  void start() {
    auto identity = load_identity(folder.path());
    ASSERT_TRUE(identity) << identity.error().what;
    start(std::move(*identity));
  }
  void start(AgentIdentity identity) {
    database = std::move(*Database::open((folder / "db").string()));
    state = std::move(*RocksState::open(*database));
    PackStoreOptions options;
    options.reserve_bytes = 0;
    options.on_quarantine = [this](const Quarantined&) {
      if (link) link->damaged();
    };
    auto opened = std::move(*PackStore::open(*database, (folder / "packs").string(), options));
    {
      const std::lock_guard lock(content_mutex_);
      content = std::move(opened);
    }
    card = std::make_unique<testing::FallibleState>(*state);
    catalog = std::make_unique<Catalog>(*content, *card);
    ASSERT_TRUE(catalog->open(&identity.verify_key));
    outbox_ = Outbox(system_clock());
    ASSERT_TRUE(outbox_.open(*state));
    loop_ = std::make_unique<LoopThread>();
    link =
        std::make_unique<Link>(LinkParts{*content, *card, *catalog, loop_->loop(), system_clock()},
                               std::move(identity), callbacks(), settings_);
    ASSERT_TRUE(link->open());
    link->start();
  }
  /// As SIGTERM does; what is on the disk stays.
  void stop() {
    if (!link) return;
    link->stop();
    loop_->finish();
    link.reset();
    loop_.reset();
    catalog.reset();
    {
      const std::lock_guard lock(content_mutex_);
      content.reset();
    }
    card.reset();
    state.reset();
    database.reset();
  }
  void restart() {
    stop();
    start();
  }

  template <class Job>
  auto on_loop(Job job) {
    return loop_->call(std::move(job));
  }
  /// Something happens to a machine.
  void add_event(const std::string& host) {
    on_loop([&] {
      HostStatus status;
      status.host = host;
      status.phase = InstallPhase::started;
      Transaction writes;
      outbox_.add(status, writes);
      return state->commit(writes).has_value();
    });
    link->poke();
  }
  std::vector<HostEvent> pending() {
    return on_loop([&] { return outbox_.pending(100'000); });
  }
  std::shared_ptr<const Snapshot> active() {
    return on_loop([&] { return catalog->active(); });
  }
  bool serves(const Digest& release) {
    const auto now = active();
    return now && now->digest == release;
  }
  /// From any thread, also while it is stopped.
  bool holds(const Digest& chunk) {
    const std::lock_guard lock(content_mutex_);
    return content && content->missing(std::span(&chunk, 1))->empty();
  }

  TempFolder folder;
  std::unique_ptr<Database> database;
  std::unique_ptr<RocksState> state;
  std::unique_ptr<testing::FallibleState> card;  ///< how the link writes to `state`
  std::unique_ptr<PackStore> content;
  std::unique_ptr<Catalog> catalog;
  std::unique_ptr<Link> link;
  std::vector<HostStatus> hosts;  ///< that it reports; set before it starts
  std::function<void(std::function<void(const std::vector<doctor::Finding>&)>)>
      examine;  ///< likewise; empty: none

 private:
  LinkCallbacks callbacks() {
    LinkCallbacks out;
    out.collect = [this](std::size_t events_max) {
      return SiteReport{hosts, outbox_.pending(events_max)};
    };
    out.examine = examine;
    out.acknowledged = [this](std::uint64_t sequence) {
      Transaction writes;
      outbox_.acknowledge(sequence, writes);
      EXPECT_TRUE(state->commit(writes));
    };
    return out;
  }

  AgentLinkSettings settings_;
  std::mutex content_mutex_;       ///< who may look at `content` while it is stopped
  Outbox outbox_{system_clock()};  ///< on the loop
  std::unique_ptr<LoopThread> loop_;
};

}  // namespace farboot
