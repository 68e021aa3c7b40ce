// A site in a box for tests of host/ and boot/: a loop, a disk pool, a catalog with one release, a
// clock that stands still, and state that can be taken over by a second life of the daemon.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "agent/catalog/catalog.h"
#include "agent/host/host_book.h"
#include "agent/loop.h"
#include "common/store/memory_state.h"
#include "common/store/memory_store.h"
#include "tests/support/fallible_state.h"

namespace farboot::testing {

class StillClock final : public Clock {
 public:
  WallTime wall() const override { return wall_; }
  SteadyTime steady() const override { return steady_; }
  void pass(Seconds time) {
    wall_ += time;
    steady_ += time;
  }
  /// As NTP does once the network is there.
  void set_wall(Seconds ahead) { wall_ += ahead; }

 private:
  WallTime wall_{std::chrono::sys_days{std::chrono::year{2030} / 1 / 31}};
  SteadyTime steady_{std::chrono::hours(1)};
};

inline FileEntry file(std::string path) { return {std::move(path), 0644, 0, sha256({}), {}}; }

inline Manifest centos_tree(int packages) {
  Manifest tree;
  for (const char* path : {".treeinfo", "LiveOS/squashfs.img", "images/pxeboot/initrd.img",
                           "images/pxeboot/vmlinuz", "repodata/repomd.xml"})
    tree.files.push_back(file(path));
  for (int i = 0; i < packages; ++i)
    tree.files.push_back(file(fmt::format("Packages/p{:03}.rpm", i)));
  std::sort(tree.files.begin(), tree.files.end(),
            [](const FileEntry& a, const FileEntry& b) { return a.path < b.path; });
  return tree;
}

inline Image centos_image(const Digest& manifest) {
  return {"centos7",
          "1708",
          manifest,
          {"redhat", "CentOS", "7", "x86_64", "images/pxeboot/vmlinuz", "images/pxeboot/initrd.img",
           "LiveOS/squashfs.img", ""},
          1000};
}

inline Release centos_release(std::uint64_t number, const Digest& manifest) {
  Release release;
  release.number = number;
  release.created = WallTime(Seconds(1'900'000'000));
  release.images.push_back(centos_image(manifest));
  BootEntry entry;
  entry.name = "centos7";
  entry.title = "CentOS 7";
  entry.image = "centos7@1708";
  entry.kickstart = "base";
  entry.args = "console=tty0 console=ttyS0";
  BootEntry quiet = entry;
  quiet.name = "quiet";
  quiet.kickstart = "quiet";
  BootEntry shell;
  shell.name = "shell";
  shell.title = "iPXE shell";
  shell.kind = EntryKind::shell;
  BootEntry local;
  local.name = "local";
  local.title = "Boot from the local disk";
  local.kind = EntryKind::local;
  release.entries = {entry, quiet, shell, local};
  release.menu.title = "Farboot {{site.name}}";
  release.menu.timeout = Seconds(10);
  release.menu.default_entry = "centos7";
  release.menu.entries = {"centos7", "- Tools", "shell", "local"};
  release.variables = {{"timezone", "Asia/Shanghai"}};
  release.kickstarts = {
      {"base", "install\nurl --url=\"{{image.url}}\"\ntimezone {{timezone}}\n{{> report}}"},
      {"quiet", "install\nurl --url=\"{{image.url}}\"\n"}};
  release.snippets = {{"report", "%post\ncurl \"{{event.url}}?event=installed\"\n%end\n"},
                      {"unused", "nothing\n"}};
  return release;
}

/// What survives a daemon.
struct Card {
  std::shared_ptr<StateStore> state = std::make_shared<MemoryState>();
  std::shared_ptr<ContentStore> content = std::make_shared<MemoryStore>();
};

class SiteBench {
 public:
  explicit SiteBench(Card from = {}, StillClock at = {})
      : clock(at), card(std::move(from)), state(*card.state), catalog(*card.content, state) {}
  ~SiteBench() {
    disk.join();
    loop.restart();
    loop.poll();
  }

  void open(HostSettings settings = {}) {
    ASSERT_TRUE(catalog.open(nullptr));
    if (settings.boot_id.empty()) settings.boot_id = "one boot";
    book = std::make_unique<HostBook>(loop, disk, state, catalog, clock, settings);
    ASSERT_TRUE(book->open());
  }

  /// Puts a tree of that many packages into the store; makes a release of it active.
  void activate(std::uint64_t number, int packages = 10) {
    activate(centos_release(number, put_tree(packages)));
  }
  Digest put_tree(int packages) {
    auto digest = put_manifest(*card.content, centos_tree(packages));
    EXPECT_TRUE(digest);
    return *digest;
  }
  void activate(const Release& release) {
    const SignedDocument document{encode_release(release), {}};
    auto snapshot = load_snapshot(*card.content, document);
    ASSERT_TRUE(snapshot) << snapshot.error().what;
    ASSERT_TRUE(catalog.commit_active(document));
    catalog.publish(*snapshot);
  }

  /// Lets writes that nobody waits for reach the card.
  void settle() { static_cast<void>(run(book->flush())); }
  /// Runs the loop until `task` is through.
  template <class T>
  T run(Task<T> task) {
    std::optional<T> result;
    auto body = [](Task<T> inner, std::optional<T>& out) -> Task<void> {
      out.emplace(co_await std::move(inner));
    };
    spawn(loop, "test", body(std::move(task), result));
    loop.restart();
    // The disk pool posts back to the loop: keep it from running dry meanwhile.
    auto work = boost::asio::make_work_guard(loop);
    while (!result) loop.run_one();
    return std::move(*result);
  }

  StillClock clock;
  Card card;
  FallibleState state;
  Catalog catalog;
  Loop loop;
  DiskPool disk{2};
  std::unique_ptr<HostBook> book;
};

inline HostSpec web1(std::uint64_t order = 1) {
  HostSpec spec;
  spec.name = "web1";
  spec.macs = {"52:54:00:00:00:01"};
  spec.entry = "centos7";
  spec.install_order = order;
  spec.install_done = 0;
  spec.variables = {{"role", "web"}};
  return spec;
}

inline DesiredState lyon(std::vector<HostSpec> hosts, std::uint64_t number = 1) {
  DesiredState state;
  state.site = "lyon";
  state.number = number;
  state.variables = {{"domain", "lyon.test"}};
  state.hosts = std::move(hosts);
  return state;
}

}  // namespace farboot::testing
