// The contract of StateStore, the same for every implementation.
#include "common/store/state_store.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "tests/common/store/state_harness.h"

namespace farboot {
namespace {

template <class Harness>
class StateStoreContract : public ::testing::Test {
 protected:
  StateStore& store() { return harness_.store(); }
  std::string value(std::string_view key) {
    auto entry = store().get(key);
    return entry && *entry ? (*entry)->value : "(none)";
  }
  Harness harness_;
};

using StateStores = ::testing::Types<test::MemoryStateHarness, test::RocksStateHarness>;
TYPED_TEST_SUITE(StateStoreContract, StateStores);

TYPED_TEST(StateStoreContract, RemembersTheRevisionThatLastWroteAKey) {
  auto first = this->store().put("site/lyon", "a");
  auto second = this->store().put("site/rome", "b");
  ASSERT_TRUE(first && second);
  EXPECT_GT(*first, 0u);
  EXPECT_GT(*second, *first);
  auto third = this->store().put("site/lyon", "c");
  EXPECT_EQ(**this->store().get("site/lyon"), (StateEntry{"site/lyon", "c", *third}));
  EXPECT_EQ(**this->store().get("site/rome"), (StateEntry{"site/rome", "b", *second}));
  EXPECT_FALSE(this->store().get("site")->has_value());
}

TYPED_TEST(StateStoreContract, ScansAPrefixInKeyOrder) {
  for (const char* key : {"host/b", "hosts", "host/a", "host/c/d", "hosu", "a"}) {
    ASSERT_TRUE(this->store().put(key, key));
  }
  auto found = this->store().scan("host/");
  ASSERT_TRUE(found);
  std::vector<std::string> keys;
  for (const StateEntry& entry : *found) keys.push_back(entry.key);
  EXPECT_EQ(keys, (std::vector<std::string>{"host/a", "host/b", "host/c/d"}));
  EXPECT_EQ(this->store().scan("")->size(), 6u);
  EXPECT_TRUE(this->store().scan("nothing")->empty());
}

TYPED_TEST(StateStoreContract, ScansKeysAndValuesOfAnyBytes) {
  const std::string key("p\xff\x00\xff", 4), value("\x00\xff\n", 3);
  ASSERT_TRUE(this->store().put(key, value));
  ASSERT_TRUE(this->store().put("q", "beyond"));
  auto found = this->store().scan("p\xff");
  ASSERT_EQ(found->size(), 1u);
  EXPECT_EQ(found->at(0).key, key);
  EXPECT_EQ(found->at(0).value, value);
}

TYPED_TEST(StateStoreContract, AFailedExpectationWritesNothing) {
  auto revision = *this->store().put("k", "1");
  auto wrong = this->store().commit(Transaction{}.expect("k", revision + 1).put("k", "2"));
  EXPECT_EQ(wrong.error().code, Errc::conflict);
  wrong = this->store().commit(
      Transaction{}.expect("k", revision).expect("new", 9).put("k", "2").put("other", "x"));
  EXPECT_EQ(wrong.error().code, Errc::conflict);
  EXPECT_EQ(this->value("k"), "1");
  EXPECT_EQ(this->value("other"), "(none)");
  EXPECT_TRUE(this->store().commit(Transaction{}.expect("k", revision).put("k", "2")));
  EXPECT_EQ(this->value("k"), "2");
}

TYPED_TEST(StateStoreContract, ExpectingZeroMeansTheKeyMustNotExist) {
  const auto create = Transaction{}.expect("once", 0).put("once", "x");
  EXPECT_TRUE(this->store().commit(create));
  EXPECT_EQ(this->store().commit(create).error().code, Errc::conflict);
  EXPECT_TRUE(this->store().commit(Transaction{}.erase("once")));
  EXPECT_TRUE(this->store().commit(create));
}

TYPED_TEST(StateStoreContract, WritesInOrderAndCommitsAllAtOnce) {
  auto revision =
      this->store().commit(Transaction{}.put("a", "1").put("b", "1").put("a", "2").erase("b"));
  ASSERT_TRUE(revision);
  EXPECT_EQ(this->value("a"), "2");
  EXPECT_EQ(this->value("b"), "(none)");
  EXPECT_EQ((*this->store().get("a"))->revision, *revision);
}

TYPED_TEST(StateStoreContract, ATransactionWithoutWritesOnlyChecks) {
  auto revision = *this->store().put("k", "1");
  EXPECT_EQ(*this->store().commit(Transaction{}.expect("k", revision)), revision);
  EXPECT_EQ(this->store().commit(Transaction{}.expect("k", 0)).error().code, Errc::conflict);
}

TYPED_TEST(StateStoreContract, RefusesKeysAndValuesOutOfRange) {
  EXPECT_EQ(this->store().put("", "x").error().code, Errc::invalid);
  EXPECT_EQ(this->store().put(std::string(kStateKeyBytesMax + 1, 'k'), "x").error().code,
            Errc::invalid);
  EXPECT_TRUE(this->store().put(std::string(kStateKeyBytesMax, 'k'), "x"));
  EXPECT_EQ(this->store().put("k", std::string(kStateValueBytesMax + 1, 'v')).error().code,
            Errc::invalid);
}

TYPED_TEST(StateStoreContract, TellsWatchersOfEachChangeUnderTheirPrefix) {
  std::vector<std::pair<StateEntry, bool>> seen;
  auto watch = this->store().watch(
      "host/", [&](const StateEntry& entry, bool erased) { seen.emplace_back(entry, erased); });
  ASSERT_TRUE(this->store().put("site/lyon", "x"));
  auto put = *this->store().put("host/a", "1");
  auto erased =
      *this->store().commit(Transaction{}.erase("host/a").put("host/b", "2").erase("host/none"));
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[0], (std::pair{StateEntry{"host/a", "1", put}, false}));
  EXPECT_EQ(seen[1], (std::pair{StateEntry{"host/a", "", erased}, true}));
  EXPECT_EQ(seen[2], (std::pair{StateEntry{"host/b", "2", erased}, false}));
  watch.reset();
  ASSERT_TRUE(this->store().put("host/c", "3"));
  EXPECT_EQ(seen.size(), 3u);
}

TYPED_TEST(StateStoreContract, AWatchIsSilentOnceDestroyedWhileOthersCommit) {
  std::atomic<bool> stop = false;
  std::jthread committer([&] {
    for (int i = 0; !stop; ++i) EXPECT_TRUE(this->store().put("k", std::to_string(i)));
  });
  for (int i = 0; i < 50; ++i) {
    auto heard = std::make_unique<std::atomic<int>>(0);
    auto watch = this->store().watch("k", [&](const StateEntry&, bool) { ++*heard; });
    watch.reset();
    heard.reset();  // a late call would now be a use after free
  }
  stop = true;
}

TYPED_TEST(StateStoreContract, CountsRightWhenManyThreadsCompareAndSwap) {
  constexpr int kThreads = 4, kTurns = 25;
  std::vector<std::uint64_t> heard;
  auto watch = this->store().watch(
      "counter", [&](const StateEntry& entry, bool) { heard.push_back(entry.revision); });
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this] {
      for (int done = 0; done < kTurns;) {
        auto now = *this->store().get("counter");
        const int count = now ? std::stoi(now->value) : 0;
        auto swapped = this->store().commit(Transaction{}
                                                .expect("counter", now ? now->revision : 0)
                                                .put("counter", std::to_string(count + 1)));
        if (swapped) ++done;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(this->value("counter"), std::to_string(kThreads * kTurns));
  EXPECT_EQ(heard.size(), static_cast<std::size_t>(kThreads * kTurns));
  EXPECT_TRUE(std::is_sorted(heard.begin(), heard.end()));
}

}  // namespace
}  // namespace farboot
