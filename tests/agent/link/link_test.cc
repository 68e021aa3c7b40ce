// Both ends of the link, real and whole, over loopback.
#include "agent/link/link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "common/rpc/identity.h"
#include "common/store/release_closure.h"
#include "tests/agent/link/link_agent.h"
#include "tests/support/link_controller.h"
#include "tests/support/sample_content.h"
#include "tests/support/tcp_proxy.h"

namespace farboot {
namespace {

using ::testing::HasSubstr;
using ::testing::internal::CaptureStderr;
using ::testing::internal::GetCapturedStderr;

class LinkTest : public ::testing::Test {
 protected:
  void enrol(const std::string& address = "") {
    agent_.enrol(controller_.token("lyon", "pi1", address));
  }
  void bring_up() {
    agent_.start();
    ASSERT_TRUE(eventually([&] { return agent_.link->status().connected; }))
        << agent_.link->status().error;
  }
  void expect_same_bytes(const Digest& release) {
    for (const ChunkRef& chunk : controller_.chunks_of(release)) {
      const auto mine = agent_.content->get(chunk.id);
      ASSERT_TRUE(mine) << mine.error().what;
      EXPECT_EQ(*mine, *controller_.content->get(chunk.id));
    }
  }
  bool reported_active(const Digest& release) {
    const auto report = controller_.report("lyon/pi1");
    return report && report->active == release;
  }

  LinkController controller_;
  LinkAgent agent_;
};

TEST_F(LinkTest, FetchesProvesAndServesWhatIsDesired) {
  const Digest first = controller_.add_release(20), second = controller_.add_release(20);
  controller_.order("lyon", second, first);
  enrol();
  bring_up();
  ASSERT_TRUE(eventually([&] { return agent_.serves(first); }));
  ASSERT_TRUE(eventually([&] {
    const auto report = controller_.report("lyon/pi1");
    return report && report->active == first && report->staged == second && report->ready_proof &&
           report->step == TransferStep::idle;
  }));
  expect_same_bytes(first);
  expect_same_bytes(second);
  const AgentReport report = *controller_.report("lyon/pi1");
  EXPECT_EQ(report.version, "0.1.0-test");
  EXPECT_EQ(report.error, "");
  EXPECT_GT(report.wan_bytes, 0U);
  EXPECT_EQ(controller_.counts().proofs_refused, 0U);
  EXPECT_EQ(controller_.counts().fetches_refused, 0U);

  controller_.order("lyon", {}, second);
  EXPECT_TRUE(eventually([&] { return agent_.serves(second) && reported_active(second); }));
}

TEST_F(LinkTest, TheNewestStateWinsHoweverManyCameBefore) {
  enrol();
  bring_up();
  Digest last;
  for (int i = 0; i < 8; ++i) {
    last = controller_.add_release(3);
    controller_.order("lyon", {}, last);
  }
  EXPECT_TRUE(eventually([&] { return agent_.serves(last) && reported_active(last); }));
  EXPECT_EQ(agent_.link->desired()->number, controller_.fleet->desired("lyon")->number);
  EXPECT_EQ(agent_.link->status().sync.refused_documents, 0U);
}

TEST_F(LinkTest, AStateToldTwiceChangesNothing) {
  const Digest release = controller_.add_release(3);
  controller_.order("lyon", {}, release);
  enrol();
  bring_up();
  ASSERT_TRUE(eventually([&] { return reported_active(release); }));
  const std::uint64_t sent = controller_.counts().chunk_bytes;
  // The same document again: written anew, and at each of two more connections.
  const auto stored = controller_.state->get("desired/lyon");
  ASSERT_TRUE(controller_.state->put("desired/lyon", (*stored)->value));
  for (int life = 0; life < 2; ++life) {
    agent_.restart();
    ASSERT_TRUE(eventually([&] { return agent_.link->status().connected; }));
  }
  const std::uint64_t reports = controller_.counts().reports;
  agent_.link->poke();
  ASSERT_TRUE(eventually([&] { return controller_.counts().reports > reports; }));
  EXPECT_EQ(controller_.counts().chunk_bytes, sent);
  EXPECT_EQ(agent_.link->status().sync.refused_documents, 0U);
  EXPECT_TRUE(agent_.serves(release));
}

TEST_F(LinkTest, RefusesAStateThatTheKeyOfItsEnrolmentDidNotSign) {
  const Digest release = controller_.add_release(3);
  controller_.order("lyon", {}, release);
  enrol();
  bring_up();
  ASSERT_TRUE(eventually([&] { return reported_active(release); }));
  // Somebody who can write to the controller's store, but has not the key.
  const DesiredState forged = desired_state("lyon", 99, {}, {});
  const Bytes document = encode_signed(sign_desired(SigningKey::generate(), forged));
  const auto honest = controller_.state->get("desired/lyon");
  CaptureStderr();
  ASSERT_TRUE(controller_.state->put("desired/lyon", std::string(as_text(document))));
  EXPECT_TRUE(eventually([&] { return agent_.link->status().sync.refused_documents == 1; }));
  EXPECT_THAT(GetCapturedStderr(), HasSubstr("event=sync.desired_refused"));
  EXPECT_TRUE(agent_.link->status().connected) << "the link stays";
  EXPECT_TRUE(agent_.serves(release));
  ASSERT_TRUE(controller_.state->put("desired/lyon", (*honest)->value));
  const Digest next = controller_.add_release(3);
  controller_.order("lyon", {}, next);
  EXPECT_TRUE(eventually([&] { return agent_.serves(next); })) << "and the true one is taken";
}

TEST_F(LinkTest, AReleaseThatWasChangedInTheControllersStoreIsNotOffered) {
  const Digest release = controller_.add_release(3);
  auto entry = controller_.state->get("release/" + release.hex());
  std::string changed = (*entry)->value;
  changed.replace(changed.find("centos7"), 7, "centos8");
  ASSERT_TRUE(controller_.state->put("release/" + release.hex(), changed));
  controller_.order("lyon", {}, release);
  enrol();
  CaptureStderr();
  bring_up();
  EXPECT_TRUE(eventually([&] {
    const auto report = controller_.report("lyon/pi1");
    return report && report->step == TransferStep::offer;
  }));
  EXPECT_THAT(GetCapturedStderr(), HasSubstr("event=link.push_failed site=lyon"));
  EXPECT_EQ(agent_.active(), nullptr);
}

TEST_F(LinkTest, ComesBackToAControllerThatWasStartedAgainOnItsPort) {
  const Digest first = controller_.add_release(3);
  controller_.order("lyon", {}, first);
  enrol();
  bring_up();
  ASSERT_TRUE(eventually([&] { return reported_active(first); }));
  for (int time = 0; time < 3; ++time) {
    SCOPED_TRACE(time);
    CaptureStderr();
    controller_.stop();
    ASSERT_TRUE(eventually([&] { return !agent_.link->status().connected; }));
    EXPECT_NE(agent_.link->status().error, "");
    EXPECT_THAT(GetCapturedStderr(), HasSubstr("event=link.down"));
    EXPECT_TRUE(agent_.serves(first)) << "the site boots on";
    controller_.start();
    ASSERT_TRUE(eventually([&] { return agent_.link->status().connected; }));
    EXPECT_EQ(agent_.link->status().error, "");
  }
  const Digest next = controller_.add_release(3);
  controller_.order("lyon", {}, next);
  EXPECT_TRUE(eventually([&] { return agent_.serves(next) && reported_active(next); }));
}

TEST_F(LinkTest, FollowsAControllerThatWasPutBackFromAnOlderCopy) {
  const Digest first = controller_.add_release(3), second = controller_.add_release(3);
  controller_.order("lyon", {}, first);
  enrol();
  bring_up();
  ASSERT_TRUE(eventually([&] { return reported_active(first); }));
  const std::string copy = (*controller_.state->get("desired/lyon"))->value;
  controller_.order("lyon", {}, second);
  ASSERT_TRUE(eventually([&] { return reported_active(second); }));
  ASSERT_TRUE(controller_.state->put("desired/lyon", copy));
  ASSERT_TRUE(eventually([&] { return agent_.link->status().sync.refused_documents == 1; }));
  agent_.restart();
  EXPECT_TRUE(eventually([&] { return agent_.serves(first) && reported_active(first); }));
}

TEST_F(LinkTest, StartsWithoutAControllerAndServesWhatItHolds) {
  const Digest release = controller_.add_release(3);
  controller_.order("lyon", {}, release);
  enrol();
  bring_up();
  ASSERT_TRUE(eventually([&] { return reported_active(release); }));
  controller_.stop();
  agent_.restart();
  EXPECT_TRUE(agent_.serves(release));
  EXPECT_EQ(agent_.link->desired()->serve, release) << "as it was last told";
  ASSERT_TRUE(eventually([&] { return agent_.link->status().error != "not dialled yet"; }));
  EXPECT_FALSE(agent_.link->status().connected);
  agent_.stop();  // also while it waits to dial again
}

TEST_F(LinkTest, StopsInTheMiddleOfATransferAndGoesOnInItsNextLife) {
  const Digest release = controller_.add_release(150);
  controller_.order("lyon", {}, release);
  TcpProxy line(controller_.address());
  enrol(line.address());
  agent_.start();
  ASSERT_TRUE(eventually([&] { return line.down_bytes() > 200'000; }));
  line.stall(TcpProxy::Way::both);
  agent_.stop();  // nobody answers: it ends all the same
  line.cut();
  line.stall(TcpProxy::Way::none);
  agent_.start();
  ASSERT_TRUE(eventually([&] { return agent_.serves(release); }));
  expect_same_bytes(release);
}

TEST_F(LinkTest, EveryEventArrivesOnceThoughTheAckIsCutOff) {
  TcpProxy line(controller_.address());
  enrol(line.address());
  bring_up();
  line.stall(TcpProxy::Way::down);
  for (int i = 1; i <= 3; ++i) agent_.add_event("web" + std::to_string(i));
  // They are durable there, and nobody here knows.
  ASSERT_TRUE(eventually([&] { return controller_.counts().events >= 1; }));
  const auto kept = [&] { return controller_.state->scan("event/lyon/pi1/")->size(); };
  EXPECT_EQ(agent_.pending().size(), 3U);
  line.cut();
  line.stall(TcpProxy::Way::none);
  ASSERT_TRUE(eventually([&] { return agent_.pending().empty(); }));
  EXPECT_EQ(kept(), 3U);
  EXPECT_EQ(controller_.counts().events, 3U) << "each once";
}

TEST_F(LinkTest, EventsThatNeverGotThroughAreSentAgain) {
  TcpProxy line(controller_.address());
  enrol(line.address());
  bring_up();
  line.stall(TcpProxy::Way::up);
  for (int i = 1; i <= 3; ++i) agent_.add_event("web" + std::to_string(i));
  line.cut();
  line.stall(TcpProxy::Way::none);
  EXPECT_TRUE(eventually([&] { return agent_.pending().empty(); }));
  EXPECT_EQ(controller_.counts().events, 3U);
}

TEST_F(LinkTest, EventsOutliveBothEnds) {
  enrol();
  bring_up();
  agent_.add_event("before");
  ASSERT_TRUE(eventually([&] { return agent_.pending().empty(); }));
  controller_.stop();
  for (int i = 0; i < 600; ++i) agent_.add_event("meanwhile");  // three batches
  agent_.restart();
  EXPECT_EQ(agent_.pending().size(), 600U);
  controller_.start();
  ASSERT_TRUE(eventually([&] { return agent_.pending().empty(); }));
  EXPECT_EQ(controller_.state->scan("event/lyon/pi1/")->size(), 601U);
  EXPECT_EQ(controller_.counts().events, 600U);
}

TEST_F(LinkTest, EventsOfADatabaseThatBeganAnewAreNotTakenForOldOnes) {
  enrol();
  bring_up();
  for (int i = 1; i <= 5; ++i) agent_.add_event("old");
  ASSERT_TRUE(eventually([&] { return agent_.pending().empty(); }));
  agent_.stop();
  for (const char* lost : {"db", "packs"}) std::filesystem::remove_all(agent_.folder / lost);
  controller_.stop();
  agent_.start();
  for (int i = 1; i <= 2; ++i) agent_.add_event("new");
  controller_.start();
  ASSERT_TRUE(eventually([&] { return agent_.pending().empty(); }));
  EXPECT_EQ(controller_.state->scan("event/lyon/pi1/")->size(), 7U);
}

TEST_F(LinkTest, RenewsACertificateInGoodTime) {
  // Enrolled seventy days ago: twenty are left of ninety.
  const WallTime now = controller_.clock.wall();
  controller_.clock.set_wall(now - std::chrono::hours(70 * 24));
  enrol();
  controller_.clock.set_wall(now);
  const std::string before = load_identity(agent_.folder.path())->credentials.certificate_pem;
  CaptureStderr();
  bring_up();
  ASSERT_TRUE(eventually(
      [&] { return load_identity(agent_.folder.path())->credentials.certificate_pem != before; }));
  ASSERT_TRUE(eventually([&] { return controller_.counts().reports > 0; }));
  const auto renewed = load_identity(agent_.folder.path());
  EXPECT_EQ(*certificate_expires(renewed->credentials.certificate_pem),
            now + std::chrono::hours(90 * 24));
  EXPECT_TRUE(agent_.link->status().connected) << "the stream goes on";
  agent_.restart();  // with the new one
  ASSERT_TRUE(eventually([&] { return agent_.link->status().connected; }));
  for (int i = 0; i < 3; ++i) {
    const std::uint64_t reports = controller_.counts().reports;
    agent_.link->poke();
    ASSERT_TRUE(eventually([&] { return controller_.counts().reports > reports; }));
  }
  EXPECT_EQ(controller_.enrolment->counts().renewed, 1U) << "once is enough";
  EXPECT_THAT(GetCapturedStderr(), HasSubstr("event=link.renewed"));
}

TEST_F(LinkTest, ARevokedAgentHearsWhyAndServesOn) {
  const Digest release = controller_.add_release(3);
  controller_.order("lyon", {}, release);
  enrol();
  bring_up();
  ASSERT_TRUE(eventually([&] { return reported_active(release); }));
  ASSERT_TRUE(controller_.enrolment->revoke("lyon/pi1"));
  EXPECT_TRUE(eventually([&] {
    const LinkStatus status = agent_.link->status();
    return !status.connected && status.error.find("revoked") != std::string::npos;
  })) << agent_.link->status().error;
  EXPECT_TRUE(agent_.serves(release));
}

TEST_F(LinkTest, AnAgentWhoseDiskTakesNoWriteKeepsItsLinkAndSaysWhy) {
  const Digest first = controller_.add_release(3), second = controller_.add_release(3);
  controller_.order("lyon", {}, first);
  enrol();
  bring_up();
  ASSERT_TRUE(eventually([&] { return reported_active(first); }));
  const std::uint64_t number = controller_.fleet->desired("lyon")->number;
  agent_.card->full = true;
  controller_.order("lyon", {}, second);
  ASSERT_TRUE(eventually([&] {
    return controller_.report("lyon/pi1")->error.find("not kept: disk full") != std::string::npos;
  }));
  EXPECT_EQ(controller_.report("lyon/pi1")->desired_number, number) << "what is durable";
  EXPECT_TRUE(agent_.serves(first));
  agent_.card->full = false;
  EXPECT_TRUE(eventually(
      [&] { return reported_active(second) && controller_.report("lyon/pi1")->error.empty(); }));
  EXPECT_EQ(controller_.counts().connects, 1U) << "on the stream it had";
}

TEST_F(LinkTest, ARottenChunkOfThePreviousReleaseIsFetchedAgain) {
  const Digest first = controller_.add_release(20), second = controller_.add_release(20);
  enrol();
  controller_.order("lyon", {}, first);
  bring_up();
  ASSERT_TRUE(eventually([&] { return reported_active(first); }));
  controller_.order("lyon", {}, second);
  ASSERT_TRUE(eventually([&] { return reported_active(second); }));
  agent_.stop();
  // In the first half of what came lies what came first.
  for (const auto& pack : std::filesystem::directory_iterator(agent_.folder / "packs")) {
    std::fstream file(pack.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(pack.file_size() / 4));
    file.write("\x5a\xa5\x5a\xa5", 4);
  }
  bring_up();
  std::vector<Digest> rotten;
  for (const ChunkRef& chunk : controller_.chunks_of(first))
    if (!agent_.content->get(chunk.id)) rotten.push_back(chunk.id);
  ASSERT_GE(rotten.size(), 1U);
  ASSERT_TRUE(eventually([&] { return agent_.holds(rotten.front()); }));
  expect_same_bytes(first);
  EXPECT_TRUE(agent_.serves(second));
}

TEST_F(LinkTest, ARottenChunkIsFetchedAgainWhileTheLinkIsUpAndReported) {
  const Digest release = controller_.add_release(20);
  controller_.order("lyon", {}, release);
  enrol();
  bring_up();
  ASSERT_TRUE(eventually([&] { return reported_active(release); }));
  agent_.stop();
  // Flip bytes in the pack while nobody looks.
  for (const auto& pack : std::filesystem::directory_iterator(agent_.folder / "packs")) {
    std::fstream file(pack.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-1'000, std::ios::end);
    file.put('\x5a').put('\xa5');
  }
  bring_up();
  Guarded<std::vector<Digest>> sent;
  controller_.watch({.wanted = {}, .sent = [&](const Digest& id) {
                       sent.with([&](auto& all) { all.push_back(id); });
                     }});
  // Somebody reads it all; what is rotten is not given out.
  std::vector<Digest> rotten;
  for (const ChunkRef& chunk : controller_.chunks_of(release)) {
    const auto bytes = agent_.content->get(chunk.id);
    if (bytes) continue;
    EXPECT_EQ(bytes.error().code, Errc::corrupt);
    rotten.push_back(chunk.id);
  }
  ASSERT_EQ(rotten.size(), 1U);
  ASSERT_TRUE(eventually([&] { return agent_.holds(rotten.front()); }));
  expect_same_bytes(release);
  EXPECT_EQ(sent.with([](auto& all) { return all; }), rotten) << "and nothing else";
  EXPECT_TRUE(eventually([&] { return controller_.report("lyon/pi1")->rotten_chunks == 1; }));
  controller_.watch({});
}

}  // namespace
}  // namespace farboot
