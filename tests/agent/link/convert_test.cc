// What crosses the wire: the agent's structs to messages and, at the other end, back.
#include "agent/link/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/rpc/convert.h"
#include "common/rpc/credentials.h"
#include "controller/fleet/release_notes.h"
#include "controller/link/convert.h"

namespace farboot {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const Digest kOne = sha256(as_bytes("one")), kTwo = sha256(as_bytes("two"));

HostStatus web1() {
  HostStatus status;
  status.host = "web1";
  status.mac = "52:54:00:00:00:01";
  status.phase = InstallPhase::packages;
  status.entry = "centos7";
  status.percent = 40;
  status.detail = "p040.rpm";
  status.release = 6;
  status.since = WallTime(Seconds(1'790'000'000));
  return status;
}

TEST(LinkConvert, AReportArrivesAsItWasMeant) {
  SyncStatus status;
  status.desired_number = 9;
  status.active = kOne;
  status.staged = kTwo;
  status.step = SyncStep::ready;
  status.release = kTwo;
  status.bytes_total = 10;
  status.bytes_done = 8;
  status.bytes_per_second = 3;
  status.wan_bytes = 11;
  status.error = "disk full";
  status.rotten_chunks = 2;
  status.ready_proof =
      IdentityKey::generate().sign(DocumentKind::ready, to_bytes("a proof, or so"));
  AgentLinkSettings settings;
  settings.version = "0.1.0";
  settings.dhcp_mode = "observe";
  const v1::Report message = report_of(status, {{web1()}, {}}, 77, settings);
  EXPECT_EQ(message.dhcp_mode(), "observe");
  EXPECT_EQ(message.hosts(0).release(), 6U);
  const auto report = from_proto(message);
  ASSERT_TRUE(report) << report.error().what;
  EXPECT_EQ(report->version, "0.1.0");
  EXPECT_EQ(report->desired_number, 9U);
  EXPECT_EQ(report->active, kOne);
  EXPECT_EQ(report->previous, std::nullopt);
  EXPECT_EQ(report->staged, kTwo);
  EXPECT_EQ(report->step, TransferStep::ready);
  EXPECT_EQ(report->release, kTwo);
  EXPECT_EQ(report->bytes_total, 10U);
  EXPECT_EQ(report->bytes_done, 8U);
  EXPECT_EQ(report->bytes_per_second, 3U);
  EXPECT_EQ(report->wan_bytes, 11U);
  EXPECT_EQ(report->disk_free_bytes, 77U);
  EXPECT_EQ(report->error, "disk full");
  EXPECT_EQ(report->rotten_chunks, 2U);
  EXPECT_THAT(report->abilities,
              ElementsAre(kAbilityBootFiles, kAbilityMenuLinks, kAbilityLoaderFamilies));
  EXPECT_EQ(report->ready_proof, status.ready_proof);
  ASSERT_EQ(report->hosts.size(), 1U);
  const HostReport& host = report->hosts[0];
  EXPECT_EQ(host.host, "web1");
  EXPECT_EQ(host.mac, "52:54:00:00:00:01");
  EXPECT_EQ(host.state, "packages");
  EXPECT_EQ(host.entry, "centos7");
  EXPECT_EQ(host.percent, 40U);
  EXPECT_EQ(host.detail, "p040.rpm");
  EXPECT_EQ(host.since, web1().since);
}

TEST(LinkConvert, AnAgentHasOnlySoManyAbilities) {
  v1::Report message;
  for (int i = 0; i < 1'000; ++i) message.add_abilities(std::string(500, 'a'));
  const auto report = from_proto(message);
  ASSERT_TRUE(report) << report.error().what;
  EXPECT_EQ(report->abilities.size(), 64U);
  EXPECT_LE(report->abilities[0].size(), 64U);
}

TEST(LinkConvert, EveryStepHasItsWord) {
  for (const auto& [ours, theirs] : {std::pair{SyncStep::idle, TransferStep::idle},
                                     {SyncStep::offer, TransferStep::offer},
                                     {SyncStep::want, TransferStep::want},
                                     {SyncStep::chunk, TransferStep::chunk},
                                     {SyncStep::ready, TransferStep::ready},
                                     {SyncStep::activate, TransferStep::activate}}) {
    SyncStatus status;
    status.step = ours;
    EXPECT_EQ(from_proto(report_of(status, {}, 0, {}))->step, theirs);
  }
}

TEST(LinkConvert, TheLargestReportFitsIntoAMessage) {
  SyncStatus status;
  status.error = std::string(1'000'000, 'e');
  HostStatus talkative = web1();
  talkative.host = talkative.mac = talkative.entry = talkative.detail = std::string(50'000, '\xff');
  SiteReport site;
  site.hosts.assign(20'000, talkative);
  const v1::Report message = report_of(status, site, 0, {});
  EXPECT_GE(message.hosts_size(), 10'000 + 2'000) << "what a site may name, and strangers";
  EXPECT_LT(message.ByteSizeLong(), static_cast<std::size_t>(kMessageBytesMax));
  EXPECT_TRUE(from_proto(message));
  std::vector<HostEvent> events(1'000, HostEvent{1, talkative});
  const v1::EventBatch batch = events_of(events);
  EXPECT_EQ(batch.events_size(), static_cast<int>(kEventsPerBatch));
  EXPECT_LT(batch.ByteSizeLong(), static_cast<std::size_t>(kMessageBytesMax));
}

TEST(LinkConvert, EventsKeepTheirNumberTimeAndMachine) {
  const auto events = from_proto(events_of({{3, web1()}, {4, web1()}}));
  ASSERT_TRUE(events) << events.error().what;
  ASSERT_EQ(events->size(), 2U);
  EXPECT_EQ((*events)[0].sequence, 3U);
  EXPECT_EQ((*events)[1].sequence, 4U);
  EXPECT_EQ((*events)[0].time, web1().since);
  EXPECT_EQ((*events)[0].kind, "host.packages");
  EXPECT_EQ((*events)[0].host.host, "web1");
}

TEST(LinkConvert, TextOfMachinesIsMadeFitForTheWire) {
  HostStatus hostile = web1();
  hostile.detail = "a\xff\xfe\n\x1b[2Jb";
  SyncStatus status;
  status.error = "bad \xc3";
  const v1::Report message = report_of(status, {{hostile}, {}}, 0, {});
  EXPECT_TRUE(is_utf8(message.hosts(0).detail()));
  EXPECT_EQ(message.hosts(0).detail().find('\n'), std::string::npos);
  EXPECT_TRUE(is_utf8(message.error()));
  std::string wire;
  EXPECT_TRUE(message.SerializeToString(&wire));
}

class OfferConvert : public ::testing::Test {
 protected:
  OfferConvert() {
    content_.digest = kOne;
    content_.document = SigningKey::generate().sign(DocumentKind::release, to_bytes("a release"));
    content_.manifests = {kOne, kTwo};
    content_.total_bytes = 1'000;
    content_.chunks = {kOne, kTwo};
    to_proto(content_, message_);
  }
  Error refusal() {
    auto offer = from_proto(message_);
    EXPECT_FALSE(offer);
    return offer ? Error{} : offer.error();
  }
  ReleaseContent content_;
  v1::Offer message_;
};

TEST_F(OfferConvert, ArrivesAsItWasMeant) {
  const auto offer = from_proto(message_);
  ASSERT_TRUE(offer) << offer.error().what;
  EXPECT_EQ(offer->release, content_.document);
  EXPECT_EQ(offer->manifests, content_.manifests);
  EXPECT_EQ(offer->total_bytes, 1'000U);
  EXPECT_EQ(offer->chunks, 2U);
}

TEST_F(OfferConvert, RefusesManifestsThatAreNone) {
  message_.add_manifests("short");
  EXPECT_EQ(refusal().code, Errc::invalid);
  message_.clear_manifests();
  for (std::size_t i = 0; i <= kManifestsMax; ++i) message_.add_manifests(to_proto(kOne));
  EXPECT_EQ(refusal().code, Errc::invalid);
  EXPECT_THAT(refusal().what, HasSubstr("4097 manifests"));
}

TEST_F(OfferConvert, RefusesADocumentOfAnotherKindOrShape) {
  const v1::SignedDocument good = message_.release();
  message_.mutable_release()->set_kind(v1::DOCUMENT_KIND_DESIRED_STATE);
  EXPECT_EQ(refusal().code, Errc::invalid);
  message_.mutable_release()->set_kind(static_cast<v1::DocumentKind>(99));
  EXPECT_THAT(refusal().what, HasSubstr("kind 99"));
  *message_.mutable_release() = good;
  message_.mutable_release()->mutable_signature()->pop_back();
  EXPECT_THAT(refusal().what, HasSubstr("signature of 63 bytes"));
  *message_.mutable_release() = good;
  message_.mutable_release()->clear_document();
  EXPECT_EQ(refusal().code, Errc::invalid);
  message_.mutable_release()->set_document(std::string(kSignedDocumentBytesMax + 1, 'x'));
  EXPECT_EQ(refusal().code, Errc::invalid);
  message_.clear_release();
  EXPECT_EQ(refusal().code, Errc::invalid);
}

TEST(LinkConvert, HelloTellsWhatIsHere) {
  SyncStatus status;
  status.desired_number = 4;
  status.desired_digest = kTwo;
  status.active = kOne;
  status.previous = kTwo;
  AgentLinkSettings settings;
  settings.version = "0.1.0";
  const v1::Hello hello = hello_of(status, settings);
  EXPECT_EQ(hello.protocol(), 1U);
  EXPECT_EQ(hello.version(), "0.1.0");
  EXPECT_EQ(hello.desired_number(), 4U);
  EXPECT_EQ(*digest_from_proto(hello.desired_digest()), kTwo);
  ASSERT_EQ(hello.releases_size(), 2);
  EXPECT_EQ(*digest_from_proto(hello.releases(0)), kOne);
}

TEST(LinkConvert, WelcomesTermsAreClamped) {
  v1::Welcome message;
  WelcomeTerms terms = from_proto(message);
  EXPECT_EQ(terms.heartbeat, Seconds(1));
  EXPECT_EQ(terms.spread, Milliseconds(0));
  message.set_heartbeat_seconds(4'000'000'000);
  message.set_spread_seconds(4'000'000'000);
  message.set_time_ms(std::numeric_limits<std::int64_t>::min());
  message.set_event_acked(5);
  terms = from_proto(message);
  EXPECT_EQ(terms.heartbeat, Seconds(3'600));
  EXPECT_EQ(terms.spread, Seconds(3'600));
  EXPECT_EQ(terms.controller_time, WallTime{});
  EXPECT_EQ(terms.event_acked, 5U);
}

TEST(LinkConvert, EveryMalformedReportIsRefusedByItsField) {
  for (const char* field : {"active", "previous", "staged", "release"}) {
    for (const std::size_t size : {1, 31, 33, 64}) {
      v1::Report message;
      const std::string bytes(size, 'x');
      if (field == std::string("active")) message.set_active(bytes);
      if (field == std::string("previous")) message.set_previous(bytes);
      if (field == std::string("staged")) message.set_staged(bytes);
      if (field == std::string("release")) message.set_release(bytes);
      const auto report = from_proto(message);
      ASSERT_FALSE(report) << field << size;
      EXPECT_EQ(report.error().code, Errc::invalid);
      EXPECT_THAT(report.error().what, HasSubstr(std::string("report: ") + field));
    }
  }
}

TEST(LinkConvert, TimesOutsideHistoryAreClamped) {
  v1::Report message;
  for (const std::int64_t ms : {std::numeric_limits<std::int64_t>::min(), std::int64_t{-1},
                                std::numeric_limits<std::int64_t>::max()}) {
    message.clear_hosts();
    message.add_hosts()->set_since_ms(ms);
    const auto report = from_proto(message);
    ASSERT_TRUE(report);
    EXPECT_GE(report->hosts[0].since, WallTime{});
    EXPECT_LE(to_iso8601(report->hosts[0].since), "9999-12-31T23:59:59Z");
  }
}

}  // namespace
}  // namespace farboot
