// Long transfers: releases change under them, chunks rot before them, clients fall asleep.
#include <fcntl.h>
#include <gmock/gmock.h>

#include <filesystem>

#include "tests/agent/http/live_site.h"

namespace farboot {
namespace {

constexpr int kTinyBuffer = 4096;

Release release_of(std::uint64_t number, const Digest& tree) {
  Release release;
  release.number = number;
  release.images.push_back(sample_image("i", "t", tree));
  return release;
}

std::string request(const Digest& tree, const std::string& path) {
  return "GET /t/" + tree.hex() + "/" + path + " HTTP/1.1\r\nHost: pi\r\n\r\n";
}

class Transfers : public ::testing::TestWithParam<StoreKind> {
 protected:
  Transfers() : live_(GetParam()) {}

  /// A tree with one file `f` of `mebibytes`.
  Digest tree(std::uint64_t seed, std::size_t mebibytes) {
    return keep_tree(live_.store(), {{"f", bytes(seed, mebibytes)}});
  }
  static Bytes bytes(std::uint64_t seed, std::size_t mebibytes) {
    return sample_bytes(mebibytes * kChunkBytesMax + 77, seed);
  }

  LiveSite live_;
};

INSTANTIATE_TEST_SUITE_P(Stores, Transfers, ::testing::Values(StoreKind::memory, StoreKind::packs),
                         [](const auto& param) {
                           return param.param == StoreKind::memory ? "Memory" : "Packs";
                         });

TEST_P(Transfers, EndWithTheReleaseTheyBeganWith) {
  const Digest old = tree(1, 24);
  live_.activate(release_of(1, old));
  live_.start();
  RawClient sleeper(live_.port(), kTinyBuffer);
  sleeper.send(request(old, "f"));
  sleeper.wait_for_bytes();

  for (std::uint64_t number = 2; number <= 4; ++number) {
    const Digest next = tree(number, 1);
    live_.activate(release_of(number, next));
    live_.sweep();
    RawClient other(live_.port());
    other.send(request(next, "f"));
    ASSERT_EQ(sha256(as_bytes(other.receive().body)), sha256(bytes(number, 1)));
  }
  const Answer answer = sleeper.receive();
  EXPECT_TRUE(answer.whole);
  EXPECT_EQ(sha256(as_bytes(answer.body)), sha256(bytes(1, 24)));

  RawClient late(live_.port());
  late.send(request(old, "f"));
  EXPECT_EQ(late.receive().status, 404) << "two releases ago";
}

TEST_P(Transfers, NeverSendWrongBytesEvenIfEverythingIsSweptAway) {
  const Digest old = tree(1, 24);
  live_.activate(release_of(1, old));
  live_.start();
  RawClient sleeper(live_.port(), kTinyBuffer);
  sleeper.send(request(old, "f"));
  sleeper.wait_for_bytes();
  ASSERT_TRUE(live_.store().sweep([](const Digest&) { return false; }));
  for (std::uint64_t seed = 2; seed <= 6; ++seed) tree(seed, 4);  // what was freed is used again

  const Answer answer = sleeper.receive();
  const Bytes wanted = bytes(1, 24);
  ASSERT_LE(answer.body.size(), wanted.size());
  EXPECT_FALSE(answer.whole);
  EXPECT_TRUE(answer.body == as_text(wanted).substr(0, answer.body.size()));
}

TEST_P(Transfers, AskToTryAgainWhenTheFirstChunkIsGone) {
  const Digest there = tree(1, 1);
  live_.activate(release_of(1, there));
  live_.start();
  ASSERT_TRUE(live_.store().sweep([](const Digest&) { return false; }));
  RawClient client(live_.port());
  client.send(request(there, "f"));
  const Answer answer = client.receive();
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.header("Retry-After"), "5");
  client.send("GET /v1/metrics HTTP/1.1\r\nHost: pi\r\n\r\n");
  EXPECT_THAT(client.receive().body, ::testing::HasSubstr("farboot_http_chunks_lost_total 1\n"));
}

TEST(TransfersOfRot, EndShortOfARottenChunkInMemory) {
  LiveSite live;
  const Bytes all = sample_bytes(4 * kChunkBytesMax, 9);
  const Digest tree = keep_tree(live.store(), {{"f", all}});
  ASSERT_TRUE(live.memory().rot(sha256(ByteView(all).subspan(2 * kChunkBytesMax, kChunkBytesMax))));
  live.activate(release_of(1, tree));
  live.start();
  RawClient client(live.port());
  client.send(request(tree, "f"));
  const Answer answer = client.receive();
  EXPECT_EQ(answer.header("Content-Length"), std::to_string(all.size()));
  EXPECT_FALSE(answer.whole);
  EXPECT_TRUE(answer.body == as_text(all).substr(0, 2 * kChunkBytesMax));
  EXPECT_TRUE(client.at_end());
  live.stop();
  EXPECT_TRUE(live.site().fetches.with([](auto& seen) { return seen.empty(); }));
}

TEST(TransfersOfRot, EndShortOfARottenChunkOnDisk) {
  LiveSite live(StoreKind::packs);
  Bytes all = sample_bytes(4 * kChunkBytesMax, 9);
  const Digest tree = keep_tree(live.store(), {{"f", all}});
  auto rotten = live.store().open(sha256(ByteView(all).subspan(kChunkBytesMax, kChunkBytesMax)));
  ASSERT_TRUE(rotten);
  const std::string pack =
      std::filesystem::read_symlink(fmt::format("/proc/self/fd/{}", rotten->fd)).string();
  const int fd = ::open(pack.c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(::pwrite(fd, "rot", 3, static_cast<off_t>(rotten->offset + 500'000)), 3);
  ::close(fd);
  *rotten = ChunkSource();
  live.activate(release_of(1, tree));
  live.reopen_packs();
  ASSERT_TRUE(live.catalog().open(nullptr));
  live.start();
  RawClient client(live.port());
  client.send(request(tree, "f"));
  const Answer answer = client.receive();
  EXPECT_EQ(answer.status, 200);
  EXPECT_FALSE(answer.whole);
  EXPECT_TRUE(answer.body == as_text(all).substr(0, kChunkBytesMax));
}

/// A card loses what was good when it was written: nobody has to restart the agent for it to be
/// noticed.
TEST(TransfersOfRot, PutAsideWhatCannotBeReadAnyMore) {
  LiveSite live(StoreKind::packs);
  const Bytes all = sample_bytes(4 * kChunkBytesMax, 9);
  const Digest tree = keep_tree(live.store(), {{"f", all}});
  const ByteView lost = ByteView(all).subspan(3 * kChunkBytesMax, kChunkBytesMax);
  live.activate(release_of(1, tree));
  live.start();
  RawClient first(live.port());
  first.send(request(tree, "f"));
  ASSERT_TRUE(first.receive().whole);
  {
    const auto source = live.store().open(sha256(lost));
    ASSERT_TRUE(source);
    const auto pack = std::filesystem::read_symlink(fmt::format("/proc/self/fd/{}", source->fd));
    ASSERT_EQ(::truncate(pack.c_str(), static_cast<off_t>(source->offset + 1000)), 0);
  }
  RawClient client(live.port());
  client.send(request(tree, "f"));
  const Answer answer = client.receive();
  EXPECT_FALSE(answer.whole);
  EXPECT_TRUE(all.size() > answer.body.size() && as_text(all).substr(0, 3 * kChunkBytesMax) ==
                                                     answer.body.substr(0, 3 * kChunkBytesMax));
  EXPECT_EQ(live.store().open(sha256(lost)).error().code, Errc::not_found) << "it is missing now";
  ASSERT_TRUE(live.store().put(sha256(lost), lost));  // fetched again
  RawClient again(live.port());
  again.send(request(tree, "f"));
  EXPECT_EQ(sha256(as_bytes(again.receive().body)), sha256(all));
}

TEST(TransfersCold, AreCheckedOnFirstUseAndWhole) {
  LiveSite live(StoreKind::packs);
  const Bytes all = sample_bytes(5 * kChunkBytesMax + 3, 10);
  const Digest tree = keep_tree(live.store(), {{"f", all}});
  live.activate(release_of(1, tree));
  live.reopen_packs();
  ASSERT_TRUE(live.catalog().open(nullptr));
  live.start();
  RawClient client(live.port());
  for (int i = 0; i < 2; ++i) {
    client.send(request(tree, "f"));
    EXPECT_EQ(sha256(as_bytes(client.receive().body)), sha256(all));
  }
}

TEST(TransfersOfPieces, AreWholeInManySmallChunks) {
  LiveSite live(StoreKind::packs);
  const Bytes all = sample_bytes(2 * kChunkBytesMax, 13);
  const Digest tree = keep_tree(live.store(), {{"f", all}}, 7'001);  // inline in the database
  const Digest packed = keep_tree(live.store(), {{"f", all}}, 17'001);
  Release release = release_of(1, tree);
  release.images.push_back(sample_image("p", "t", packed));
  live.activate(release);
  live.start();
  RawClient client(live.port());
  for (const Digest& which : {tree, packed}) {
    client.send(request(which, "f"));
    EXPECT_EQ(sha256(as_bytes(client.receive().body)), sha256(all));
    client.send("GET /t/" + which.hex() +
                "/f HTTP/1.1\r\nHost: pi\r\nRange: bytes=16999-1500000\r\n\r\n");
    EXPECT_TRUE(client.receive().body == as_text(all).substr(16'999, 1'483'002));
  }
}

}  // namespace
}  // namespace farboot
