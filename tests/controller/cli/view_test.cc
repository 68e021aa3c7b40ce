// Tables, progress lines, rollout pictures, JSON: what people and programs see.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "controller/cli/json.h"
#include "controller/cli/progress.h"
#include "controller/cli/rollout_view.h"
#include "controller/cli/table.h"
#include "controller/cli/verb_tables.h"
#include "tests/support/fake_clock.h"

namespace farboot {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Table, AlignsAndPaintsOnlyWhenAsked) {
  std::ostringstream sink;
  Terminal plain{sink, sink};
  Table table({"NAME", "SIZE>", "STATE"});
  table.add({"a", "10 B", {"ok", Colour::green}});
  table.add({"längst", "5 B", ""});
  EXPECT_EQ(table.text(plain),
            "NAME    SIZE  STATE\n"
            "a       10 B  ok\n"
            "längst   5 B  -\n");
  Terminal colour{sink, sink};
  colour.colour = true;
  EXPECT_THAT(table.text(colour), HasSubstr("\x1b[32mok\x1b[0m\n"));
}

TEST(Table, ReadsNumbersLikePeople) {
  EXPECT_EQ(size_text(0), "0 B");
  EXPECT_EQ(size_text(999), "999 B");
  EXPECT_EQ(size_text(4'400'000'000), "4.4 GB");
  EXPECT_EQ(size_text(999'960), "1.0 MB");
  EXPECT_EQ(duration_text(59), "59 s");
  EXPECT_EQ(duration_text(200), "3 min 20 s");
  EXPECT_EQ(duration_text(7500), "2 h 5 min");
  EXPECT_EQ(duration_text(86400), "1 d");
  EXPECT_EQ(percent(999, 1000), 99u);
  EXPECT_EQ(percent(1000, 1000), 100u);
  EXPECT_EQ(percent(5, 0), 0u);
}

TEST(Progress, ShowsBarRateAndTimeLeft) {
  const ProgressState state{"reading", "Packages/bash.rpm", 1'900'000'000, 4'300'000'000, 112.4e6};
  EXPECT_EQ(progress_line(state, 120),
            "reading  [==========>             ]  44 %  1.9 GB of 4.3 GB  112.4 MB/s  21 s left  "
            "Packages/bash.rpm");
  EXPECT_EQ(progress_line({"reading", "", 500, 0, 0}, 80), "reading  500 B");
  const ProgressState longer{"reading", "a/very/long/path/to/a/package-with-a-name.rpm", 0, 0, 0};
  const std::string cut = progress_line(longer, 40);
  EXPECT_LE(width(cut), 40u);
  EXPECT_THAT(cut, HasSubstr("…"));
  EXPECT_THAT(cut, ::testing::EndsWith("name.rpm"));
}

TEST(Progress, RedrawsOnATtyAndPrintsLinesElsewhere) {
  FakeClock clock;
  std::ostringstream screen, file;
  Terminal tty{screen, screen};
  tty.err_is_tty = true;
  Terminal pipe{file, file};
  {
    Progress on_tty(tty, clock), in_file(pipe, clock);
    for (int i = 0; i <= 100; ++i) {
      const ProgressState state{"reading", "x", static_cast<std::uint64_t>(i) * 1'000'000,
                                100'000'000, 0};
      on_tty.show(state);
      in_file.show(state);
      clock.advance(Milliseconds(100));
    }
  }
  EXPECT_THAT(screen.str(), HasSubstr("\r\x1b[Kreading"));
  EXPECT_TRUE(screen.str().ends_with("\r\x1b[K")) << "nothing is left behind";
  const std::string lines = file.str();
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 3);
  EXPECT_THAT(lines, HasSubstr("10.0 MB/s"));
  EXPECT_THAT(lines, ::testing::Not(HasSubstr("\x1b")));
}

TEST(Refusals, AreToldInWordsEachIfThereWasOne) {
  v1::Refusals refused;
  EXPECT_EQ(refusals_text(refused), "");
  refused.set_tokens(2);
  EXPECT_EQ(refusals_text(refused), "2 tokens");
  refused.set_handshakes(1);
  refused.set_agents(3);
  refused.set_fetches(4);
  refused.set_proofs(5);
  refused.set_operators(6);
  refused.set_releases(7);
  EXPECT_EQ(refusals_text(refused),
            "1 foreign certificates, 2 tokens, 3 agents, 6 calls of operators, 4 fetches, "
            "5 ready proofs, 7 changed releases");
}

TEST(AgentTable, TellsOfADiskThatRots) {
  std::ostringstream sink;
  google::protobuf::RepeatedPtrField<v1::AgentRecord> agents;
  v1::AgentRecord& agent = *agents.Add();
  agent.set_id("lyon/pi1");
  agent.set_rotten_chunks(3);
  const auto text = [&] { return agent_table(Terminal{sink, sink}, agents); };
  EXPECT_THAT(text(), HasSubstr("3 chunks rotted on its disk"));
  agent.set_error("no space");
  EXPECT_THAT(text(), HasSubstr("no space"));
  EXPECT_THAT(text(), ::testing::Not(HasSubstr("rotted")));
}

v1::Rollout rollout() {
  v1::Rollout out;
  out.set_id("3");
  out.set_release(7);
  out.set_state(v1::ROLLOUT_STATE_RUNNING);
  out.add_waves()->set_name("wave1");
  const auto add = [&](const char* site, v1::TargetState state) -> v1::RolloutTarget& {
    v1::RolloutTarget& target = *out.add_targets();
    target.set_site(site);
    target.set_state(state);
    return target;
  };
  v1::TransferProgress& transfer = *add("lyon", v1::TARGET_STATE_STAGING).mutable_transfer();
  transfer.set_bytes_done(450);
  transfer.set_bytes_total(1000);
  transfer.set_bytes_per_second(50);
  add("nice", v1::TARGET_STATE_FAILED).set_detail("no space: needs 9 GB, 1 GB free");
  add("oslo", v1::TARGET_STATE_ACTIVE);
  return out;
}

TEST(RolloutView, DrawsEverySite) {
  std::ostringstream sink;
  Terminal terminal{sink, sink};
  EXPECT_EQ(
      rollout_picture(terminal, rollout()),
      "rollout 3 of r7: running\n"
      "1 of 3 sites: 1 staging, 1 active, 1 failed\n"
      "  lyon  staging     [==========>             ]  45 %  450 B of 1.0 kB  50 B/s  11 s left\n"
      "  nice  failed      no space: needs 9 GB, 1 GB free\n"
      "  oslo  active\n");
}

TEST(RolloutView, ShowsTroubleFirstWhenThereIsTooMuch) {
  std::ostringstream sink;
  Terminal terminal{sink, sink};
  v1::Rollout many = rollout();
  for (int i = 0; i < 100; ++i) {
    v1::RolloutTarget& target = *many.add_targets();
    target.set_site("site" + std::to_string(i));
    target.set_state(v1::TARGET_STATE_ACTIVE);
  }
  many.mutable_targets()->SwapElements(1, many.targets_size() - 1);
  const std::string picture = rollout_picture(terminal, many);
  EXPECT_THAT(picture, HasSubstr("nice "));
  EXPECT_THAT(picture, HasSubstr("… and 63 more"));
}

TEST(RolloutView, TellsNewsOnce) {
  RolloutLog news;
  v1::Rollout state = rollout();
  EXPECT_THAT(news.news(state), ElementsAre("lyon staging 45 % of 1.0 kB, 50 B/s",
                                            "nice failed: no space: needs 9 GB, 1 GB free",
                                            "oslo active", "rollout 3 of r7: running"));
  EXPECT_THAT(news.news(state), IsEmpty());
  state.mutable_targets(0)->mutable_transfer()->set_bytes_done(470);
  EXPECT_THAT(news.news(state), IsEmpty()) << "less than a tenth";
  state.mutable_targets(0)->mutable_transfer()->set_bytes_done(510);
  EXPECT_THAT(news.news(state), ElementsAre(HasSubstr("51 %")));
  state.mutable_targets(0)->set_state(v1::TARGET_STATE_ACTIVE);
  state.set_state(v1::ROLLOUT_STATE_STOPPED);
  state.set_reason("1 site failed, 0 allowed");
  EXPECT_THAT(news.news(state),
              ElementsAre("lyon active", "rollout 3 of r7: stopped (1 site failed, 0 allowed)"));
  EXPECT_FALSE(went_well(state));
}

TEST(RolloutView, NothingWentWellThatIsNotActive) {
  v1::Rollout state = rollout();
  state.set_state(v1::ROLLOUT_STATE_DONE);
  for (v1::RolloutTarget& target : *state.mutable_targets())
    target.set_state(v1::TARGET_STATE_ACTIVE);
  EXPECT_TRUE(went_well(state));
  state.mutable_targets(1)->set_state(v1::TARGET_STATE_SKIPPED);
  EXPECT_FALSE(went_well(state));
}

TEST(Json, WritesNumbersTimesAndWordsForPrograms) {
  v1::Rollout message = rollout();
  message.set_release(9'007'199'254'740'993);
  message.mutable_started()->set_seconds(1'790'000'000);
  message.mutable_policy()->set_offline(v1::OFFLINE_POLICY_WAIT);
  const std::string json = to_json(message, -1);
  EXPECT_THAT(json, HasSubstr(R"("release":9007199254740993)"));
  EXPECT_THAT(json, HasSubstr(R"("started":"2026-09-21T14:13:20Z")"));
  EXPECT_THAT(json, HasSubstr(R"("finished":null)"));
  EXPECT_THAT(json, HasSubstr(R"("offline":"wait")"));
  EXPECT_THAT(json, HasSubstr(R"("state":"failed")"));
  EXPECT_EQ(to_json(v1::ListHostsResponse(), -1), "[]");
  v1::SiteRecord site;
  (*site.mutable_labels())["b"] = "2";
  (*site.mutable_labels())["a"] = "1";
  EXPECT_THAT(to_json(site, -1), HasSubstr(R"("labels":{"a":"1","b":"2"},"variables":{})"));
}

}  // namespace
}  // namespace farboot
