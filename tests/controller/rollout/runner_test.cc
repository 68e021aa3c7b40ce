// controller/rollout/runner.h and rollouts.h over real books, a memory store and signed proofs.
#include "controller/rollout/runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/content/identity_key.h"
#include "common/store/memory_state.h"
#include "common/store/memory_store.h"
#include "controller/fleet/apply.h"
#include "controller/rollout/selector.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_folder.h"

namespace farboot {
namespace {

using ::testing::HasSubstr;

class RunnerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Image image;
    image.name = "centos7";
    image.tag = "1708";
    const Bytes content = to_bytes("kernel");
    const Digest chunk = sha256(content);
    ASSERT_TRUE(content_.put(chunk, content));
    image.manifest = *put_manifest(
        content_, Manifest{{{"vmlinuz",
                             0644,
                             content.size(),
                             chunk,
                             {{chunk, static_cast<std::uint32_t>(content.size())}}}}});
    image.facts.kernel = "vmlinuz";
    ASSERT_TRUE(images_.add(image, "c7.iso", clock_.wall()));
    wish_.menu.title = "one";
    wish_.menu.entries = {"c7"};
    BootEntry entry;
    entry.name = entry.title = "c7";
    entry.image = "centos7";
    entry.args_style = "inst";
    wish_.entries = {entry};
    for (const char* name : {"lyon", "nice"}) {
      SiteWish site;
      site.name = name;
      site.labels = {{"tier", name == std::string("lyon") ? "canary" : "rest"}};
      wish_.sites.push_back(site);
      AgentRecord agent;
      agent.id = std::string(name) + "/pi1";
      agent.site = name;
      agent.name = "pi1";
      agent.public_key_pem = identity_.public_pem();
      ASSERT_TRUE(state_.put("agent/" + agent.id, encode_agent_record(agent)));
      fleet_.on_connected(agent.id, name);
    }
    release_ = apply("one");
  }

  Digest apply(std::string title) {
    wish_.menu.title = std::move(title);
    const auto applied = applier_.apply(wish_, {"lyon", "nice"});
    EXPECT_TRUE(applied) << applied.error().what;
    return applied->release.digest;
  }
  AgentReport report(const std::string& site) {
    AgentReport out;
    out.agent = site + "/pi1";
    out.site = site;
    return out;
  }
  void report_ready(const std::string& site) {
    AgentReport out = report(site);
    out.staged = release_;
    out.ready_proof = identity_.sign(DocumentKind::ready, encode_ready_proof(proof(site)));
    fleet_.on_report(out);
  }
  ReadyProof proof(const std::string& site) {
    ReadyProof out;
    out.agent = site + "/pi1";
    out.release = release_;
    out.root = *rollouts_.proof_root(release_);
    return out;
  }
  void report_active(const std::string& site) {
    AgentReport out = report(site);
    out.active = release_;
    fleet_.on_report(out);
  }
  RolloutWish all(std::string release = "r1") {
    RolloutWish wish;
    wish.release = std::move(release);
    wish.waves = {{"wave1", {"all"}, Seconds(0), {}}};
    wish.started_by = "ada";
    return wish;
  }
  TargetState state(std::size_t target) { return rollouts_.find("")->targets.at(target).state; }

  MemoryState state_;
  MemoryStore content_;
  FakeClock clock_;
  TempFolder folder_;
  SigningKey key_ = SigningKey::generate();
  IdentityKey identity_ = IdentityKey::generate();
  std::unique_ptr<Authority> authority_ = std::move(*Authority::open(folder_.path(), clock_));
  Enrolment enrolment_{state_, *authority_, clock_};
  ImageBook images_{state_};
  ReleaseBook releases_{state_, key_};
  Fleet fleet_{state_, key_, clock_};
  Applier applier_{{state_, content_, images_, releases_, fleet_, clock_}};
  Rollouts rollouts_{{state_, content_, images_, releases_, fleet_, clock_}};
  RolloutRunner runner_{state_, rollouts_, fleet_, enrolment_, clock_};
  FleetWish wish_;
  Digest release_;
};

TEST_F(RunnerTest, CarriesARolloutThroughASecondController) {
  ASSERT_TRUE(rollouts_.start(all()));
  ASSERT_TRUE(runner_.run_once());
  EXPECT_EQ(fleet_.desired("lyon")->stage, release_);
  EXPECT_FALSE(fleet_.desired("lyon")->serve);
  report_ready("lyon");
  report_ready("nice");
  // Killed here; another process reads the same disk.
  Fleet fleet(state_, key_, clock_);
  ASSERT_TRUE(fleet.open());
  Rollouts rollouts{{state_, content_, images_, releases_, fleet, clock_}};
  RolloutRunner runner(state_, rollouts, fleet, enrolment_, clock_);
  for (const AgentStatus& status : fleet_.reports().agents()) {
    fleet.on_connected(status.report.agent, status.report.site);
    fleet.on_report(status.report);
  }
  ASSERT_TRUE(runner.run_once());
  EXPECT_EQ(fleet.desired("lyon")->serve, release_);
  AgentReport active = report("lyon");
  active.active = release_;
  fleet.on_report(active);
  ASSERT_TRUE(runner.run_once());
  EXPECT_EQ(state(0), TargetState::active);
  active = report("nice");
  active.active = release_;
  fleet.on_report(active);
  EXPECT_EQ(*runner.run_once(), 1u);
  EXPECT_EQ(rollouts.find("")->state, RolloutState::done);
  EXPECT_EQ(*runner.run_once(), 0u);
}

TEST_F(RunnerTest, StepsAreStoredTogetherWithTheirOrders) {
  ASSERT_TRUE(rollouts_.start(all()));
  const std::uint64_t before = fleet_.desired("lyon")->number;
  ASSERT_TRUE(runner_.run_once());
  ASSERT_TRUE(runner_.run_once());
  EXPECT_EQ(fleet_.desired("lyon")->number, before + 1) << "an order is given once";
}

TEST_F(RunnerTest, AnAbortedOneEndsThoughItsReleaseIsDamaged) {
  ASSERT_TRUE(rollouts_.start(all()));
  ASSERT_TRUE(runner_.run_once());
  ASSERT_TRUE(content_.sweep([](const Digest&) { return false; }));
  ASSERT_TRUE(rollouts_.abort("1", "wrong"));
  RolloutRunner restarted(state_, rollouts_, fleet_, enrolment_, clock_);
  EXPECT_FALSE(restarted.run_once()) << "and says that it could not read the release";
  EXPECT_TRUE(rollouts_.find("1")->finished);
  EXPECT_FALSE(fleet_.desired("lyon")->stage) << "the order was taken back";
}

TEST_F(RunnerTest, ReadingBackIsProgress) {
  RolloutWish wish = all();
  wish.policy.stall = Seconds(600);
  wish.policy.failures_max = 1;
  ASSERT_TRUE(rollouts_.start(wish));
  ASSERT_TRUE(runner_.run_once());
  AgentReport reading = report("lyon");
  reading.release = release_;
  reading.bytes_done = reading.bytes_total = 1000;
  reading.step = TransferStep::chunk;
  fleet_.on_report(reading);
  ASSERT_TRUE(runner_.run_once());
  reading.step = TransferStep::ready;
  for (reading.bytes_done = 100; reading.bytes_done < 1000; reading.bytes_done += 300) {
    clock_.advance(Seconds(500));
    fleet_.on_report(reading);
    ASSERT_TRUE(runner_.run_once());
    EXPECT_EQ(state(0), TargetState::staging) << reading.bytes_done;
  }
  EXPECT_EQ(state(1), TargetState::failed) << "nothing came from there";
}

/// Calls back once, when the rollouts have just been read.
class HookedState final : public StateStore {
 public:
  explicit HookedState(MemoryState& state) : state_(state) {}
  Result<std::optional<StateEntry>> get(std::string_view key) const override {
    return state_.get(key);
  }
  Result<std::vector<StateEntry>> scan(std::string_view prefix) const override {
    auto entries = state_.scan(prefix);
    if (prefix == "rollout/" && after_read) std::exchange(after_read, {})();
    return entries;
  }
  Result<std::uint64_t> commit(const Transaction& transaction) override {
    return state_.commit(transaction);
  }
  std::unique_ptr<Watch> watch(std::string prefix, Watcher watcher) override {
    return state_.watch(std::move(prefix), std::move(watcher));
  }
  mutable std::function<void()> after_read;

 private:
  MemoryState& state_;
};

TEST_F(RunnerTest, OfTwoBegunAtOnceOneIsRefused) {
  HookedState hooked(state_);
  Rollouts slower{{hooked, content_, images_, releases_, fleet_, clock_}};
  hooked.after_read = [&] { EXPECT_TRUE(rollouts_.start(all())); };
  const auto second = slower.start(all());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::conflict);
  EXPECT_THAT(second.error().what, HasSubstr("rollout 1 of r1 has it"));
  EXPECT_EQ(rollouts_.unfinished()->size(), 1u);
}

TEST_F(RunnerTest, BelievesOnlyTheAgentsOwnProofOfTheWholeRelease) {
  ASSERT_TRUE(rollouts_.start(all()));
  ASSERT_TRUE(runner_.run_once());
  AgentReport forged = report("lyon");
  forged.staged = release_;
  const auto still_staging = [&](const IdentityKey& key, const ReadyProof& proof) {
    forged.ready_proof = key.sign(DocumentKind::ready, encode_ready_proof(proof));
    fleet_.on_report(forged);
    EXPECT_TRUE(runner_.run_once());
    return state(0) == TargetState::staging;
  };
  EXPECT_TRUE(still_staging(IdentityKey::generate(), proof("lyon"))) << "another key";
  EXPECT_TRUE(still_staging(identity_, proof("nice"))) << "another agent's proof";
  ReadyProof made_up = proof("lyon");
  made_up.root = sha256(as_bytes("I surely have all of it"));
  EXPECT_TRUE(still_staging(identity_, made_up)) << "it did not read the chunks";
  report_ready("lyon");
  ASSERT_TRUE(runner_.run_once());
  EXPECT_EQ(state(0), TargetState::activating);
}

TEST_F(RunnerTest, RunsByItselfWhenReportsCome) {
  runner_.start();
  ASSERT_TRUE(rollouts_.start(all()));
  report_ready("lyon");
  report_ready("nice");
  const auto wait_for = [&](auto condition) {
    std::uint64_t seen = 0;
    const auto deadline = std::chrono::steady_clock::now() + Seconds(60);
    while (!condition() && std::chrono::steady_clock::now() < deadline)
      seen = fleet_.changed().wait_past(seen, Milliseconds(100));
    return condition();
  };
  ASSERT_TRUE(wait_for([&] { return fleet_.desired("nice")->serve == release_; }));
  report_active("lyon");
  report_active("nice");
  EXPECT_TRUE(wait_for([&] { return rollouts_.find("")->state == RolloutState::done; }));
  runner_.stop();
  EXPECT_TRUE(*state_.get("report/lyon/pi1")) << "reports are kept at the end";
}

TEST_F(RunnerTest, OneRolloutPerSite) {
  RolloutWish lyon = all();
  lyon.waves = {{"wave1", {"site=lyon"}, Seconds(0), {}}};
  ASSERT_TRUE(rollouts_.start(lyon));
  const auto second = rollouts_.start(all());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::conflict);
  EXPECT_THAT(second.error().what, HasSubstr("rollout 1 of r1 has it"));
  RolloutWish nice = all();
  nice.waves = {{"wave1", {"site=nice"}, Seconds(0), {}}};
  const auto other = rollouts_.start(nice);
  ASSERT_TRUE(other) << other.error().what;
  EXPECT_EQ(other->id, "2");
  EXPECT_EQ(rollouts_.pause("", "x").error().code, Errc::conflict) << "which of the two?";
  EXPECT_TRUE(rollouts_.abort("2", "lunch"));
  EXPECT_EQ(rollouts_.abort("2", "again").error().code, Errc::conflict);
}

TEST_F(RunnerTest, PausesAndResumes) {
  ASSERT_TRUE(rollouts_.start(all()));
  const auto paused = rollouts_.pause("", "lunch");
  ASSERT_TRUE(paused) << paused.error().what;
  EXPECT_EQ(paused->reason, "lunch");
  ASSERT_TRUE(runner_.run_once());
  EXPECT_EQ(state(0), TargetState::pending);
  EXPECT_EQ(rollouts_.pause("", "").error().code, Errc::conflict);
  ASSERT_TRUE(rollouts_.resume("1", ""));
  ASSERT_TRUE(runner_.run_once());
  EXPECT_EQ(state(0), TargetState::staging);
  EXPECT_EQ(rollouts_.resume("9", "").error().code, Errc::not_found);
}

TEST_F(RunnerTest, OneRolloutThatCannotGoOnHoldsUpNoOther) {
  RolloutWish lyon = all(), nice = all();
  lyon.waves = {{"wave1", {"site=lyon"}, Seconds(0), {}}};
  nice.waves = {{"wave1", {"site=nice"}, Seconds(0), {}}};
  ASSERT_TRUE(rollouts_.start(lyon));
  apply("two");
  nice.release = "r2";
  ASSERT_TRUE(rollouts_.start(nice));
  ASSERT_TRUE(state_.put("release/" + release_.hex(), "rotten"));
  const auto ran = runner_.run_once();
  ASSERT_FALSE(ran);
  EXPECT_THAT(ran.error().what, HasSubstr("rollout 1: release"));
  EXPECT_TRUE(fleet_.desired("nice")->stage);
}

TEST_F(RunnerTest, RefusesAReleaseWhoseImageIsGone) {
  const auto image = images_.find("centos7");
  ASSERT_TRUE(images_.remove(*image));
  const auto started = rollouts_.start(all());
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, Errc::conflict);
  EXPECT_THAT(started.error().what, HasSubstr("centos7@1708 was removed"));
}

TEST_F(RunnerTest, RefusesAReleaseWhoseContentIsGone) {
  ASSERT_TRUE(content_.sweep([&](const Digest& id) { return id != sha256(as_bytes("kernel")); }));
  const auto started = rollouts_.start(all());
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().what, HasSubstr("no longer here"));
}

TEST_F(RunnerTest, LiveIsWhatASiteMayBeTold) {
  EXPECT_EQ(*rollouts_.live_releases(), std::set<Digest>{release_});
  const Digest second = apply("two");
  EXPECT_EQ(*rollouts_.live_releases(), std::set<Digest>{second}) << "nobody serves the first";
  ASSERT_TRUE(rollouts_.start(all("r1")));
  EXPECT_EQ(*rollouts_.live_releases(), (std::set<Digest>{release_, second}));
  ASSERT_TRUE(rollouts_.abort("", ""));
  ASSERT_TRUE(runner_.run_once());
  EXPECT_EQ(*rollouts_.live_releases(), std::set<Digest>{second});
}

TEST_F(RunnerTest, SelectsByNameLabelAndShare) {
  const auto sites = fleet_.sites();
  const auto select = [&](std::vector<RolloutWave> waves) { return select_targets(waves, *sites); };
  const auto waves =
      select({{"canary", {"tier=canary"}, Seconds(0), {}}, {"rest", {"all"}, Seconds(0), {}}});
  ASSERT_TRUE(waves) << waves.error().what;
  ASSERT_EQ(waves->size(), 2u);
  EXPECT_EQ((*waves)[0].site, "lyon");
  EXPECT_EQ((*waves)[1].site, "nice");
  EXPECT_EQ((*waves)[1].wave, 1u);
  EXPECT_EQ(select({{"w", {"50%"}, Seconds(0), {}}})->size(), 1u);
  EXPECT_EQ(select({{"w", {"1%"}, Seconds(0), {}}})->size(), 1u) << "at least one";
  EXPECT_EQ(select({{"w", {"site=paris"}, Seconds(0), {}}}).error().code, Errc::not_found);
  EXPECT_EQ(select({{"w", {"lyon"}, Seconds(0), {}}}).error().code, Errc::invalid);
  EXPECT_EQ(select({{"w", {"0%"}, Seconds(0), {}}}).error().code, Errc::invalid);
  EXPECT_EQ(select({{"w", {"tier=none"}, Seconds(0), {}}}).error().code, Errc::invalid);
}

}  // namespace
}  // namespace farboot
