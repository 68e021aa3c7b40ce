#include "controller/link/worker_pool.h"

#include <future>
#include <new>

#include <gtest/gtest.h>

#include "tests/support/logged.h"

namespace farboot {
namespace {

TEST(WorkerPool, OutlivesAJobThatThrowsAndWhatFollowsItThatThrowsToo) {
  testing::Logged logged;
  std::promise<void> went_on;
  WorkerPool pool(1);
  pool.post([] { throw std::bad_alloc(); }, [] { throw std::bad_alloc(); });
  pool.post([&] { went_on.set_value(); });
  went_on.get_future().wait();
  EXPECT_EQ(testing::Logged::count(logged.take(), "link.job_failed"), 2);
}

}  // namespace
}  // namespace farboot
