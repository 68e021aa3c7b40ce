// Bad lines: cut at any byte, slow, or dead without a word. Seeded; a failure names its seed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/agent/link/link_agent.h"
#include "tests/support/link_controller.h"
#include "tests/support/tcp_proxy.h"

namespace farboot {
namespace {

using ::testing::HasSubstr;

/// Seen at the controller: what the agent asks for although it holds it, and how often each chunk
/// is sent.
class DurableTwice {
 public:
  DurableTwice(LinkController& controller, LinkAgent& agent) : controller_(controller) {
    controller.watch({.wanted =
                          [&agent, this](const Digest& id) {
                            if (agent.holds(id)) asked_again_.with([&](auto& n) { ++n; });
                          },
                      .sent = [this](const Digest& id) { sent_.with([&](auto& n) { ++n[id]; }); }});
  }
  ~DurableTwice() { controller_.watch({}); }
  int asked_again() {
    return asked_again_.with([](auto& n) { return n; });
  }
  std::map<Digest, unsigned> sent() {
    return sent_.with([](auto& n) { return n; });
  }

 private:
  LinkController& controller_;
  Guarded<int> asked_again_;
  Guarded<std::map<Digest, unsigned>> sent_;
};

class LineTest : public ::testing::Test {
 protected:
  void enrol() { agent_.enrol(controller_.token("lyon", "pi1", line_.address())); }
  void expect_same_bytes(const Digest& release) {
    for (const ChunkRef& chunk : controller_.chunks_of(release))
      EXPECT_EQ(*agent_.content->get(chunk.id), *controller_.content->get(chunk.id));
  }

  LinkController controller_;
  TcpProxy line_{controller_.address()};
  LinkAgent agent_;
};

TEST_F(LineTest, ACutInTheMiddleLosesWhatWasOnTheWayAndNothingElse) {
  const Digest release = controller_.add_release(60);
  controller_.order("lyon", {}, release);
  enrol();
  // A stream's first bytes and a good part of the chunks; then another cut, and the rest. On a busy
  // machine a connection may end before its cut: the next one gets it.
  constexpr unsigned kCuts = 3;
  line_.on_connection([this](unsigned) {
    LineFate fate;
    if (line_.cuts() < kCuts) fate.cut_after_bytes = 400'000;
    return fate;
  });
  const unsigned first = line_.connections();
  DurableTwice watch(controller_, agent_);
  agent_.start();
  ASSERT_TRUE(eventually([&] { return agent_.serves(release); }));
  expect_same_bytes(release);
  EXPECT_GE(line_.cuts(), kCuts);
  EXPECT_EQ(watch.asked_again(), 0);
  const unsigned used = line_.connections() - first;
  for (const auto& [id, times] : watch.sent()) EXPECT_LE(times, used) << id.hex();
  EXPECT_TRUE(eventually([&] {
    const auto report = controller_.report("lyon/pi1");
    return report && report->active == release && report->ready_proof;
  }));
}

TEST_F(LineTest, ALineThatDiesWithoutAWordIsNoticedAndDialledAgain) {
  agent_.stop();
  const Digest release = controller_.add_release(80);
  controller_.order("lyon", {}, release);
  AgentLinkSettings settings = quick_link();
  settings.dial.keepalive = Seconds(1);
  settings.dial.keepalive_timeout = Seconds(1);
  LinkAgent agent(settings);
  agent.enrol(controller_.token("lyon", "pi1", line_.address()));
  const std::uint64_t before = line_.down_bytes();
  DurableTwice watch(controller_, agent);
  agent.start();
  ASSERT_TRUE(eventually([&] { return line_.down_bytes() > before + 600'000; }));
  line_.stall(TcpProxy::Way::both);
  ASSERT_TRUE(eventually([&] { return !agent.link->status().connected; }))
      << "both ends of the connection are alive, and nothing comes";
  line_.stall(TcpProxy::Way::none);
  ASSERT_TRUE(eventually([&] { return agent.serves(release); }));
  for (const ChunkRef& chunk : controller_.chunks_of(release))
    EXPECT_EQ(*agent.content->get(chunk.id), *controller_.content->get(chunk.id));
  EXPECT_EQ(watch.asked_again(), 0);
}

TEST_F(LineTest, SeededCutsDelaysAndRestartsEndWithTheSameBytes) {
  enrol();
  constexpr std::uint64_t kSeeds = 4;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    std::mt19937_64 random(seed);
    const Digest release = controller_.add_release(50);
    controller_.order("lyon", {}, release);
    const unsigned first = line_.connections(), bad = 4 + static_cast<unsigned>(random() % 5);
    line_.on_connection([=](unsigned nth) {
      std::mt19937_64 of_this(seed * 1'000 + nth);
      LineFate fate;
      fate.seed = of_this();
      if (nth - first >= bad) return fate;
      // From inside the handshake to deep into the chunks, at any byte.
      fate.cut_after_bytes = of_this() % (of_this() % 2 == 0 ? 8'000 : 500'000);
      fate.delay_ms_max = static_cast<unsigned>(of_this() % 4);
      return fate;
    });
    {
      DurableTwice watch(controller_, agent_);
      agent_.start();
      // One end or the other goes away in the middle, at a moment of the seed's.
      const std::uint64_t moment = line_.down_bytes() + random() % 600'000;
      const bool agent_falls = random() % 2 == 0;
      ASSERT_TRUE(
          eventually([&] { return line_.down_bytes() >= moment || agent_.serves(release); }));
      if (agent_falls) {
        agent_.restart();
      } else {
        controller_.restart();
      }
      ASSERT_TRUE(eventually([&] { return agent_.serves(release); }))
          << agent_.link->status().error << agent_.link->status().sync.error;
      EXPECT_EQ(watch.asked_again(), 0);
      for (const auto& [id, times] : watch.sent()) EXPECT_LE(times, 2 + bad) << id.hex();
    }
    expect_same_bytes(release);
    agent_.stop();
  }
}

}  // namespace
}  // namespace farboot
