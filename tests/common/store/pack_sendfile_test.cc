// sendfile(2) queues references to pages of the file. Whatever happens to the store afterwards, a
// client that reads late must get the bytes that were sent.
#include <netinet/in.h>
#include <sched.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include <memory>

#include <gtest/gtest.h>

#include "tests/common/store/store_harness.h"
#include "tests/support/eventually.h"

namespace farboot {
namespace {

using test::allocated;
using test::DiskStore;
using test::noise;

/// A TCP connection over loopback whose sending end takes much without anybody reading.
struct Connection {
  UniqueFd sender, receiver;

  Connection() {
    const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    socklen_t length = sizeof address;
    EXPECT_EQ(::bind(listener.get(), any, length), 0);
    EXPECT_EQ(::listen(listener.get(), 1), 0);
    EXPECT_EQ(::getsockname(listener.get(), any, &length), 0);
    receiver.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int small = 16 * 1024, large = 8 << 20;
    ::setsockopt(receiver.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    EXPECT_EQ(::connect(receiver.get(), any, length), 0);
    sender.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    ::setsockopt(sender.get(), SOL_SOCKET, SO_SNDBUF, &large, sizeof large);
  }
  /// As much of the chunk as the socket takes.
  std::size_t send(const ChunkSource& source) const {
    auto offset = static_cast<off_t>(source.offset);
    std::size_t sent = 0;
    while (sent < source.size_bytes) {
      const ssize_t n = ::sendfile(sender.get(), source.fd, &offset, source.size_bytes - sent);
      if (n <= 0) break;
      sent += static_cast<std::size_t>(n);
    }
    return sent;
  }
  Bytes receive(std::size_t size) const {
    Bytes bytes(size);
    EXPECT_EQ(::recv(receiver.get(), bytes.data(), size, MSG_WAITALL), static_cast<ssize_t>(size));
    return bytes;
  }
};

/// A byte over loopback on each CPU. What was sent is held, its pages with it, until the CPU it was
/// sent on next hears of the network: a site's does all the time, one under a test perhaps never.
void stir_the_network() {
  sockaddr_in self{};
  self.sin_family = AF_INET;
  self.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const any = reinterpret_cast<sockaddr*>(&self);
  socklen_t length = sizeof self;
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(socket.get(), any, length), 0);
  ASSERT_EQ(::getsockname(socket.get(), any, &length), 0);
  cpu_set_t all;
  ASSERT_EQ(::sched_getaffinity(0, sizeof all, &all), 0);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &all)) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
    EXPECT_EQ(::sendto(socket.get(), "x", 1, 0, any, length), 1);
  }
  ASSERT_EQ(::sched_setaffinity(0, sizeof all, &all), 0);
}

TEST(PackSendfile, AStalledClientGetsItsBytesThoughTheChunkIsSweptAndOthersWritten) {
  // Sizes that share pages, and large pieces of the page cache, with their neighbours.
  for (const std::uint32_t size : {61'440u, 300'017u, 1'036'288u}) {
    TempFolder folder;
    DiskStore store(folder.path());
    constexpr std::uint64_t kChunks = 24;
    std::vector<Digest> ids;
    std::vector<Bytes> bytes;
    std::vector<ContentStore::Chunk> batch;
    for (std::uint64_t i = 0; i < kChunks; ++i) bytes.push_back(noise(size, i));
    for (const Bytes& chunk : bytes) {
      ids.push_back(sha256(chunk));
      batch.push_back({ids.back(), chunk});
    }
    ASSERT_TRUE(store->put(batch));
    for (const Digest& id : ids) ASSERT_TRUE(store->verify(id));  // read back in, with read-ahead
    for (const Digest& id : ids) ASSERT_TRUE(store->open(id));

    auto client = std::make_unique<Connection>();
    constexpr std::uint64_t kSent = 11;
    std::size_t sent = 0;
    {
      auto source = store->open(ids[kSent]);
      ASSERT_TRUE(source);
      sent = client->send(*source);
      EXPECT_GE(sent, 60'000u);
      // While somebody holds the lease, not even an attempt is made.
      ASSERT_TRUE(store->sweep([&](const Digest& id) { return id != ids[kSent]; }));
      EXPECT_EQ(ChunkIndex(store.database()).freed(0, 0, 10)->size(), 1u);
    }
    // The lease is gone, the bytes are still in the socket. Turn the store over.
    const std::uint64_t full = allocated(store.pack(1));
    ASSERT_TRUE(store->sweep([&](const Digest& id) { return id == ids[0] || id == ids[12]; }));
    for (std::uint64_t i = 0; i < kChunks; ++i) {
      const Bytes other = noise(size, 1000 + i);
      ASSERT_TRUE(store->put(sha256(other), other));
    }
    ASSERT_TRUE(store->sweep([&](const Digest& id) { return id == ids[0] || id == ids[12]; }));
    const Bytes received = client->receive(sent);
    const auto first_wrong = std::mismatch(received.begin(), received.end(), bytes[kSent].begin());
    EXPECT_EQ(first_wrong.first - received.begin(), static_cast<std::ptrdiff_t>(sent)) << size;
    // Once the client is gone the space comes back: TCP may take a moment, and so may a busy disk
    // with the pages that have to be written first.
    client.reset();
    EXPECT_TRUE(eventually([&] {
      stir_the_network();
      EXPECT_TRUE(store->sweep([&](const Digest& id) { return id == ids[0] || id == ids[12]; }));
      return ChunkIndex(store.database()).freed(0, 0, 10)->empty();
    })) << size;
    EXPECT_LE(allocated(store.pack(1)), full / 4) << size;
    EXPECT_TRUE(store->verify(ids[0]));
    EXPECT_TRUE(store->verify(ids[12]));
  }
}

TEST(PackSendfile, AStalledClientGetsItsBytesThoughThePackIsUnlinked) {
  TempFolder folder;
  DiskStore store(folder.path());
  const Bytes bytes = noise(900'001, 1);
  const Digest id = sha256(bytes);
  ASSERT_TRUE(store->put(id, bytes));
  const Connection client;
  std::size_t sent = 0;
  {
    auto source = store->open(id);
    ASSERT_TRUE(source);
    sent = client.send(*source);
    ASSERT_TRUE(store->sweep([](const Digest&) { return false; }));
    EXPECT_FALSE(std::filesystem::exists(store.pack(1)));
    Bytes again(bytes.size());
    ASSERT_EQ(::pread(source->fd, again.data(), again.size(), static_cast<off_t>(source->offset)),
              static_cast<ssize_t>(again.size()));
    EXPECT_EQ(again, bytes);
  }
  for (std::uint64_t i = 0; i < 8; ++i) {
    const Bytes other = noise(900'001, 50 + i);
    ASSERT_TRUE(store->put(sha256(other), other));
  }
  const Bytes received = client.receive(sent);
  EXPECT_TRUE(std::equal(received.begin(), received.end(), bytes.begin()));
}

}  // namespace
}  // namespace farboot
