// Broken, greedy and absent-minded clients.
#include <gmock/gmock.h>

#include "tests/agent/http/live_site.h"

namespace farboot {
namespace {

using namespace std::chrono_literals;

/// A site with one small and one big file under `base`.
struct Site {
  explicit Site(HttpLimits limits = {}) : live(StoreKind::memory, limits) {
    Release release;
    release.number = 1;
    const Digest tree = keep_tree(
        live.store(), {{"big", sample_bytes(16 * kChunkBytesMax, 1)}, {"small", {1, 2, 3}}});
    release.images.push_back(sample_image("i", "t", tree));
    live.activate(release);
    live.start();
    base = "/t/" + tree.hex();
  }
  LiveSite live;
  std::string base;
};

HttpLimits impatient() {
  HttpLimits limits;
  limits.tick = 10ms;
  return limits;
}

TEST(HttpBounds, AnswersABrokenHeadAndCloses) {
  Site site;
  for (const std::string& head :
       {std::string("nonsense\r\n\r\n"), std::string("GET\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\nHost pi\r\n\r\n"),
        std::string("GET / HTTP/1.1\nHost: pi\n\n"),
        std::string("GET /\r\n\r\n"),  // HTTP/0.9 had no version to look at
        std::string("GET / http/1.1\r\nHost: pi\r\n\r\n"),
        std::string("GET / HTTP/11\r\nHost: pi\r\n\r\n"),
        std::string("GET / HTTP/x.1\r\nHost: pi\r\n\r\n"),
        std::string("GET / FTP/1.1\r\nHost: pi\r\n\r\n"),
        std::string("GET / HTTP/2.0 \r\nHost: pi\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\nHo\0st: pi\r\n\r\n", 29),
        std::string("GET /\x01 HTTP/1.1\r\nHost: pi\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\nContent-Length: 1x\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
        std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 15)}) {
    RawClient client(site.live.port());
    client.send(head);
    client.finish();
    const Answer answer = client.receive();
    EXPECT_EQ(answer.status, 400) << head;
    EXPECT_EQ(answer.header("Connection"), "close");
    EXPECT_TRUE(client.at_end());
  }
}

TEST(HttpBounds, KnowsItsVersionsAndTheirHost) {
  Site site;
  // RFC 9110 §15.6.6: another major version.
  for (const char* line : {"GET / HTTP/3.7", "GET / HTTP/0.9", "PRI * HTTP/2.0"}) {
    RawClient other(site.live.port());
    other.send(std::string(line) + "\r\nHost: pi\r\n\r\n");
    other.finish();
    const Answer answer = other.receive();
    EXPECT_EQ(answer.status, 505) << line;
    EXPECT_EQ(answer.header("Connection"), "close");
    EXPECT_TRUE(other.at_end());
  }
  // RFC 9110 §6.2: a later minor version is served as the one we know, also byte by byte.
  RawClient later(site.live.port());
  for (const char c : "GET " + site.base + "/small HTTP/1.4\r\nHost: pi\r\n\r\n")
    later.send(std::string(1, c));
  EXPECT_EQ(later.receive().status, 200);
  later.send("GET " + site.base + "/small HTTP/1.9\r\n\r\n");
  EXPECT_EQ(later.receive().status, 400) << "1.1 must name its host";
  RawClient client(site.live.port());
  client.send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(client.receive().status, 400);
  client.send("GET " + site.base + "/small HTTP/1.0\r\n\r\n");
  EXPECT_EQ(client.receive().status, 200);
}

TEST(HttpBounds, RefusesOversizeHeadsAndTargets) {
  Site site;
  RawClient fields(site.live.port());
  fields.send("GET / HTTP/1.1\r\nHost: pi\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n");
  EXPECT_EQ(fields.receive().status, 431);
  EXPECT_TRUE(fields.at_end());
  EXPECT_FALSE(fields.was_reset());
  RawClient target(site.live.port());
  EXPECT_EQ(target.get("/" + std::string(10'000, 'x')).status, 414);
  RawClient control(site.live.port());
  EXPECT_EQ(control.get("/a%00b").status, 400);
  EXPECT_EQ(control.get("/a%0ab").status, 400);
}

TEST(HttpBounds, ClosesIdleConnectionsCleanly) {
  HttpLimits limits = impatient();
  limits.idle_timeout = 30ms;
  Site site(limits);
  RawClient fresh(site.live.port());
  EXPECT_TRUE(fresh.at_end());
  RawClient used(site.live.port());
  EXPECT_EQ(used.get(site.base + "/small").status, 200);
  EXPECT_TRUE(used.at_end());
}

TEST(HttpBounds, AnswersAHeadThatNeverEnds) {
  HttpLimits limits = impatient();
  limits.head_timeout = 30ms;
  Site site(limits);
  RawClient client(site.live.port());
  client.send("GET / HTTP/1.1\r\nHost:");
  const Answer answer = client.receive();
  EXPECT_EQ(answer.status, 408);
  EXPECT_TRUE(client.at_end());
}

TEST(HttpBounds, AnswersABodyThatNeverComes) {
  HttpLimits limits = impatient();
  limits.head_timeout = 30ms;
  limits.body_timeout = 30ms;
  limits.linger_timeout = 60s;
  Site site(limits);
  RawClient client(site.live.port());
  client.send("POST /v1/event/t HTTP/1.1\r\nHost: pi\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(client.receive().status, 408);
  EXPECT_TRUE(client.at_end());
  // Open to what is still on its way: closing before it sends RST, which may overtake our answer.
  std::size_t open = 0;
  for (int i = 0; i < 1000; ++i) site.live.on_loop([&] { open = site.live.connections(); });
  EXPECT_EQ(open, 1u);
}

TEST(HttpBounds, CutsOffAClientThatTakesNothing) {
  HttpLimits limits = impatient();
  limits.stall_timeout = 30ms;
  Site site(limits);
  RawClient client(site.live.port(), 4096);
  client.send("GET " + site.base + "/big HTTP/1.1\r\nHost: pi\r\n\r\n");
  client.wait_for_bytes();
  while (true) {  // until it is gone, without reading
    std::size_t left = 1;
    site.live.on_loop([&] { left = site.live.connections(); });
    if (left == 0) break;
    std::this_thread::yield();
  }
  const Answer answer = client.receive();
  EXPECT_EQ(answer.status, 200);
  EXPECT_FALSE(answer.whole);
}

TEST(HttpBounds, RefusesTooManyConnectionsOfOneClient) {
  HttpLimits limits;
  limits.connections_per_client_max = 2;
  Site site(limits);
  RawClient first(site.live.port());
  EXPECT_EQ(first.get(site.base + "/small").status, 200);
  {
    RawClient second(site.live.port());
    EXPECT_EQ(second.get(site.base + "/small").status, 200);
    RawClient third(site.live.port());
    const Answer refused = third.get(site.base + "/small");
    EXPECT_EQ(refused.status, 503);
    EXPECT_EQ(refused.header("Retry-After"), "5");
    EXPECT_TRUE(third.at_end());
    EXPECT_EQ(second.get(site.base + "/small", "Connection: close\r\n").status, 200);
    EXPECT_TRUE(second.at_end());
  }
  // The second has made room, once its end has been seen.
  Answer again;
  do {
    RawClient fourth(site.live.port());
    again = fourth.get(site.base + "/small");
  } while (again.status == 503);
  EXPECT_EQ(again.status, 200);
}

TEST(HttpBounds, RefusesTooManyConnectionsAltogether) {
  HttpLimits limits;
  limits.connections_max = 1;
  limits.refusals_max = 1;
  Site site(limits);
  RawClient first(site.live.port(), 4096);
  first.send("GET " + site.base + "/big HTTP/1.1\r\nHost: pi\r\n\r\n");
  first.wait_for_bytes();  // in the middle of something: it does not give way
  RawClient second(site.live.port());
  second.send("GET ");  // refused, and not answered yet
  RawClient third(site.live.port());
  EXPECT_EQ(third.receive().head, "");  // beyond even that: just closed
  second.send("/ HTTP/1.1\r\nHost: pi\r\n\r\n");
  EXPECT_EQ(second.receive().status, 503);
  EXPECT_TRUE(first.receive().whole);
}

TEST(HttpBounds, LetsTheLongestIdleGiveWayWhenAllAreTaken) {
  HttpLimits limits;
  limits.connections_max = 3;
  limits.workers = 1;  // so that they begin to wait in the order of their answers
  Site site(limits);
  RawClient busy(site.live.port(), 4096);
  busy.send("GET " + site.base + "/big HTTP/1.1\r\nHost: pi\r\n\r\n");
  busy.wait_for_bytes();
  RawClient oldest(site.live.port());
  EXPECT_EQ(oldest.get(site.base + "/small").status, 200);
  RawClient half(site.live.port());
  EXPECT_EQ(half.get(site.base + "/small").status, 200);
  half.send("GET / HTTP");  // a head that does not end holds no place either
  RawClient first(site.live.port());
  EXPECT_EQ(first.get(site.base + "/small").status, 200);
  EXPECT_TRUE(oldest.at_end());
  RawClient second(site.live.port());
  EXPECT_EQ(second.get(site.base + "/small").status, 200);
  EXPECT_EQ(half.receive().head, "");
  EXPECT_EQ(first.get(site.base + "/small").status, 200);
  EXPECT_TRUE(busy.receive().whole);
}

TEST(HttpBounds, CutsOffAClientThatCrawlsWhilePlacesAreScarce) {
  HttpLimits limits = impatient();
  limits.connections_max = 1;
  limits.rate_window = 30ms;
  limits.rate_min_bytes_per_second = 1'000'000'000'000;  // nobody is as fast
  Site site(limits);
  RawClient client(site.live.port(), 4096);
  client.send("GET " + site.base + "/big HTTP/1.1\r\nHost: pi\r\n\r\n");
  client.wait_for_bytes();
  std::size_t left = 1;
  while (left != 0) site.live.on_loop([&] { left = site.live.connections(); });
  EXPECT_FALSE(client.receive().whole);
}

TEST(HttpBounds, StopsAlsoWhileRequestsKeepComing) {
  Site site;
  RawClient client(site.live.port());
  EXPECT_EQ(client.get(site.base + "/small").status, 200);
  site.live.on_loop([&] {
    site.live.site().on_event = [&] { site.live.end_connections(); };
    std::string ahead;
    for (int i = 0; i < 50; ++i) ahead += "GET /v1/event/t?event=x HTTP/1.1\r\nHost: pi\r\n\r\n";
    client.send(ahead);
  });
  while (client.receive().status == 200) {
  }
  site.live.stop();
  EXPECT_EQ(site.live.site().events.with([](auto& all) { return all.size(); }), 1U);
}

TEST(HttpBounds, EndsConnectionsWhenItStops) {
  Site site;
  RawClient idle(site.live.port());
  EXPECT_EQ(idle.get(site.base + "/small").status, 200);
  RawClient slow(site.live.port(), 4096);
  slow.send("GET " + site.base + "/big HTTP/1.1\r\nHost: pi\r\n\r\n");
  slow.wait_for_bytes();
  site.live.stop();
  EXPECT_TRUE(idle.at_end());
  EXPECT_FALSE(slow.receive().whole);
}

TEST(HttpBounds, ListensNowhereThatIsTaken) {
  Site site;
  Loop loop;
  DiskPool disk(1);
  prometheus::Registry registry;
  HttpServer server(loop, disk, site.live.store(), site.live.catalog(), site.live.site(),
                    system_clock(), registry);
  auto taken = server.listen("127.0.0.1", site.live.port());
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, Errc::conflict);
  auto nonsense = server.listen("pi", 0);
  ASSERT_FALSE(nonsense);
  EXPECT_EQ(nonsense.error().code, Errc::invalid);
}

}  // namespace
}  // namespace farboot
