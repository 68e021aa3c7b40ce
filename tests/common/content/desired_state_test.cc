#include "common/content/desired_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "samples.h"

namespace farboot {
namespace {

using ::testing::HasSubstr;

template <class Change>
std::string refusal_of_state(Change change) {
  DesiredState state = sample_desired_state();
  change(state);
  auto decoded = decode_desired_state(encode_desired_state(state));
  return decoded ? "accepted" : decoded.error().what;
}

TEST(DesiredState, ComesBackAsItWas) {
  const DesiredState state = sample_desired_state();
  auto again = decode_desired_state(encode_desired_state(state));
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_EQ(*again, state);
  const DesiredState bare{.site = "lyon"};
  EXPECT_EQ(*decode_desired_state(encode_desired_state(bare)), bare);
}

// On disk and on wire. A change here is a new format.
TEST(DesiredState, HasTheBytesOfFormatOne) {
  EXPECT_EQ(sha256(encode_desired_state(sample_desired_state())).hex(),
            "be038907c1d7f4a503d10182908b6165a1dc40392b523240cb19b03c141f91ac");
}

/// 0 orders used up is knowledge; nothing said is not: an agent arms by the one and not the other.
TEST(DesiredState, TellsNoOrdersUsedUpFromNotKnown) {
  DesiredState state = sample_desired_state();
  EXPECT_FALSE(decode_desired_state(encode_desired_state(state))->hosts[0].install_done);
  state.hosts[0].install_done = 0;
  EXPECT_EQ(decode_desired_state(encode_desired_state(state))->hosts[0].install_done, 0u);
  state.hosts[0].install_done = 2;
  EXPECT_EQ(*decode_desired_state(encode_desired_state(state)), state);
  EXPECT_EQ(sha256(encode_desired_state(state)).hex(),
            "05d3ddc3b2c5fd6fcc84615a204df20665491adcdfd2baf6f0bb62d5adbcb0fc");
}

/// Documents of before there was one are the same bytes; an agent may read either.
TEST(DesiredState, NamesTheAgentThatCarriesOutOrdersIfThereIsOne) {
  DesiredState state = sample_desired_state();
  state.orders_agent = "pi2";
  const Bytes bytes = encode_desired_state(state);
  EXPECT_THAT(std::string(as_text(bytes)), HasSubstr(R"("orders_agent":"pi2")"));
  EXPECT_EQ(decode_desired_state(bytes)->orders_agent, "pi2");
  EXPECT_THAT(refusal_of_state([](DesiredState& s) { s.orders_agent = "../pi1"; }),
              HasSubstr("$.orders_agent"));
}

TEST(DesiredState, RefusesEveryTruncation) {
  const Bytes bytes = encode_desired_state(sample_desired_state());
  for (std::size_t size = 0; size < bytes.size(); ++size)
    ASSERT_FALSE(decode_desired_state(ByteView(bytes).first(size))) << size;
}

TEST(DesiredState, NamesThePathOfWhatIsWrong) {
  EXPECT_EQ(refusal_of_state([](DesiredState& s) { s.site = "Lyon"; }),
            "desired state: $.site: 'Lyon': not a name");
  EXPECT_THAT(refusal_of_state([](DesiredState& s) { s.hosts[0].macs[1] = "52-54-00-aa-bb-02"; }),
              HasSubstr("$.hosts[0].macs[1]"));
  EXPECT_THAT(refusal_of_state([](DesiredState& s) { s.hosts[0].uuid = "1234"; }),
              HasSubstr("$.hosts[0].uuid"));
  EXPECT_THAT(refusal_of_state([](DesiredState& s) { s.hosts[1].serial.clear(); }),
              HasSubstr("$.hosts[1].macs: a host needs"));
  EXPECT_THAT(refusal_of_state([](DesiredState& s) { s.limits.installs_at_once_max = 1'000'000; }),
              HasSubstr("$.limits.installs_at_once_max"));
}

TEST(DesiredState, RefusesAHostOrAMacThatIsThereTwice) {
  EXPECT_THAT(refusal_of_state([](DesiredState& s) { s.hosts[1].name = "web1"; }),
              HasSubstr("$.hosts[1].name: 'web1': there twice"));
  EXPECT_THAT(refusal_of_state([](DesiredState& s) { s.hosts[1].macs = {"52:54:00:aa:bb:02"}; }),
              HasSubstr("'52:54:00:aa:bb:02': there twice"));
}

TEST(DesiredState, RefusesDocumentsBeyondItsLimits) {
  EXPECT_THAT(decode_desired_state(Bytes(kDesiredStateBytesMax + 1)).error().what,
              HasSubstr("at most"));
}

TEST(Mac, IsTakenInEveryCommonSpelling) {
  for (const char* text : {"52:54:00:aa:bb:0c", "52-54-00-AA-BB-0C", "5254.00aa.bb0c",
                           "525400aabb0c", "525400AABB0C"}) {
    auto mac = normalise_mac(text);
    ASSERT_TRUE(mac) << text;
    EXPECT_EQ(*mac, "52:54:00:aa:bb:0c");
  }
}

TEST(Mac, RefusesEverythingElse) {
  for (const char* text :
       {"", "52:54:00:aa:bb", "52:54:00:aa:bb:0c:0d", "52:54:00:aa:bb:0g", "52:54-00:aa:bb:0c",
        "5:254:00:aa:bb:0c", "52:54:00:aa:bb:0c:", ":52:54:00:aa:bb:0c", "52::54:00:aa:bb:0c",
        "5254.00aa.bb0c.", "52.54.00.aa.bb.0c", "525400aabb0", "525400:aabb0c", " 525400aabb0c"})
    EXPECT_FALSE(normalise_mac(text)) << text;
}

}  // namespace
}  // namespace farboot
