// The stream: hello and welcome, desired states pushed, what agents say, and what they may not say.
#include "common/content/ready_proof.h"
#include "controller/link/event_book.h"
#include "tests/controller/link/link_service_fixture.h"

namespace farboot {
namespace {

using ::testing::internal::CaptureStderr;
using ::testing::internal::GetCapturedStderr;
using Body = v1::ControllerMessage;

class LinkStream : public LinkServiceTest {
 protected:
  DesiredState desired_in(const v1::ControllerMessage& message) {
    auto document = from_proto(DocumentKind::desired_state, message.desired_state());
    EXPECT_TRUE(document);
    if (!document) return {};
    EXPECT_TRUE(controller_.key.verify_key().verify(DocumentKind::desired_state, *document));
    auto state = decode_desired_state(document->document);
    EXPECT_TRUE(state);
    return state ? *state : DesiredState{};
  }
  /// What becomes of a stream on which `message` is said.
  Error answer_to(const v1::AgentMessage& message) {
    auto agent = connected(loud_channel(lyon_));
    EXPECT_TRUE(agent->say(message));
    return agent->end();
  }
};

TEST_F(LinkStream, WelcomesWithItsTermsThenTheStateThenItsOffers) {
  const Digest serve = controller_.add_release(3), stage = controller_.add_release(3);
  controller_.order("lyon", stage, serve);
  HandAgent agent(channel(lyon_));
  ASSERT_TRUE(agent.hello());
  const auto welcome = agent.hear();
  ASSERT_EQ(welcome.body_case(), Body::kWelcome);
  EXPECT_EQ(welcome.welcome().protocol(), 1U);
  EXPECT_EQ(welcome.welcome().version(), "0.1.0-test");
  EXPECT_EQ(welcome.welcome().time_ms(), to_proto_ms(controller_.clock.wall()));
  EXPECT_EQ(welcome.welcome().heartbeat_seconds(), 30U);
  EXPECT_EQ(welcome.welcome().spread_seconds(), 10U);
  EXPECT_EQ(welcome.welcome().event_acked(), 0U);
  const auto state = agent.hear();
  ASSERT_EQ(state.body_case(), Body::kDesiredState);
  EXPECT_EQ(desired_in(state).site, "lyon");
  EXPECT_EQ(desired_in(state).serve, serve);
  EXPECT_EQ(desired_in(state).stage, stage);
  for (const Digest& release : {serve, stage}) {
    const auto message = agent.hear();
    ASSERT_EQ(message.body_case(), Body::kOffer);
    const v1::Offer& offer = message.offer();
    auto document = from_proto(DocumentKind::release, offer.release());
    ASSERT_TRUE(document);
    EXPECT_EQ(document->digest(), release);
    EXPECT_TRUE(controller_.key.verify_key().verify(DocumentKind::release, *document));
    const auto chunks = controller_.chunks_of(release);
    std::uint64_t bytes = 0;
    for (const ChunkRef& chunk : chunks) bytes += chunk.size_bytes;
    EXPECT_EQ(offer.total_bytes(), bytes);
    EXPECT_EQ(offer.chunks(), chunks.size());
    ASSERT_EQ(offer.manifests_size(), 1);
    EXPECT_EQ(*digest_from_proto(offer.manifests(0)),
              controller_.releases->find(release)->release.manifests().front());
  }
  EXPECT_TRUE(controller_.online("lyon/pi1"));
  EXPECT_EQ(controller_.counts().connects, 1U);
}

TEST_F(LinkStream, PushesEachNewerStateOfItsOwnSiteAndTheNewestWins) {
  auto agent = connected();
  controller_.order("oslo", {}, controller_.add_release(1));
  std::vector<Digest> releases;
  for (int i = 0; i < 12; ++i) releases.push_back(controller_.add_release(1));
  for (const Digest& release : releases) controller_.order("lyon", {}, release);
  std::uint64_t number = 0;
  while (true) {
    const auto message = agent->hear(Body::kDesiredState);
    ASSERT_EQ(message.body_case(), Body::kDesiredState);
    const DesiredState state = desired_in(message);
    EXPECT_EQ(state.site, "lyon");
    // What an agent slower than the operator missed it need not know. The newest may come twice:
    // when it connects, and from the book.
    EXPECT_GE(state.number, number);
    number = state.number;
    if (state.serve == releases.back()) break;
  }
  const auto offer = agent->hear(Body::kOffer);
  EXPECT_EQ(from_proto(DocumentKind::release, offer.offer().release())->digest(), releases.back());
}

TEST_F(LinkStream, WhatIsNotDesiredIsNotTakenAway) {
  controller_.order("lyon", {}, controller_.add_release(1));
  auto agent = connected();
  ASSERT_EQ(agent->hear().body_case(), Body::kDesiredState);
  ASSERT_EQ(agent->hear().body_case(), Body::kOffer);
  ASSERT_TRUE(controller_.state->commit(Transaction{}.erase("desired/lyon")));
  controller_.order("lyon", {}, controller_.add_release(1));
  // Nothing was said of the erasing: the next word is the newer state.
  EXPECT_TRUE(desired_in(agent->hear()).serve);
}

TEST_F(LinkStream, WantsAHelloOfItsProtocolFirst) {
  for (const std::uint32_t protocol : {0U, 2U, 4'000'000'000U}) {
    HandAgent agent(channel(lyon_));
    agent.hello(protocol);
    const Error error = agent.end();
    EXPECT_EQ(error.code, Errc::invalid);
    EXPECT_THAT(error.what, HasSubstr("protocol 1"));
  }
  HandAgent hasty(channel(lyon_));
  v1::AgentMessage report;
  report.mutable_report()->set_version("x");
  hasty.say(report);
  EXPECT_EQ(hasty.end().code, Errc::invalid);
  EXPECT_FALSE(controller_.report("lyon/pi1"));
  expect_alive();
}

TEST_F(LinkStream, ASecondConnectOfTheSameAgentEndsTheFirst) {
  auto first = connected();
  auto second = connected();
  const Error error = first->end();
  EXPECT_EQ(error.code, Errc::conflict) << error.what;
  EXPECT_THAT(error.what, HasSubstr("connected again"));
  EXPECT_TRUE(eventually([&] { return controller_.counts().connected == 1; }));
  EXPECT_TRUE(controller_.online("lyon/pi1")) << "the end of the first is not its end";
}

TEST_F(LinkStream, ReportsReachTheBook) {
  const Digest release = controller_.add_release(2);
  auto agent = connected();
  v1::AgentMessage message;
  v1::Report& report = *message.mutable_report();
  report.set_version("0.1");
  report.set_desired_number(7);
  report.set_active(to_proto(release));
  report.set_step(v1::TRANSFER_STEP_CHUNK);
  report.set_release(to_proto(release));
  report.set_bytes_total(100);
  report.set_bytes_done(60);
  report.set_bytes_per_second(5);
  report.set_wan_bytes(61);
  report.set_disk_free_bytes(1'000'000);
  report.set_rotten_chunks(3);
  report.set_error("no route");
  v1::HostReport& host = *report.add_hosts();
  host.set_host("web1");
  host.set_state("packages");
  host.set_percent(250);
  CaptureStderr();
  ASSERT_TRUE(agent->say(message));
  ASSERT_TRUE(eventually([&] {
    const auto known = controller_.report("lyon/pi1");
    return known && known->desired_number == 7;
  }));
  EXPECT_THAT(GetCapturedStderr(), HasSubstr("event=link.chunks_rotten agent=lyon/pi1"));
  const AgentReport known = *controller_.report("lyon/pi1");
  EXPECT_EQ(known.site, "lyon");
  EXPECT_EQ(known.version, "0.1");
  EXPECT_EQ(known.received, controller_.clock.wall());
  EXPECT_EQ(known.active, release);
  EXPECT_EQ(known.previous, std::nullopt);
  EXPECT_EQ(known.step, TransferStep::chunk);
  EXPECT_EQ(known.bytes_done, 60U);
  EXPECT_EQ(known.rotten_chunks, 3U);
  EXPECT_EQ(known.error, "no route");
  ASSERT_EQ(known.hosts.size(), 1U);
  EXPECT_EQ(known.hosts[0].percent, 100U);
  EXPECT_EQ(controller_.counts().reports, 1U);
}

TEST_F(LinkStream, RefusesAMalformedReportNamingTheFieldAndStaysUp) {
  v1::AgentMessage short_digest;
  short_digest.mutable_report()->set_staged("five!");
  Error error = answer_to(short_digest);
  EXPECT_EQ(error.code, Errc::invalid);
  EXPECT_THAT(error.what, HasSubstr("report: staged"));

  v1::AgentMessage crowd;
  for (int i = 0; i < 13'000; ++i) crowd.mutable_report()->add_hosts();
  error = answer_to(crowd);
  EXPECT_EQ(error.code, Errc::invalid);
  EXPECT_THAT(error.what, HasSubstr("13000 hosts"));

  v1::AgentMessage bad_proof;
  bad_proof.mutable_report()->mutable_ready_proof()->set_kind(v1::DOCUMENT_KIND_READY);
  bad_proof.mutable_report()->mutable_ready_proof()->set_signature("short");
  error = answer_to(bad_proof);
  EXPECT_EQ(error.code, Errc::invalid);
  EXPECT_THAT(error.what, HasSubstr("ready proof"));

  v1::AgentMessage huge;
  huge.mutable_report()->set_error(std::string(kMessageBytesMax, 'x'));
  EXPECT_EQ(answer_to(huge).code, Errc::exhausted);
  expect_alive();
}

TEST_F(LinkStream, CutsTextsAndReadsAnUnknownStepAsRest) {
  auto agent = connected();
  v1::AgentMessage message;
  message.mutable_report()->set_error(std::string(100'000, 'e') + "\n");
  message.mutable_report()->set_step(static_cast<v1::TransferStep>(77));
  message.mutable_report()->add_hosts()->set_detail("two\nlines \x1b[31m");
  ASSERT_TRUE(agent->say(message));
  ASSERT_TRUE(eventually([&] { return controller_.counts().reports == 1; }));
  const AgentReport known = *controller_.report("lyon/pi1");
  EXPECT_EQ(known.error, std::string(1024, 'e'));
  EXPECT_EQ(known.step, TransferStep::idle);
  EXPECT_EQ(known.hosts[0].detail.find_first_of("\n\x1b"), std::string::npos);
}

TEST_F(LinkStream, PassesOverWhatALaterAgentMaySay) {
  auto agent = connected();
  v1::AgentMessage unknown;  // a field that this version does not know
  const std::string field_99 = "\x9a\x06\x03new";
  ASSERT_TRUE(unknown.ParseFromString(field_99));
  v1::AgentMessage doctor, report;
  doctor.mutable_doctor()->set_request(1);
  report.mutable_report()->set_version("after that");
  for (const auto& message : {unknown, doctor, report}) ASSERT_TRUE(agent->say(message));
  EXPECT_TRUE(eventually([&] { return controller_.counts().reports == 1; }));
}

class LinkProof : public LinkStream {
 protected:
  ReadyProof honest() {
    ReadyProof proof;
    proof.agent = "lyon/pi1";
    proof.release = release_;
    proof.root = merkle_root(ids_of(release_));
    for (const ChunkRef& chunk : controller_.chunks_of(release_)) {
      ++proof.chunks;
      proof.bytes += chunk.size_bytes;
    }
    return proof;
  }
  /// Reports it; true if it reached the book.
  bool believed(const SignedDocument& proof) {
    const std::uint64_t before = controller_.counts().reports;
    v1::AgentMessage message;
    *message.mutable_report()->mutable_ready_proof() = to_proto(DocumentKind::ready, proof);
    EXPECT_TRUE(agent_->say(message));
    EXPECT_TRUE(eventually([&] { return controller_.counts().reports > before; }));
    return controller_.report("lyon/pi1")->ready_proof == proof;
  }
  SignedDocument sign(const ReadyProof& proof) {
    return controller_.identity.sign(DocumentKind::ready, encode_ready_proof(proof));
  }

  Digest ordered() {
    const Digest release = controller_.add_release(3);
    controller_.order("lyon", release, {});
    return release;
  }

  Digest release_ = ordered();
  std::unique_ptr<HandAgent> agent_ = connected();
};

TEST_F(LinkProof, BelievesWhatItsOwnAgentSignedOverTheReleasesChunks) {
  EXPECT_TRUE(believed(sign(honest())));
  EXPECT_EQ(controller_.counts().proofs_refused, 0U);
}

TEST_F(LinkProof, RefusesAndCountsAndLogsEveryOther) {
  ReadyProof other_root = honest(), other_agent = honest(), fewer = honest();
  other_root.root.bytes[0] ^= 1;
  other_agent.agent = "oslo/pi1";
  --fewer.chunks;
  SignedDocument tampered = sign(honest());
  tampered.document[tampered.document.size() / 2] ^= 1;
  const SignedDocument foreign =
      IdentityKey::generate().sign(DocumentKind::ready, encode_ready_proof(honest()));
  const SignedDocument nonsense = controller_.identity.sign(DocumentKind::ready, {1, 2, 3});
  std::uint64_t refused = 0;
  for (const SignedDocument& proof :
       {sign(other_root), sign(other_agent), sign(fewer), tampered, foreign, nonsense}) {
    CaptureStderr();
    EXPECT_FALSE(believed(proof));
    EXPECT_THAT(GetCapturedStderr(), HasSubstr("event=link.proof_refused agent=lyon/pi1"));
    EXPECT_EQ(controller_.counts().proofs_refused, ++refused);
  }
  EXPECT_TRUE(believed(sign(honest()))) << "the stream goes on";
}

TEST_F(LinkProof, PassesOverOneOfAReleaseThatItsSiteIsNotToHave) {
  ReadyProof unknown = honest();
  unknown.release.bytes[0] ^= 1;
  const Digest wanted = std::exchange(release_, controller_.add_release(2));
  CaptureStderr();
  for (const SignedDocument& proof : {sign(honest()), sign(unknown)})
    EXPECT_FALSE(believed(proof)) << "true, but of no use";
  // What is not signed by the agent is refused all the same.
  const SignedDocument foreign =
      IdentityKey::generate().sign(DocumentKind::ready, encode_ready_proof(honest()));
  EXPECT_FALSE(believed(foreign));
  EXPECT_EQ(lines_of("link.proof_refused", GetCapturedStderr()), 1U);
  EXPECT_EQ(controller_.counts().proofs_refused, 1U);
  release_ = wanted;
  EXPECT_TRUE(believed(sign(honest())));
}

TEST_F(LinkProof, AFloodOfBadOnesIsCountedAndNotWritten) {
  const SignedDocument nonsense = controller_.identity.sign(DocumentKind::ready, {1, 2, 3});
  v1::AgentMessage message;
  *message.mutable_report()->mutable_ready_proof() = to_proto(DocumentKind::ready, nonsense);
  CaptureStderr();
  for (int i = 0; i < 80; ++i) ASSERT_TRUE(agent_->say(message));
  EXPECT_TRUE(eventually([&] { return controller_.counts().reports == 80; }));
  EXPECT_EQ(lines_of("link.proof_refused", GetCapturedStderr()), 60U) << "a burst; no time passes";
  EXPECT_EQ(controller_.counts().proofs_refused, 80U);
}

class LinkEvents : public LinkStream {
 protected:
  static v1::AgentMessage batch(std::uint64_t first, std::uint64_t last) {
    v1::AgentMessage message;
    for (std::uint64_t sequence = first; sequence <= last; ++sequence) {
      v1::Event& event = *message.mutable_events()->add_events();
      event.set_sequence(sequence);
      event.set_kind("host.started");
      event.mutable_host()->set_host("web" + std::to_string(sequence));
    }
    return message;
  }
  std::uint64_t ack(HandAgent& agent) { return agent.hear(Body::kEventAck).event_ack().sequence(); }
  std::size_t kept() { return controller_.state->scan("event/lyon/pi1/")->size(); }
};

TEST_F(LinkEvents, AreKeptOnceHoweverOftenTheyCome) {
  auto agent = connected();
  for (const auto& [first, last, acked] :
       {std::tuple{1, 3, 3}, {1, 3, 3}, {2, 5, 5}, {4, 4, 5}, {6, 6, 6}}) {
    ASSERT_TRUE(
        agent->say(batch(static_cast<std::uint64_t>(first), static_cast<std::uint64_t>(last))));
    EXPECT_EQ(ack(*agent), static_cast<std::uint64_t>(acked));
  }
  EXPECT_EQ(kept(), 6U);
  EXPECT_EQ(controller_.counts().events, 6U) << "each counted once";
}

TEST_F(LinkEvents, AreRememberedOverARestart) {
  {
    auto agent = connected();
    ASSERT_TRUE(agent->say(batch(1, 4)));
    EXPECT_EQ(ack(*agent), 4U);
  }
  controller_.restart();
  HandAgent agent(channel(lyon_));
  ASSERT_TRUE(agent.hello());
  EXPECT_EQ(agent.hear().welcome().event_acked(), 4U);
  // The ack was lost on the way: it sends them again.
  ASSERT_TRUE(agent.say(batch(3, 5)));
  EXPECT_EQ(ack(agent), 5U);
  EXPECT_EQ(kept(), 5U);
  EXPECT_EQ(controller_.counts().events, 1U);
}

TEST_F(LinkEvents, OfAnAgentEnrolledAnewCountFromOneAgain) {
  {
    auto agent = connected();
    ASSERT_TRUE(agent->say(batch(1, 4)));
    EXPECT_EQ(ack(*agent), 4U);
  }
  ASSERT_TRUE(controller_.enrolment->revoke("lyon/pi1"));
  const IdentityKey key = IdentityKey::generate();
  HandAgent agent(channel(controller_.enrol("lyon", "pi1", key)));
  ASSERT_TRUE(agent.hello());
  EXPECT_EQ(agent.hear().welcome().event_acked(), 0U);
  ASSERT_TRUE(agent.say(batch(1, 2)));
  EXPECT_EQ(ack(agent), 2U);
}

TEST_F(LinkEvents, OldestGoWhenThereAreTooMany) {
  auto agent = connected();
  for (std::uint64_t at = 1; at <= 1'200; at += 200) {
    ASSERT_TRUE(agent->say(batch(at, at + 199)));
    EXPECT_EQ(ack(*agent), at + 199);
  }
  EXPECT_EQ(kept(), EventBook::kEventsMax);
  ASSERT_TRUE(agent->say(batch(9'000, 9'001)));  // a gap: the agent had to drop some too
  EXPECT_EQ(ack(*agent), 9'001U);
  EXPECT_EQ(kept(), 2U);
}

TEST_F(LinkEvents, OutOfOrderOrTooManyAreRefused) {
  v1::AgentMessage backwards = batch(5, 5);
  *backwards.mutable_events()->add_events() = batch(4, 4).events().events(0);
  for (const auto& message : {backwards, batch(0, 0), batch(1, 257)}) {
    const Error error = answer_to(message);
    EXPECT_EQ(error.code, Errc::invalid);
    EXPECT_THAT(error.what, HasSubstr("events: "));
  }
  EXPECT_EQ(kept(), 0U);
  expect_alive();
}

TEST_F(LinkStream, StopEndsStreamsWithAWordAndTheNextLifeTakesThem) {
  auto agent = connected();
  controller_.stop();
  const Error error = agent->end();
  EXPECT_EQ(error.code, Errc::unavailable) << error.what;
  EXPECT_THAT(error.what, HasSubstr("come again"));
  controller_.start();
  expect_alive();
}

}  // namespace
}  // namespace farboot
