#include "agent/link/silence.h"

#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include "tests/support/eventually.h"

namespace farboot {
namespace {

TEST(SilenceWatch, EndsACallThatSaysNothing) {
  grpc::ClientContext context;
  SilenceWatch watch(context, Milliseconds(1));
  watch.waiting();
  EXPECT_TRUE(eventually([&] { return watch.ended(); }));
}

TEST(SilenceWatch, DoesNotCountWhatWeDoWithWhatCame) {
  grpc::ClientContext ours, theirs;
  SilenceWatch working(ours, Milliseconds(1)), waiting(theirs, Milliseconds(50));
  working.heard();
  waiting.waiting();
  EXPECT_TRUE(eventually([&] { return waiting.ended(); }));
  EXPECT_FALSE(working.ended()) << "though nothing came for fifty times as long";
}

TEST(SilenceWatch, EndsWithItsOwnerLongBeforeItsLimit) {
  grpc::ClientContext context;
  SilenceWatch watch(context, std::chrono::hours(24));
  watch.waiting();
  EXPECT_FALSE(watch.ended());
}

}  // namespace
}  // namespace farboot
