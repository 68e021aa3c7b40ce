#include "controller/link/streams.h"

#include <gtest/gtest.h>

namespace farboot {
namespace {

class NobodyListens final : public StreamOwner {
 public:
  grpc::Status on_hello(AgentStream&, const v1::Hello&) override { return grpc::Status::OK; }
  grpc::Status on_report(AgentStream&, const v1::Report&) override { return grpc::Status::OK; }
  grpc::Status on_events(AgentStream&, const v1::EventBatch&) override { return grpc::Status::OK; }
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

}  // namespace
}  // namespace farboot
