#include "controller/link/streams.h"

#include <gtest/gtest.h>

#include "common/store/memory_store.h"

namespace farboot {
namespace {

class NobodyListens final : public StreamOwner {
 public:
  grpc::Status on_hello(AgentStream&, const v1::Hello&) override { return grpc::Status::OK; }
  grpc::Status on_report(AgentStream&, const v1::Report&) override { return grpc::Status::OK; }
  grpc::Status on_events(AgentStream&, const v1::EventBatch&) override { return grpc::Status::OK; }
  grpc::Status on_doctor(AgentStream&, const v1::DoctorResult&) override {
    return grpc::Status::OK;
  }
  void on_ended(AgentStream&) override {}
};

class StreamsTest : public ::testing::Test {
 protected:
  std::shared_ptr<AgentStream> arrive(const std::string& agent,
                                      std::shared_ptr<AgentStream>& before) {
    auto stream = AgentStream::make(context_, pool_, owner_);
    EXPECT_TRUE(streams_.add(stream));
    before = streams_.admit(stream, agent);
    return stream;
  }
  grpc::CallbackServerContext context_;
  NobodyListens owner_;
  WorkerPool pool_{1};
  Streams streams_;
};

TEST_F(StreamsTest, OneOfAnAgentAtATimeWaitsToSayHello) {
  std::shared_ptr<AgentStream> before;
  const auto first = arrive("lyon/pi1", before);
  EXPECT_EQ(before, nullptr);
  const auto other = arrive("oslo/pi1", before);
  EXPECT_EQ(before, nullptr);
  const auto second = arrive("lyon/pi1", before);
  EXPECT_EQ(before, first);
  for (const auto& stream : {first, other, second}) {
    EXPECT_FALSE(streams_.remove(*stream));
    stream->OnDone();  // as gRPC does at the end
  }
}

TEST_F(StreamsTest, OneThatEndsBeforeItIsToldWhoItIsLeavesNothingBehind) {
  std::shared_ptr<AgentStream> before;
  const auto first = arrive("lyon/pi1", before);
  // The client cancels while the pool is on its way to begin(), which moves into agent().
  EXPECT_TRUE(first->agent().id.empty());
  EXPECT_FALSE(streams_.remove(*first));
  const auto second = arrive("lyon/pi1", before);
  EXPECT_EQ(before, nullptr) << "the first is gone";
  EXPECT_FALSE(streams_.remove(*second));
  EXPECT_FALSE(streams_.remove(*second)) << "harmless twice";
  for (const auto& stream : {first, second}) stream->OnDone();  // as gRPC does at the end
}

class FetchesTest : public StreamsTest {
 protected:
  std::shared_ptr<ChunkStream> open() {
    auto stream = ChunkStream::make(context_, {pool_, cache_, sent_bytes_, [](ChunkStream&) {}});
    EXPECT_TRUE(streams_.add(stream));
    all_.push_back(stream);
    return stream;
  }
  /// False: it was turned away.
  bool admit(const std::shared_ptr<ChunkStream>& stream, const std::string& agent = "lyon/pi1") {
    over_.clear();
    return streams_.admit(stream, agent, over_);
  }
  void TearDown() override {
    for (const auto& stream : all_) {
      streams_.remove(*stream);
      stream->OnDone();  // as gRPC does at the end
    }
  }
  MemoryStore content_;
  ChunkCache cache_{content_};
  std::atomic<std::uint64_t> sent_bytes_{0};
  std::vector<std::shared_ptr<ChunkStream>> all_, over_;
};

TEST_F(FetchesTest, OnesThatAreToEndCountUntilTheyAreGone) {
  const auto first = open(), second = open(), third = open(), fourth = open(), fifth = open();
  EXPECT_TRUE(admit(first));
  EXPECT_TRUE(admit(second));
  EXPECT_TRUE(over_.empty());
  EXPECT_TRUE(admit(third));
  EXPECT_EQ(over_, std::vector{first});
  EXPECT_TRUE(admit(fourth));
  EXPECT_EQ(over_, std::vector{second});
  // The first two still hold their frames.
  EXPECT_FALSE(admit(fifth));
  EXPECT_TRUE(over_.empty()) << "nobody ends for one that is turned away";
  EXPECT_TRUE(admit(open(), "oslo/pi1"));
  streams_.remove(*first);
  EXPECT_TRUE(admit(fifth));
  EXPECT_EQ(over_, std::vector{third});
}

}  // namespace
}  // namespace farboot
