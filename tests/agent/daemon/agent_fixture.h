// An agent on a thread of its own, its site fresh or as prepared on its disk, on ports of the
// kernel's choice.
#pragma once

#include <csignal>
#include <filesystem>
#include <memory>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "agent/agent.h"
#include "common/store/pack_store.h"
#include "common/store/rocks_state.h"
#include "tests/agent/http/raw_client.h"
#include "tests/support/site_bench.h"
#include "tests/support/temp_folder.h"
#include "tests/support/udp_client.h"

namespace farboot {

/// The agent's disk, read and written while it does not run.
class SiteOnDisk {
 public:
  explicit SiteOnDisk(const AgentConfig& config) {
    std::filesystem::create_directories(config.state_dir);
    database_ = std::move(*Database::open(config.database_folder()));
    PackStoreOptions options;
    options.reserve_bytes = 1;
    testing::Card card;
    card.state = std::move(*RocksState::open(*database_));
    card.content = std::move(*PackStore::open(*database_, config.packs_folder(), options));
    site = std::make_unique<testing::SiteBench>(std::move(card));
    site->open();
  }
  ~SiteOnDisk() { site.reset(); }  // before the database it uses
  SiteOnDisk(const SiteOnDisk&) = delete;
  SiteOnDisk& operator=(const SiteOnDisk&) = delete;

  ContentStore& content() const { return *site->card.content; }
  /// A release with one machine to install.
  void one_to_install() const {
    site->activate(1);
    ASSERT_TRUE(site->run(site->book->apply(testing::lyon({testing::web1()}))));
  }

  std::unique_ptr<testing::SiteBench> site;

 private:
  std::unique_ptr<Database> database_;
};

class AgentTest : public ::testing::Test {
 protected:
  AgentTest() {
    config_.state_dir = folder_ / "state";
    config_.http_address = "127.0.0.1";
    config_.http_port = 0;
    config_.tftp_port = 0;
    config_.dhcp_mode = DhcpMode::off;
    config_.store_reserve_bytes = 1;
  }
  ~AgentTest() override { stop(); }

  void start() {
    auto agent = Agent::open(config_);
    ASSERT_TRUE(agent) << agent.error().what;
    agent_ = std::move(*agent);
    thread_ = std::thread([this] { agent_->run(); });
  }
  /// As systemd has it stop.
  void stop() {
    if (!thread_.joinable()) return;
    std::raise(SIGTERM);
    thread_.join();
    EXPECT_EQ(agent_->connections(), 0U);
    agent_.reset();
  }

  TempFolder folder_;
  AgentConfig config_;
  std::unique_ptr<Agent> agent_;

 private:
  std::thread thread_;
};

}  // namespace farboot
