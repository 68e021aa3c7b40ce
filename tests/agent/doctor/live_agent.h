// The agent itself, with all its ports, in a network namespace of the test's own: a release with
// boot loaders and images, on a disk of its own.
#pragma once

#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "agent/agent.h"
#include "common/store/database.h"
#include "common/store/pack_store.h"
#include "common/store/rocks_state.h"
#include "tests/support/namespaces.h"
#include "tests/support/site_content.h"
#include "tests/support/temp_folder.h"

namespace farboot::doctor {

inline const Ipv4 kLiveAgent = Ipv4::of(10, 77, 0, 2);

/// What a release is made of here. Names and bytes may be changed before it is written.
struct LiveContent {
  std::map<std::string, Bytes> loaders{{"ipxe.efi", sample_bytes(9'000, 1)},
                                       {"snponly.efi", sample_bytes(70'000, 2)},
                                       {"undionly.kpxe", sample_bytes(3 * 1428, 3)}};
  std::map<std::string, std::string> images{{"centos7", "x86_64"}};  ///< and their architectures

  std::shared_ptr<const Snapshot> write(const AgentConfig& config) const {
    std::filesystem::create_directories(config.state_dir);
    const auto database = std::move(*Database::open(config.database_folder()));
    const auto state = std::move(*RocksState::open(*database));
    PackStoreOptions options;
    options.reserve_bytes = 1;
    const auto content = std::move(*PackStore::open(*database, config.packs_folder(), options));
    Release release;
    release.number = 7;
    release.created = WallTime(Seconds(1'900'000'000));
    if (!loaders.empty()) release.loaders = keep_tree(*content, loaders);
    std::uint64_t seed = 10;
    for (const auto& [name, arch] : images) {
      const Digest tree = keep_tree(*content, {{"images/initrd.img", sample_bytes(900'000, ++seed)},
                                               {"images/vmlinuz", sample_bytes(300'000, ++seed)}});
      Image image = sample_image(name, "1", tree);
      image.facts.arch = arch;
      image.facts.kernel = "images/vmlinuz";
      image.facts.initrd = "images/initrd.img";
      release.images.push_back(image);
      BootEntry entry;
      entry.name = entry.title = name;
      entry.image = name + "@1";
      release.entries.push_back(entry);
      release.menu.entries.push_back(name);
    }
    const SignedDocument document = sign_release(release);
    Catalog catalog(*content, *state);
    EXPECT_TRUE(catalog.open(nullptr));
    EXPECT_TRUE(catalog.commit_active(document));
    auto snapshot = load_snapshot(*content, document);
    EXPECT_TRUE(snapshot) << snapshot.error().what;
    return snapshot ? *snapshot : nullptr;
  }
};

class LiveAgent : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = net_.create(); !why.empty()) GTEST_SKIP() << why;
    ASSERT_TRUE(Namespaces::run("ip addr add 10.77.0.2/24 dev server0 && ip link set server0 up"));
    net_.enter_client();
    ASSERT_TRUE(
        Namespaces::run("ip link set lo up && ip addr add 10.77.0.1/24 dev client0 && "
                        "ip link set client0 up"));
    ASSERT_TRUE(net_.carries());
    config_.state_dir = folder_ / "state";
    config_.store_reserve_bytes = 1;
  }
  ~LiveAgent() override { stop(); }

  void start() {
    net_.enter_server();
    release_ = content_.write(config_);
    auto agent = Agent::open(config_);
    ASSERT_TRUE(agent) << agent.error().what;
    agent_ = std::move(*agent);
    thread_ = std::thread([this] { agent_->run(); });
    ASSERT_TRUE(eventually([&] { return std::filesystem::exists(config_.control_socket()); }));
  }
  void stop() {
    if (!thread_.joinable()) return;
    std::raise(SIGTERM);
    thread_.join();
    agent_.reset();
  }

  Namespaces net_;
  TempFolder folder_;
  AgentConfig config_;
  LiveContent content_;
  std::shared_ptr<const Snapshot> release_;
  std::unique_ptr<Agent> agent_;
  std::thread thread_;
};

}  // namespace farboot::doctor
