// A boot service on a bench, for its tests.
#pragma once

#include <memory>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "agent/boot/boot_service.h"
#include "tests/support/site_bench.h"

namespace farboot {

using testing::lyon;
using testing::SiteBench;
using testing::StillClock;
using testing::web1;

inline const std::string kServer = "http://10.4.0.2";

inline MachineFacts machine(std::string mac = "52:54:00:00:00:01",
                            std::string client = "10.4.0.31") {
  return {.mac = std::move(mac),
          .uuid = "4c4c4544-0051-3510-8052-b4c04f4d4e31",
          .serial = "ABC 1/+",
          .buildarch = "x86_64",
          .platform = "efi",
          .client = std::move(client)};
}

inline std::string token_in(const std::string& script) {
  std::smatch found;
  return std::regex_search(script, found, std::regex("ks=[^ ]*/ks/([0-9a-f]{32})")) ? found[1].str()
                                                                                    : std::string();
}
inline bool installs_now(const std::string& script) {
  return script.find("\nkernel http") != std::string::npos;
}
/// Tokens differ in each run, digests with the tree.
inline std::string masked(std::string text) {
  text = std::regex_replace(text, std::regex("[0-9a-f]{64}"), "<DIGEST>");
  return std::regex_replace(text, std::regex("/[0-9a-f]{32}"), "/<TOKEN>");
}

class BootServiceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    start();
    bench->activate(6);
  }
  void start() {
    bench->open();
    boot = std::make_unique<BootService>(bench->catalog, *bench->book, bench->clock);
  }
  void restart() {
    const StillClock clock = bench->clock;
    const testing::Card card = bench->card;
    boot.reset();
    bench.reset();
    bench = std::make_unique<SiteBench>(card, clock);
    start();
  }
  void apply(std::vector<HostSpec> hosts) {
    ASSERT_TRUE(bench->run(bench->book->apply(lyon(std::move(hosts)))));
  }
  /// A release with a Windows image and an entry of it, `winpe`.
  void activate_winpe() {
    Manifest tree;
    for (const char* path : {"Boot/BCD", "boot/boot.sdi", "sources/boot.wim"})
      tree.files.push_back(testing::file(path));
    auto digest = put_manifest(*bench->card.content, tree);
    ASSERT_TRUE(digest);
    Release release = testing::centos_release(7, bench->put_tree(10));
    release.images.push_back(
        {"winpe", "11", *digest, {"windows", "WinPE", "11", "x86_64", "", "", "", ""}, 1});
    BootEntry entry;
    entry.name = "winpe";
    entry.kind = EntryKind::winpe;
    entry.image = "winpe@11";
    release.entries.push_back(entry);
    bench->activate(release);
  }
  std::string script(MachineFacts facts = machine()) {
    return bench->run(boot->boot_script(std::move(facts), kServer));
  }
  Result<std::string> choose(std::string entry, MachineFacts facts) {
    return bench->run(boot->entry_script(std::move(facts), std::move(entry), kServer));
  }
  Result<std::string> kickstart(std::string token, std::vector<std::string> macs = {},
                                std::string server = kServer) {
    KickstartAsk ask{.token = std::move(token), .client = "10.4.0.31", .macs = std::move(macs)};
    return bench->run(boot->kickstart(std::move(ask), std::move(server)));
  }
  Result<void> event(std::string token, std::string name, std::string detail = "") {
    return bench->run(boot->on_event({std::move(token), std::move(name), std::move(detail)}));
  }
  void fetch(const std::string& token, const std::string& path) {
    const auto attempt = bench->book->attempt(token).attempt;
    ASSERT_TRUE(attempt);
    boot->on_fetched("10.4.0.31", bench->catalog.find_tree(attempt->manifest, path));
  }

  std::unique_ptr<SiteBench> bench = std::make_unique<SiteBench>();
  std::unique_ptr<BootService> boot;
};

}  // namespace farboot
