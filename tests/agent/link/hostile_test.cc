// An agent and a controller that says what none of ours would: refused, logged, counted, and the
// agent goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <limits>

#include "common/rpc/chunk_frame.h"
#include "tests/agent/link/hostile_controller.h"
#include "tests/agent/link/link_agent.h"
#include "tests/support/logged.h"

namespace farboot {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Le;
using ::testing::internal::CaptureStderr;
using ::testing::internal::GetCapturedStderr;

class HostileTest : public ::testing::Test {
 protected:
  explicit HostileTest(AgentLinkSettings settings = quick_link()) : agent_(std::move(settings)) {}
  void start(AgentIdentity identity) {
    agent_.start(std::move(identity));
    ASSERT_TRUE(eventually([&] { return agent_.link->status().connected; }));
  }
  void start() { start(controller_.identity()); }
  SyncStatus sync() { return agent_.link->status().sync; }
  /// Says it, then an honest newer state with its offer: that is taken all the same.
  void expect_refused(std::vector<v1::ControllerMessage> messages, const std::string& log) {
    const v1::Offer good = controller_.make_offer(2);
    messages.push_back(controller_.desired(1'000, controller_.digest_of(good)));
    messages.push_back(controller_.message_of(good));
    controller_.say(messages);
    serve_honestly();
    CaptureStderr();
    start();
    EXPECT_TRUE(eventually([&] { return agent_.serves(controller_.digest_of(good)); }));
    EXPECT_THAT(GetCapturedStderr(), HasSubstr(log));
    EXPECT_EQ(controller_.hellos().size(), 1U) << "it never had to dial again";
    EXPECT_EQ(sync().desired_number, 1'000U);
  }
  void serve_honestly() {
    controller_.on_fetch([this](const auto& request, auto& writer) {
      for (const Digest& id : *digests_from_proto(request.want(), 4096)) {
        v1::ChunkFrame frame;
        *frame.add_chunks() = controller_.chunk(id);
        if (!writer.Write(frame)) break;
      }
      return grpc::Status::OK;
    });
  }

  HostileController controller_;
  LinkAgent agent_;
};

TEST_F(HostileTest, SaysHelloWithWhatItHas) {
  start();
  ASSERT_TRUE(eventually([&] { return controller_.hellos().size() == 1; }));
  const v1::Hello hello = controller_.hellos().front();
  EXPECT_EQ(hello.protocol(), 1U);
  EXPECT_EQ(hello.version(), "0.1.0-test");
  EXPECT_EQ(hello.desired_number(), 0U);
  EXPECT_TRUE(eventually([&] { return !controller_.reports().empty(); }));
  EXPECT_EQ(controller_.reports().front().dhcp_mode(), "proxy");
}

TEST_F(HostileTest, RefusesStatesThatAreForgedOfAnotherSiteOrChanged) {
  SignedDocument tampered = sign_desired(controller_.key, desired_state("lyon", 5, {}, {}));
  tampered.document[tampered.document.size() / 2] ^= 1;
  expect_refused({controller_.state_message(
                      sign_desired(SigningKey::generate(), desired_state("lyon", 5, {}, {}))),
                  controller_.desired(6, {}, "oslo"), controller_.state_message(tampered)},
                 "event=sync.desired_refused");
  EXPECT_EQ(sync().refused_documents, 3U);
}

TEST_F(HostileTest, RefusesADowngradeAndTwoStatesOfOneNumber) {
  expect_refused({controller_.desired(20, {}), controller_.desired(19, Digest{}),
                  controller_.desired(20, Digest{}), controller_.desired(20, {})},
                 "older than 20");
  EXPECT_EQ(sync().refused_documents, 2U) << "the same once more is harmless";
}

TEST_F(HostileTest, PassesOverMalformedAndUnknownMessages) {
  v1::ControllerMessage short_signature = controller_.desired(5, {});
  short_signature.mutable_desired_state()->mutable_signature()->pop_back();
  v1::ControllerMessage other_kind = controller_.desired(6, {});
  other_kind.mutable_desired_state()->set_kind(static_cast<v1::DocumentKind>(77));
  v1::ControllerMessage nothing, doctor, ack, crowd;
  doctor.mutable_doctor()->set_request(1);
  ack.mutable_event_ack()->set_sequence(0);
  crowd = controller_.message_of(controller_.make_offer(1));
  for (int i = 0; i < 5'000; ++i) crowd.mutable_offer()->add_manifests("short");
  v1::ControllerMessage unknown;
  ASSERT_TRUE(unknown.ParseFromString("\x9a\x06\x03new"));
  expect_refused({short_signature, other_kind, nothing, doctor, ack, crowd, unknown},
                 "event=link.message_malformed");
  EXPECT_EQ(sync().refused_documents, 3U) << "two states and an offer that cannot be read";
}

TEST_F(HostileTest, RefusesAndCountsAReleaseWithoutASignature) {
  v1::Offer without = controller_.make_offer(2), empty = controller_.make_offer(2),
            of_zeros = controller_.make_offer(2);
  without.mutable_release()->clear_signature();
  empty.mutable_release()->set_signature("");
  of_zeros.mutable_release()->set_signature(std::string(64, '\0'));
  expect_refused(
      {controller_.desired(5, controller_.digest_of(of_zeros)), controller_.message_of(without),
       controller_.message_of(empty), controller_.message_of(of_zeros)},
      "event=sync.offer_refused");
  EXPECT_EQ(sync().refused_documents, 3U);
}

TEST_F(HostileTest, RefusesAnOfferThatIsForgedOrNotOfItsRelease) {
  v1::Offer tampered = controller_.make_offer(2), swapped = controller_.make_offer(2),
            other_trees = controller_.make_offer(2);
  tampered.mutable_release()->mutable_document()->at(40) ^= 1;
  *swapped.mutable_release() = to_proto(
      DocumentKind::release,
      controller_.key.sign(DocumentKind::desired_state,
                           from_proto(DocumentKind::release, swapped.release())->document));
  other_trees.add_manifests(std::string(32, 'x'));
  expect_refused(
      {controller_.desired(5, controller_.digest_of(other_trees)), controller_.message_of(tampered),
       controller_.message_of(swapped), controller_.message_of(other_trees)},
      "event=sync.offer_refused");
  EXPECT_EQ(sync().refused_documents, 3U);
}

TEST_F(HostileTest, DoesNotBelieveAnAckOfEventsItNeverHad) {
  constexpr std::uint64_t kLast = std::numeric_limits<std::uint64_t>::max();
  v1::ControllerMessage ack;
  ack.mutable_event_ack()->set_sequence(kLast);
  controller_.say({ack});
  start();
  agent_.add_event("web1");
  EXPECT_TRUE(eventually([&] { return !controller_.events().empty(); }))
      << "it is told all the same";
  agent_.stop();
  controller_.say({});
  controller_.event_acked = kLast;
  start();
  agent_.add_event("web2");
  agent_.stop();
  controller_.event_acked = 0;  // an honest one again
  start();
  EXPECT_TRUE(eventually([&] { return controller_.events().back() == 2; }));
  EXPECT_THAT(controller_.events(), Each(AllOf(Ge(1U), Le(2U)))) << "numbered as before";
}

TEST_F(HostileTest, ComesAgainAfterAMessageOfAnySize) {
  v1::ControllerMessage huge = controller_.desired(5, {});
  huge.mutable_desired_state()->set_document(std::string(kMessageBytesMax + 1, 'x'));
  controller_.say({huge});
  CaptureStderr();
  agent_.start(controller_.identity());
  ASSERT_TRUE(eventually([&] { return controller_.hellos().size() >= 3; }));
  EXPECT_THAT(GetCapturedStderr(), HasSubstr("event=link.down"));
  controller_.say({controller_.desired(6, {})});
  EXPECT_TRUE(eventually([&] { return sync().desired_number == 6; }));
}

/// Chunks that are not what was asked for: the first fetches are spoilt, later ones honest.
class HostileChunks : public HostileTest {
 protected:
  using Spoil = std::function<void(v1::ChunkFrame& frame, const Digest& id)>;

  /// The release comes whole although the first `times` fetches were spoilt.
  void expect_survives(int times, const Spoil& spoil) {
    const v1::Offer offer = controller_.make_offer(6);
    const Digest release = controller_.digest_of(offer);
    controller_.say({controller_.desired(1, release), controller_.message_of(offer)});
    auto left = std::make_shared<std::atomic<int>>(times);
    controller_.on_fetch([this, left, spoil](const auto& request, auto& writer) {
      const bool spoilt = (*left)-- > 0;
      for (const Digest& id : *digests_from_proto(request.want(), 4096)) {
        v1::ChunkFrame frame;
        *frame.add_chunks() = controller_.chunk(id);
        if (spoilt) spoil(frame, id);
        if (!writer.Write(frame)) break;
      }
      return grpc::Status::OK;
    });
    start();
    ASSERT_TRUE(eventually([&] { return agent_.serves(release); })) << sync().error;
    for (const auto& bytes : offer.manifests())
      for (const ChunkRef& chunk : *manifest_closure(controller_.store, *digest_from_proto(bytes)))
        EXPECT_EQ(*agent_.content->get(chunk.id), *controller_.store.get(chunk.id));
  }
};

TEST_F(HostileChunks, WithWrongBytes) {
  expect_survives(3, [](v1::ChunkFrame& frame, const Digest&) {
    frame.mutable_chunks(0)->mutable_payload()->at(0) ^= 1;
  });
}

TEST_F(HostileChunks, UnderAnotherName) {
  expect_survives(3, [](v1::ChunkFrame& frame, const Digest&) {
    frame.mutable_chunks(0)->set_id(std::string(32, 'x'));
  });
}

TEST_F(HostileChunks, WithoutAName) {
  // Not even decodable as a frame of chunks: the fetch ends, and the next one is honest.
  expect_survives(
      2, [](v1::ChunkFrame& frame, const Digest&) { frame.mutable_chunks(0)->set_id("short"); });
}

TEST_F(HostileChunks, OfSizesThatCannotBe) {
  int nth = 0;
  CaptureStderr();
  expect_survives(3, [&nth](v1::ChunkFrame& frame, const Digest&) {
    v1::Chunk& chunk = *frame.mutable_chunks(0);
    switch (nth++ % 4) {
      case 0: chunk.set_size_bytes(0); break;
      case 1: chunk.set_size_bytes((1u << 20) + 1); break;
      case 2: chunk.set_size_bytes(chunk.size_bytes() + 1); break;
      case 3: chunk.set_payload(std::string(2u << 20, 'x')); break;
    }
  });
  EXPECT_THAT(GetCapturedStderr(), HasSubstr("event=link.chunk_malformed"));
}

TEST_F(HostileChunks, ThatCannotBeDecodedFillNoLog) {
  constexpr int kSpoilt = 3;
  constexpr int kPieces = 400;  // each of which was a line once
  testing::Logged log;
  expect_survives(kSpoilt, [](v1::ChunkFrame& frame, const Digest&) {
    frame.mutable_chunks(0)->set_size_bytes(0);
    frame.mutable_chunks(0)->set_payload("x");
    for (int i = 1; i < kPieces; ++i) *frame.add_chunks() = v1::Chunk(frame.chunks(0));
  });
  const int lines = testing::Logged::count(log.take(), "link.chunk_malformed");
  EXPECT_GE(lines, 1);
  EXPECT_LT(lines, 2 * 60) << "one burst, not one of each fetch";
}

TEST_F(HostileChunks, InEncodingsThatAreUnknownOrBroken) {
  int nth = 0;
  expect_survives(3, [&nth](v1::ChunkFrame& frame, const Digest&) {
    v1::Chunk& chunk = *frame.mutable_chunks(0);
    chunk.set_encoding(nth++ % 2 == 0 ? static_cast<v1::ChunkEncoding>(9)
                                      : v1::CHUNK_ENCODING_ZSTD);
  });
}

TEST_F(HostileChunks, OfASmallPieceThatUnpacksToALot) {
  // zstd of 64 MiB of zeroes that says it is 1 MiB.
  const WireChunk bomb = encode_chunk(Digest{}, Bytes(64u << 20, 0));
  expect_survives(2, [&bomb](v1::ChunkFrame& frame, const Digest&) {
    v1::Chunk& chunk = *frame.mutable_chunks(0);
    chunk.set_encoding(v1::CHUNK_ENCODING_ZSTD);
    chunk.set_size_bytes(1u << 20);
    chunk.set_payload(std::string(as_text(*bomb.payload)));
  });
}

TEST_F(HostileChunks, ThatWereNotAskedForOrComeTwice) {
  expect_survives(3, [](v1::ChunkFrame& frame, const Digest&) {
    *frame.add_chunks() = frame.chunks(0);
    v1::Chunk& foreign = *frame.add_chunks();
    const Bytes bytes = to_bytes("nobody wants this");
    foreign.set_id(to_proto(sha256(bytes)));
    foreign.set_size_bytes(static_cast<std::uint32_t>(bytes.size()));
    foreign.set_payload(std::string(as_text(bytes)));
  });
  const Digest foreign = sha256(as_bytes("nobody wants this"));
  EXPECT_FALSE(agent_.holds(foreign));
}

TEST_F(HostileChunks, ThatNeverComeAreAnErrorThatIsReported) {
  const v1::Offer offer = controller_.make_offer(3);
  controller_.say(
      {controller_.desired(1, controller_.digest_of(offer)), controller_.message_of(offer)});
  controller_.on_fetch([](const auto& request, auto& writer) {
    v1::ChunkFrame frame;
    frame.set_missing(request.want());
    writer.Write(frame);
    return grpc::Status::OK;
  });
  start();
  EXPECT_TRUE(eventually([&] {
    const auto reports = controller_.reports();
    return !reports.empty() && !reports.back().error().empty();
  }));
  EXPECT_EQ(agent_.active(), nullptr);
}

TEST_F(HostileChunks, CancelledByTheOtherSideAreAnErrorAndNotAHotLoop) {
  const v1::Offer offer = controller_.make_offer(3);
  controller_.say(
      {controller_.desired(1, controller_.digest_of(offer)), controller_.message_of(offer)});
  std::atomic<int> fetches{0};
  controller_.on_fetch([&](const auto&, auto&) {
    ++fetches;
    return grpc::Status(grpc::StatusCode::CANCELLED, "no");
  });
  start();
  ASSERT_TRUE(eventually([&] { return !sync().error.empty(); })) << "and it is told";
  // It waits a tenth of a second at the least before it asks again: in the time of a hundred
  // reports' round trips it has not asked a thousand times.
  for (std::size_t seen = controller_.reports().size(), i = 0; i < 20; ++i) {
    agent_.link->poke();
    ASSERT_TRUE(eventually([&] { return controller_.reports().size() > seen; }));
    seen = controller_.reports().size();
  }
  EXPECT_LT(fetches, 100);
}

AgentLinkSettings soon_tired_of_silence() {
  AgentLinkSettings settings = quick_link();
  settings.silence = Milliseconds(100);
  settings.report_gap = Milliseconds(1);
  return settings;
}

/// Calls that are taken and then neither go on nor end.
class HostileSilence : public HostileTest {
 protected:
  HostileSilence() : HostileTest(soon_tired_of_silence()) {}
};

TEST_F(HostileSilence, OfAFetchDoesNotHoldTheWorker) {
  const v1::Offer offer = controller_.make_offer(6);
  const Digest release = controller_.digest_of(offer);
  controller_.say({controller_.desired(1, release), controller_.message_of(offer)});
  std::atomic<int> fetches{0};
  controller_.on_fetch([&](const auto& request, auto& writer) {
    const int nth = fetches++;
    if (nth == 0) controller_.hang();
    for (const Digest& id : *digests_from_proto(request.want(), 4096)) {
      v1::ChunkFrame frame;
      *frame.add_chunks() = controller_.chunk(id);
      if (!writer.Write(frame)) break;
      if (nth == 1) controller_.hang();  // now in the middle
    }
    return grpc::Status::OK;
  });
  start();
  EXPECT_TRUE(eventually([&] { return agent_.serves(release); })) << sync().error;
  EXPECT_GE(fetches, 3);
}

TEST_F(HostileSilence, OfAFetchIsReported) {
  const v1::Offer offer = controller_.make_offer(1);
  controller_.say(
      {controller_.desired(1, controller_.digest_of(offer)), controller_.message_of(offer)});
  controller_.on_fetch([&](const auto&, auto&) {
    controller_.hang();
    return grpc::Status::OK;
  });
  start();
  EXPECT_TRUE(eventually([&] {
    const auto reports = controller_.reports();
    return !reports.empty() &&
           reports.back().error().find("the controller sent nothing") != std::string::npos;
  }));
}

TEST_F(HostileSilence, OfOneThatReadsNothingEndsTheStream) {
  controller_.reads = false;
  HostStatus talkative;
  talkative.detail.assign(500, 'x');
  agent_.hosts.assign(4000, talkative);  // megabytes, or all would fit between the two ends
  CaptureStderr();
  agent_.start(controller_.identity());
  EXPECT_TRUE(eventually([&] {
    agent_.link->poke();
    return controller_.hellos().size() >= 2;
  }));
  EXPECT_THAT(GetCapturedStderr(), HasSubstr("the controller reads nothing any more"));
}

TEST_F(HostileTest, KeepsItsCertificateWhenItIsGivenAnothers) {
  // So old that it asks for a new one at once; and gets one for a key that is not its own.
  AgentIdentity identity = controller_.identity(std::chrono::hours(70 * 24));
  ASSERT_TRUE(store_identity(agent_.folder.path(), identity));
  controller_.on_renew(controller_.identity().credentials.certificate_pem);
  CaptureStderr();
  agent_.start();
  ASSERT_TRUE(eventually([&] { return controller_.renewals() > 0; }));
  ASSERT_TRUE(eventually([&] {
    agent_.link->poke();
    return controller_.reports().size() >= 2;  // said after the renewal was thought over
  }));
  EXPECT_THAT(GetCapturedStderr(), HasSubstr("event=link.not_renewed"));
  EXPECT_EQ(load_identity(agent_.folder.path())->credentials.certificate_pem,
            identity.credentials.certificate_pem);
}

}  // namespace
}  // namespace farboot
