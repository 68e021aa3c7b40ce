// Connections live on the workers' threads; the site is asked on its own loop.
#include <gmock/gmock.h>

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "tests/agent/http/live_site.h"

namespace farboot {
namespace {

using ::testing::ElementsAre;

/// Time that a worker can be made to wait for.
class Gate final : public Clock {
 public:
  WallTime wall() const override { return system_clock().wall(); }
  SteadyTime steady() const override {
    if (std::this_thread::get_id() != free_) {
      std::unique_lock lock(mutex_);
      waits_ = shut_;
      changed_.notify_all();
      changed_.wait(lock, [&] { return !shut_; });
    }
    return system_clock().steady();
  }
  /// All threads but `free` wait from now on.
  void shut(std::thread::id free) {
    const std::lock_guard lock(mutex_);
    free_ = free;
    shut_ = true;
  }
  void wait_for_one() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waits_; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    shut_ = false;
    changed_.notify_all();
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  mutable bool waits_ = false;
  std::atomic<std::thread::id> free_;
  bool shut_ = false;
};

class Workers : public ::testing::Test {
 protected:
  Workers() {
    Release release;
    release.number = 1;
    file_ = sample_bytes(8 * kChunkBytesMax, 1);
    const Digest tree = keep_tree(live_.store(), {{"f", file_}});
    release.images.push_back(sample_image("i", "t", tree));
    live_.activate(release);
    live_.start();
    path_ = "/t/" + tree.hex() + "/f";
  }

  LiveSite live_;
  Bytes file_;
  std::string path_;
};

TEST_F(Workers, SendFilesWhileTheSitesLoopIsBusy) {
  RawClient client(live_.port());
  ASSERT_EQ(client.get(path_).status, 200);
  std::promise<void> busy, release;
  boost::asio::post(live_.loop(), [&] {
    busy.set_value();
    release.get_future().wait();
  });
  busy.get_future().wait();
  const Answer answer = client.get(path_);
  release.set_value();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, as_text(file_));
}

TEST_F(Workers, AskTheSiteOnItsOwnLoop) {
  std::thread::id loop, asked;
  live_.on_loop([&] { loop = std::this_thread::get_id(); });
  live_.site().on_event = [&] { asked = std::this_thread::get_id(); };
  std::vector<std::unique_ptr<RawClient>> clients;  // so many that each worker has one
  for (int i = 0; i < 4; ++i) {
    asked = {};
    clients.push_back(std::make_unique<RawClient>(live_.port()));
    EXPECT_EQ(clients.back()->get("/v1/event/t?event=done").status, 200);
    EXPECT_EQ(asked, loop);
  }
}

TEST_F(Workers, TellOfAFileBeforeTheyAskOrWhenTheyStop) {
  const auto fetches = [&] { return live_.site().fetches.with([](auto& all) { return all; }); };
  RawClient client(live_.port());
  client.get(path_);
  EXPECT_EQ(client.get("/boot.ipxe").status, 200);
  EXPECT_THAT(fetches(), ElementsAre("127.0.0.1 f"));
  client.get(path_);
  live_.stop();
  EXPECT_THAT(fetches(), ElementsAre("127.0.0.1 f", "127.0.0.1 f"));
}

TEST_F(Workers, StopWithoutTheAnswerTheyWaitFor) {
  live_.site().held = std::make_unique<boost::asio::steady_timer>(
      live_.loop(), boost::asio::steady_timer::time_point::max());
  RawClient client(live_.port());
  client.send("GET /ks/held HTTP/1.1\r\nHost: pi\r\n\r\n");
  live_.site().asked.get_future().wait();
  live_.on_loop([&] { live_.end_connections(); });
  EXPECT_TRUE(client.at_end());
  live_.on_loop([&] { live_.site().held->cancel(); });  // an answer that nobody waits for
  live_.stop();
}

/// Requests that nobody is asked for, sent ahead: such a connection never waits for its client.
TEST(WorkersTurns, AreTakenBetweenPipelinedRequests) {
  HttpLimits limits;
  limits.workers = 1;
  Gate gate;
  LiveSite live(StoreKind::memory, limits, gate);
  Release release;
  release.number = 1;
  live.activate(release);
  live.start();
  live.site().held = std::make_unique<boost::asio::steady_timer>(
      live.loop(), boost::asio::steady_timer::time_point::max());
  // All of them fit one receive: the next would be a turn given by itself.
  constexpr int kRequests = 100;
  std::string many = "GET /ks/held HTTP/1.1\r\nHost: pi\r\n\r\n", few = many;
  for (int i = 0; i < kRequests; ++i) many += "GET /absent HTTP/1.1\r\nHost: pi\r\n\r\n";
  many += "GET /v1/event/t?event=many HTTP/1.1\r\nHost: pi\r\n\r\n";
  few += "GET /v1/event/t?event=few HTTP/1.1\r\nHost: pi\r\n\r\n";
  RawClient first(live.port()), second(live.port());
  first.send(many);
  live.site().asked.get_future().wait();
  live.site().asked = {};
  second.send(few);
  live.site().asked.get_future().wait();
  // Both answers are there before the worker goes on with the first.
  std::thread::id loop;
  live.on_loop([&] { loop = std::this_thread::get_id(); });
  gate.shut(loop);
  live.on_loop([&] { live.site().held->cancel(); });
  gate.wait_for_one();
  live.on_loop([] {});
  gate.open();
  for (int i = 0; i < kRequests + 2; ++i) EXPECT_NE(first.receive().status, 0);
  EXPECT_EQ(second.receive().status, 200);
  EXPECT_EQ(second.receive().status, 200);
  const auto events = live.site().events.with([](auto& all) { return all; });
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events.front().event, "few");
}

/// Who is asked to give way keeps its place until it has gone, which a busy worker puts off.
TEST(WorkersPlaces, AreBoundedWhileNobodyGivesWay) {
  constexpr std::size_t kIdle = 7, kPlaces = kIdle + 1, kRefusals = 2, kMore = 12;
  HttpLimits limits;
  limits.workers = 1;
  limits.connections_max = kPlaces;
  limits.refusals_max = kRefusals;
  Gate gate;
  LiveSite live(StoreKind::memory, limits, gate);
  Release release;
  release.number = 1;
  live.activate(release);
  live.start();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (std::size_t i = 0; i < kPlaces; ++i) {
    clients.push_back(std::make_unique<RawClient>(live.port()));
    EXPECT_EQ(clients.back()->get("/boot.ipxe").status, 200);
  }
  std::thread::id loop;
  live.on_loop([&] { loop = std::this_thread::get_id(); });
  gate.shut(loop);
  clients.back()->send("GET /absent HTTP/1.1\r\nHost: pi\r\n\r\n");
  gate.wait_for_one();
  for (std::size_t i = 0; i < kMore; ++i)
    clients.push_back(std::make_unique<RawClient>(live.port()));
  EXPECT_TRUE(clients.back()->at_end());  // the last one: all before it were let in or not
  std::size_t held = 0;
  live.on_loop([&] { held = live.connections(); });
  EXPECT_EQ(held, kPlaces + kRefusals + kRefusals) << "so many beyond, and so many that hear no";
  gate.open();
}

/// A place that stays counted would be one too few in a later round.
TEST(WorkersPlaces, AreFreeAgainHoweverTheyWereLeft) {
  constexpr std::size_t kClients = 8;
  HttpLimits limits;
  limits.connections_per_client_max = limits.connections_max = kClients;
  limits.refusals_max = 0;
  LiveSite live(StoreKind::memory, limits);
  Release release;
  release.number = 1;
  const Digest tree = keep_tree(live.store(), {{"f", sample_bytes(4 * kChunkBytesMax, 1)}});
  release.images.push_back(sample_image("i", "t", tree));
  live.activate(release);
  live.start();
  for (int round = 0; round < 4; ++round) {
    std::vector<std::unique_ptr<RawClient>> clients;
    for (std::size_t i = 0; i < kClients; ++i) {
      clients.push_back(std::make_unique<RawClient>(live.port()));
      clients.back()->send("GET /t/" + tree.hex() + "/f HTTP/1.1\r\nHost: pi\r\n\r\n");
    }
    for (std::size_t i = 0; i < kClients; ++i) {
      if (i % 2 == 0) {
        EXPECT_EQ(clients[i]->receive().status, 200) << round;
      } else {
        clients[i]->abort();
      }
    }
    clients.clear();
    for (std::size_t left = 1; left != 0;) {
      live.on_loop([&] { left = live.connections(); });
      std::this_thread::yield();
    }
  }
}

}  // namespace
}  // namespace farboot
