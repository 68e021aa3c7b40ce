#include "agent/site/site_files.h"

#include <optional>
#include <utility>

#include <gtest/gtest.h>

#include "common/store/memory_state.h"
#include "common/store/memory_store.h"

namespace farboot {
namespace {

/// Runs one coroutine to its end on a loop of its own.
template <class T>
T run(Task<T> task) {
  Loop loop;
  std::optional<T> result;
  auto body = [&result](Task<T> inner) -> Task<void> { result.emplace(co_await std::move(inner)); };
  spawn(loop, "test", body(std::move(task)));
  loop.run();
  EXPECT_TRUE(result);
  return std::move(*result);
}

class SiteFilesTest : public ::testing::Test {
 protected:
  SiteFilesTest()
      : files_(
            catalog_, store_, disk_,
            [](std::string_view url) { return "chain " + std::string(url); }, 8080) {}
  ~SiteFilesTest() override { disk_.join(); }

  Digest tree(const std::string& path, std::string_view content) {
    FileEntry entry;
    entry.path = path;
    entry.size_bytes = content.size();
    entry.sha256 = sha256(as_bytes(content));
    entry.chunks = {{entry.sha256, static_cast<std::uint32_t>(content.size())}};
    EXPECT_TRUE(store_.put(entry.sha256, as_bytes(content)));
    auto manifest = put_manifest(store_, Manifest{{entry}});
    EXPECT_TRUE(manifest);
    return *manifest;
  }

  void activate(const Release& release) {
    const SignedDocument document =
        SigningKey::generate().sign(DocumentKind::release, encode_release(release));
    ASSERT_TRUE(catalog_.commit_active(document));
    auto snapshot = load_snapshot(store_, document);
    ASSERT_TRUE(snapshot) << snapshot.error().what;
    catalog_.publish(*snapshot);
  }

  Release release_with_loader() {
    Release release;
    release.number = 1;
    release.loaders = tree("undionly.kpxe", "loader bytes");
    release.assets = tree("bg.png", "picture");
    return release;
  }

  Result<std::string> fetch(const std::string& path) {
    auto file = run(files_.open(path, Ipv4::of(10, 0, 0, 9), Ipv4::of(10, 0, 0, 2)));
    if (!file) return file.error();
    auto bytes = run((*file)->read(0, static_cast<std::size_t>((*file)->size_bytes()) + 10));
    if (!bytes) return bytes.error();
    return std::string(as_text(*bytes));
  }

  MemoryStore store_;
  MemoryState state_;
  DiskPool disk_{1};
  Catalog catalog_{store_, state_};
  SiteFiles files_;
};

TEST_F(SiteFilesTest, AsksClientsToWaitUntilAReleaseIsActive) {
  EXPECT_FALSE(files_.loader_exists("undionly.kpxe"));
  for (const std::string path : {"undionly.kpxe", "boot/grub/grub.cfg", "a/bg.png", "images/c/x"})
    EXPECT_EQ(fetch(path).error().code, Errc::unavailable) << path;
  EXPECT_EQ(fetch("ks/0123").error().code, Errc::not_found);
  EXPECT_EQ(*fetch("boot.ipxe"), "chain http://10.0.0.2:8080");
}

TEST_F(SiteFilesTest, ServesTheSamePathsAsHttp) {
  const Release release = release_with_loader();
  activate(release);
  EXPECT_TRUE(files_.loader_exists("undionly.kpxe"));
  EXPECT_FALSE(files_.loader_exists("snponly.efi"));
  EXPECT_EQ(*fetch("undionly.kpxe"), "loader bytes");
  EXPECT_EQ(*fetch("a/bg.png"), "picture");
  EXPECT_EQ(*fetch("t/" + release.assets->hex() + "/bg.png"), "picture");
  EXPECT_EQ(fetch("a/none.png").error().code, Errc::not_found);
  EXPECT_EQ(fetch("ks/0123").error().code, Errc::not_found);
}

/// GRUB's prefix and bootmgr's files lie in a folder that machine scripts share.
TEST_F(SiteFilesTest, ServesLoadersBelowBoot) {
  Release release;
  release.number = 1;
  release.loaders = tree("boot/grub/grub.cfg", "menuentry");
  activate(release);
  EXPECT_EQ(*fetch("boot/grub/grub.cfg"), "menuentry");
  EXPECT_EQ(fetch("boot/grub/none.cfg").error().code, Errc::not_found);
  EXPECT_EQ(fetch("boot/52:54:00:aa:bb:cc.ipxe").error().code, Errc::not_found);
}

/// Nothing in a TFTP name is an escape, a query or a fragment.
TEST_F(SiteFilesTest, TakesNamesAsTheyStand) {
  Release release;
  release.number = 1;
  release.assets = tree("50%25 off?#1.efi", "odd");
  activate(release);
  EXPECT_EQ(*fetch("a/50%25 off?#1.efi"), "odd");
  EXPECT_EQ(fetch("a/50%2525 off%3F%231.efi").error().code, Errc::not_found);
}

TEST_F(SiteFilesTest, GivesTheFirstScriptWithTheAddressTheClientReached) {
  activate(release_with_loader());
  EXPECT_EQ(*fetch("boot.ipxe"), "chain http://10.0.0.2:8080");
  EXPECT_EQ(*fetch("autoexec.ipxe"), "chain http://10.0.0.2:8080");
}

TEST_F(SiteFilesTest, ReadsFromTheMiddleAndStopsAtTheEnd) {
  activate(release_with_loader());
  auto file = run(files_.open("undionly.kpxe", {}, {}));
  ASSERT_TRUE(file);
  auto tail = run((*file)->read(7, 100));
  ASSERT_TRUE(tail);
  EXPECT_EQ(as_text(*tail), "bytes");
}

/// Before a client was promised anything; and no "file not found" for a file of the release.
TEST_F(SiteFilesTest, KnowsBeforehandThatAFileCannotBeRead) {
  activate(release_with_loader());
  auto good = run(files_.open("undionly.kpxe", {}, {}));
  ASSERT_TRUE(good);
  EXPECT_TRUE(run((*good)->prepare()));
  ASSERT_TRUE(store_.rot(sha256(as_bytes(std::string_view("loader bytes")))));
  auto rotten = run(files_.open("undionly.kpxe", {}, {}));
  ASSERT_TRUE(rotten);
  EXPECT_EQ(run((*rotten)->prepare()).error().code, Errc::corrupt);
  auto fetched_anew = run(files_.open("undionly.kpxe", {}, {}));
  ASSERT_TRUE(fetched_anew);
  EXPECT_EQ(run((*fetched_anew)->prepare()).error().code, Errc::unavailable);
  EXPECT_EQ(run((*fetched_anew)->read(0, 10)).error().code, Errc::unavailable);
}

TEST_F(SiteFilesTest, PreparesAnEmptyFile) {
  Release release;
  release.number = 1;
  FileEntry entry;
  entry.path = "empty";
  entry.sha256 = sha256({});
  release.loaders = put_manifest(store_, Manifest{{entry}}).value();
  activate(release);
  auto file = run(files_.open("empty", {}, {}));
  ASSERT_TRUE(file);
  EXPECT_TRUE(run((*file)->prepare()));
}

TEST(ServerUrl, LeavesOutThePortOnlyWhenItIsTheUsualOne) {
  EXPECT_EQ(server_url(Ipv4::of(10, 4, 0, 2), 80), "http://10.4.0.2");
  EXPECT_EQ(server_url(Ipv4::of(10, 4, 0, 2), 8080), "http://10.4.0.2:8080");
}

}  // namespace
}  // namespace farboot
