#include "controller/fleet/report_book.h"

#include <thread>

#include <gtest/gtest.h>

#include "common/store/memory_state.h"
#include "tests/support/eventually.h"
#include "tests/support/fake_clock.h"

namespace farboot {
namespace {

/// Keeps how much was in each commit, and can refuse those that write one key.
class WatchedState final : public StateStore {
 public:
  Result<std::optional<StateEntry>> get(std::string_view key) const override {
    return inner_.get(key);
  }
  Result<std::vector<StateEntry>> scan(std::string_view prefix) const override {
    return inner_.scan(prefix);
  }
  Result<std::uint64_t> commit(const Transaction& transaction) override {
    if (auto before = std::exchange(before_next, nullptr)) before();
    const std::lock_guard lock(mutex_);
    std::size_t bytes = 0;
    for (const Transaction::Write& write : transaction.writes) {
      if (write.key == refused) return fail(Errc::invalid, "value too long");
      bytes += write.value ? write.value->size() : 0;
    }
    writes.push_back(transaction.writes.size());
    bytes_max = std::max(bytes_max, bytes);
    return inner_.commit(transaction);
  }
  std::unique_ptr<Watch> watch(std::string prefix, Watcher watcher) override {
    return inner_.watch(std::move(prefix), std::move(watcher));
  }

  std::function<void()> before_next;  ///< called once, as the next commit begins
  std::string refused;
  std::vector<std::size_t> writes;  ///< of each commit
  std::size_t bytes_max = 0;

 private:
  std::mutex mutex_;
  MemoryState inner_;
};

class ReportBookTest : public ::testing::Test {
 protected:
  void report(int agent, std::size_t hosts = 0) {
    AgentReport report;
    report.agent = fmt::format("lyon/pi{:03}", agent);
    report.site = "lyon";
    for (std::size_t i = 0; i < hosts; ++i) {
      HostReport host;
      host.host = fmt::format("web{}", i);
      host.detail = std::string(1000, 'd');
      report.hosts.push_back(host);
    }
    book_.on_report(report);
  }
  std::size_t stored() { return state_.scan("report/")->size(); }

  WatchedState state_;
  FakeClock clock_;
  Signal changed_;
  ReportBook book_{state_, clock_, changed_};
};

TEST_F(ReportBookTest, FlushesManyAgentsInFewCommits) {
  for (int i = 0; i < 250; ++i) report(i);
  ASSERT_TRUE(book_.flush());
  EXPECT_EQ(state_.writes, (std::vector<std::size_t>{100, 100, 50}));
  EXPECT_EQ(stored(), 250u);
  ASSERT_TRUE(book_.flush());
  EXPECT_EQ(state_.writes.size(), 3u) << "nothing changed since";
}

TEST_F(ReportBookTest, NoCommitIsMuchLargerThanItsLimit) {
  for (int i = 0; i < 20; ++i) report(i, 300);
  ASSERT_TRUE(book_.flush());
  EXPECT_GT(state_.writes.size(), 4u);
  EXPECT_LE(state_.bytes_max, 1u << 20);
  EXPECT_EQ(stored(), 20u);
}

TEST_F(ReportBookTest, OneThatCannotBeStoredHoldsUpFewAndIsTriedAgain) {
  for (int i = 0; i < 250; ++i) report(i);
  state_.refused = "report/lyon/pi120";
  EXPECT_FALSE(book_.flush());
  EXPECT_EQ(stored(), 150u);
  state_.refused.clear();
  ASSERT_TRUE(book_.flush());
  EXPECT_EQ(stored(), 250u);
}

TEST_F(ReportBookTest, RemembersWhatAnAgentObeys) {
  AgentReport report;
  report.agent = "lyon/pi1";
  report.site = "lyon";
  report.abilities = {"boot-files"};
  book_.on_report(report);
  ASSERT_TRUE(book_.flush());
  ReportBook restarted{state_, clock_, changed_};
  ASSERT_TRUE(restarted.open());
  EXPECT_EQ(restarted.agent("lyon/pi1")->report.abilities, report.abilities);
}

/// One of the commit under way, one of a later commit.
TEST_F(ReportBookTest, OneThatIsForgottenDuringAFlushDoesNotComeBack) {
  for (int i = 0; i < 250; ++i) report(i);
  const std::vector<std::string> gone{"lyon/pi050", "lyon/pi200"};
  std::vector<std::thread> operators;
  state_.before_next = [&] {
    for (const std::string& id : gone) operators.emplace_back([&] { book_.forget(id); });
    for (const std::string& id : gone) EXPECT_TRUE(eventually([&] { return !book_.agent(id); }));
  };
  ASSERT_TRUE(book_.flush());
  for (std::thread& thread : operators) thread.join();
  for (const std::string& id : gone) EXPECT_FALSE(*state_.get("report/" + id)) << id;
  EXPECT_EQ(stored(), 248u);
}

}  // namespace
}  // namespace farboot
