#include "agent/site/local_control.h"

#include <sys/stat.h>

#include <gtest/gtest.h>

#include <boost/asio/write.hpp>

#include "tests/support/site_bench.h"
#include "tests/support/temp_folder.h"

namespace farboot {
namespace {

using testing::lyon;
using testing::SiteBench;
using testing::web1;

class LocalControlTest : public ::testing::Test {
 protected:
  void SetUp() override {
    bench_.open();
    bench_.activate(6);
    ASSERT_TRUE(bench_.run(bench_.book->apply(lyon({web1(0)}))));
    LocalControl::Questions questions;
    questions.examine = [this](const doctor::Doctor::Done&) -> Result<void> { return refusal_; };
    auto listening =
        control_.emplace(bench_.loop, *bench_.book, std::move(questions)).listen(socket_);
    ASSERT_TRUE(listening) << listening.error().what;
  }
  void TearDown() override { control_->stop(); }

  /// As the program does it, from another thread.
  Result<void> order(std::string host) {
    auto job = [this, host] {
      return std::make_unique<Result<void>>(order_at_agent(socket_, host));
    };
    return *bench_.run(on_disk(bench_.disk, std::move(job)));
  }
  /// Why there is no examination, as the program hears it.
  std::string why_not() {
    auto job = [this] {
      return std::make_unique<Result<std::vector<doctor::Finding>>>(examine_at_agent(socket_));
    };
    const auto found = bench_.run(on_disk(bench_.disk, std::move(job)));
    return *found ? "there is one" : found->error().what;
  }
  InstallPhase phase() { return bench_.book->look({"52:54:00:00:00:01", "", ""}).install.phase; }

  TempFolder folder_;
  std::filesystem::path socket_ = folder_.path() / "control";
  SiteBench bench_;
  Error refusal_{Errc::exhausted, "16 wait for this examination already"};
  std::optional<LocalControl> control_;
};

TEST_F(LocalControlTest, ArmsAHostByNameOrMac) {
  EXPECT_EQ(phase(), InstallPhase::idle);
  auto armed = order("web1");
  ASSERT_TRUE(armed) << armed.error().what;
  EXPECT_EQ(phase(), InstallPhase::armed);
  ASSERT_TRUE(bench_.run(bench_.book->apply(lyon({}))));
  ASSERT_TRUE(bench_.run(bench_.book->apply(lyon({web1(0)}))));
  EXPECT_EQ(phase(), InstallPhase::idle);
  EXPECT_TRUE(order("52-54-00-00-00-01"));
  EXPECT_EQ(phase(), InstallPhase::armed);
}

TEST_F(LocalControlTest, SaysWhatIsWrong) {
  EXPECT_EQ(order("nobody").error().what, "host nobody: not known at this site");
  EXPECT_FALSE(order("web1\ninstall web1"));
  EXPECT_FALSE(order(std::string(600, 'x')));
  EXPECT_EQ(phase(), InstallPhase::idle);
}

TEST_F(LocalControlTest, SaysWhyThereIsNoExamination) {
  EXPECT_EQ(why_not(), "16 wait for this examination already");
  refusal_ = {Errc::unavailable, "the agent stops"};
  EXPECT_EQ(why_not(), "the agent stops");
}

TEST_F(LocalControlTest, IsForTheOwnerAndItsGroupOnly) {
  struct stat found {};
  ASSERT_EQ(::stat(socket_.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0660u);
}

TEST_F(LocalControlTest, OutlivesOneThatTalksNonsense) {
  using boost::asio::local::stream_protocol;
  boost::asio::io_context context;
  stream_protocol::socket rude(context);
  rude.connect(stream_protocol::endpoint(socket_.native()));
  const std::string noise(5000, 'x');
  boost::system::error_code ignored;
  boost::asio::write(rude, boost::asio::buffer(noise), ignored);
  rude.close(ignored);
  EXPECT_TRUE(order("web1"));
}

TEST_F(LocalControlTest, SaysThatNobodyIsThere) {
  control_->stop();
  std::filesystem::remove(socket_);
  auto nobody = order("web1");
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().code, Errc::unavailable);
}

}  // namespace
}  // namespace farboot
