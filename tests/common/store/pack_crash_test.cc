// Killed at any moment, nothing acknowledged is lost and nothing wrong is served.
#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>

#include "common/store/pack_record.h"
#include "common/store/rocks_state.h"
#include "tests/common/store/crash_writer.h"
#include "tests/common/store/store_harness.h"

namespace farboot {
namespace {

using test::Acknowledged;
using test::CrashWriter;
using test::DiskStore;
using test::noise;

PackStoreOptions roomy_packs() {
  PackStoreOptions options = DiskStore::roomy();
  options.pack_bytes_max = 2u << 20;
  return options;
}

/// Opens what a crash left: all acknowledged is there and right, and so is all else that is held.
void expect_whole(const std::string& folder, const Acknowledged& acknowledged) {
  DiskStore store(folder, roomy_packs());
  for (const std::uint64_t seed : acknowledged.chunks) {
    const Bytes bytes = noise(test::crash_chunk_size(seed), seed);
    auto held = store->get(sha256(bytes));
    ASSERT_TRUE(held) << "chunk of seed " << seed << ": " << held.error().what;
    ASSERT_EQ(*held, bytes);
  }
  std::uint64_t held = 0;
  ASSERT_TRUE(
      ChunkIndex(store.database()).each_chunk([&](const Digest& id, const ChunkPlace& place) {
        ++held;
        auto source = store->open(id);
        EXPECT_TRUE(source) << source.error().what;
        EXPECT_EQ(source->size_bytes, place.size_bytes);
        return source.has_value();
      }));
  EXPECT_TRUE(store->quarantined()->empty());
  EXPECT_EQ(store->usage()->chunks, held);

  auto state = *RocksState::open(store.database());
  auto counter = *state->get("counter"), twin = *state->get("twin");
  ASSERT_TRUE(counter || acknowledged.state == 0);
  if (!counter) return;
  EXPECT_GE(std::stoull(counter->value), acknowledged.state);
  EXPECT_EQ(counter->value, twin->value);  // all or nothing
  EXPECT_EQ(counter->revision, twin->revision);
}

TEST(PackCrash, KilledAtSeededMomentsNothingAcknowledgedIsLost) {
  const std::uint64_t seed = 4711;
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  TempFolder folder;
  Acknowledged acknowledged;
  for (std::uint64_t round = 0; round < 10; ++round) {
    {
      CrashWriter writer(folder.path(), 1 + round * 10'000);
      ASSERT_TRUE(writer.wait(static_cast<int>(1 + random() % 30), acknowledged));
      writer.kill();  // wherever it is by now
      writer.drain(acknowledged);
    }
    expect_whole(folder.path(), acknowledged);
    if (HasFatalFailure()) return;
  }
}

TEST(PackCrash, ATailOfAnyLengthBeyondTheIndexIsCut) {
  const std::uint64_t seed = 815;
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  TempFolder folder;
  DiskStore store(folder.path(), roomy_packs());
  Acknowledged acknowledged;
  for (std::uint64_t round = 1; round <= 15; ++round) {
    const Bytes bytes = noise(test::crash_chunk_size(round), round);
    ASSERT_TRUE(store->put(sha256(bytes), bytes));
    acknowledged.chunks.insert(round);
    // What an append leaves that never came to its index write: a whole record or part of one.
    const Bytes lost = noise(20'000 + random() % 50'000, 1000 + round);
    const auto header = encode_record({sha256(lost), static_cast<std::uint32_t>(lost.size())});
    Bytes tail(header.begin(), header.end());
    tail.insert(tail.end(), lost.begin(), lost.end());
    tail.resize(random() % (tail.size() + 1));
    store.close();
    const auto numbers = *PackFolder(store.packs()).numbers();
    if (!numbers.empty()) {
      std::ofstream(store.pack(numbers.back()), std::ios::app | std::ios::binary)
          .write(reinterpret_cast<const char*>(tail.data()),
                 static_cast<std::streamsize>(tail.size()));
    }
    ASSERT_TRUE(store.open());
    EXPECT_EQ(store->get(sha256(lost)).error().code, Errc::not_found);
  }
  store.close();
  expect_whole(folder.path(), acknowledged);
}

TEST(PackCrash, APackThatNeverCameToItsIndexWriteIsKeptOrRemoved) {
  TempFolder folder;
  DiskStore store(folder.path(), roomy_packs());
  const Bytes first = noise(100'000, 1), second = noise(100'000, 2), third = noise(100'000, 3);
  ASSERT_TRUE(store->put(sha256(first), first));
  store.close();
  Bytes pack = encode_pack_header(2);
  const auto header = encode_record({sha256(third), static_cast<std::uint32_t>(third.size())});
  pack.insert(pack.end(), header.begin(), header.end());
  pack.insert(pack.end(), third.begin(), third.end());
  std::ofstream(store.pack(2), std::ios::binary) << as_text(pack);
  std::ofstream(store.pack(3)) << "";  // only just created
  ASSERT_TRUE(store.open());
  EXPECT_FALSE(std::filesystem::exists(store.pack(3)));
  EXPECT_EQ(*store->get(sha256(first)), first);
  EXPECT_EQ(*store->get(sha256(third)), third);
  ASSERT_TRUE(store->put(sha256(second), second));
  ASSERT_TRUE(store.open());
  EXPECT_TRUE(store->verify(sha256(second)));
}

/// A file system in a file. What reached the file is what a disk would hold if the power went now.
class LoopDisk {
 public:
  explicit LoopDisk(const std::string& image) : mount_(image + ".mount") {
    std::filesystem::create_directories(mount_);
    // No commit of the journal on its own account: a copy of the image is a moment of its life.
    mounted_ = run(fmt::format("mount -o loop,commit=600 {} {}", image, mount_));
  }
  ~LoopDisk() {
    if (mounted_) run(fmt::format("umount {}", mount_));
  }
  LoopDisk(const LoopDisk&) = delete;
  LoopDisk& operator=(const LoopDisk&) = delete;
  bool mounted() const { return mounted_; }
  const std::string& path() const { return mount_; }
  static bool run(const std::string& command) {
    return std::system(("PATH=$PATH:/usr/sbin:/sbin; " + command + " >/dev/null 2>&1").c_str()) ==
           0;
  }

 private:
  std::string mount_;
  bool mounted_ = false;
};

TEST(PackCrash, ThePowerGoesAndWhatTheDiskHoldsIsWhole) {
  if (::geteuid() != 0) GTEST_SKIP() << "mounting needs root";
  const std::uint64_t seed = 90'210;
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  TempFolder folder;
  const std::string image = folder / "disk";
  std::ofstream(image) << "";
  std::filesystem::resize_file(image, 192u << 20);
  ASSERT_TRUE(LoopDisk::run("mkfs.ext4 -q -F " + image));
  const LoopDisk disk(image);
  if (!disk.mounted()) GTEST_SKIP() << "no loop devices here";
  Acknowledged acknowledged;
  CrashWriter writer(disk.path(), 1);
  for (int round = 0; round < 6; ++round) {
    ASSERT_TRUE(writer.wait(static_cast<int>(1 + random() % 25), acknowledged));
    // Nothing that only the page cache of the stopped writer's file system holds is in the copy.
    writer.stop();
    writer.drain(acknowledged);
    const std::string copy = fmt::format("{}/copy{}", folder.path().string(), round);
    ASSERT_TRUE(LoopDisk::run(fmt::format("cp --sparse=always {} {}", image, copy)));
    writer.go_on();
    {
      const LoopDisk after(copy);  // the journal is replayed, as at the next boot
      ASSERT_TRUE(after.mounted());
      expect_whole(after.path(), acknowledged);
    }
    std::filesystem::remove(copy);
    if (HasFatalFailure()) return;
  }
}

/// As if the power went before the files were gone: they cannot be unlinked.
TEST(PackCrash, EmptiedPacksWhoseFilesStayAreNoLostIndex) {
  if (::geteuid() != 0) GTEST_SKIP() << "mounting needs root";
  TempFolder folder;
  const std::string image = folder / "disk", copy = folder / "copy";
  std::ofstream(image) << "";
  std::filesystem::resize_file(image, 192u << 20);
  ASSERT_TRUE(LoopDisk::run("mkfs.ext4 -q -F " + image));
  const LoopDisk disk(image);
  if (!disk.mounted()) GTEST_SKIP() << "no loop devices here";
  DiskStore store(disk.path(), roomy_packs());
  const Bytes kept = noise(100'000, 1);
  ASSERT_TRUE(store->put(sha256(kept), kept));
  for (std::uint64_t seed = 2; seed < 30; ++seed) {
    const Bytes bytes = noise(1'000'000, seed);
    ASSERT_TRUE(store->put(sha256(bytes), bytes));
  }
  const Digest stays = sha256(kept);
  const std::string packs = disk.path() + "/packs/*";
  ASSERT_TRUE(LoopDisk::run("chattr +i " + packs));
  ASSERT_TRUE(store->sweep([&](const Digest& id) { return id == stays; }));
  ASSERT_TRUE(LoopDisk::run(fmt::format("cp --sparse=always {} {}", image, copy)));
  ASSERT_TRUE(LoopDisk::run("chattr -i " + packs));
  const LoopDisk after(copy);
  ASSERT_TRUE(after.mounted());
  ASSERT_TRUE(LoopDisk::run("chattr -i " + after.path() + "/packs/*"));
  DiskStore again(after.path(), roomy_packs());  // opens
  EXPECT_EQ(*again->get(stays), kept);
  EXPECT_EQ(again->usage()->chunks, 1u);
}

}  // namespace
}  // namespace farboot
