#include "controller/pki/operator_folder.h"

#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/atomic_file.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_folder.h"

namespace farboot {
namespace {

using ::testing::HasSubstr;

class OperatorFolderTest : public ::testing::Test {
 protected:
  void make(const std::string& address) {
    const auto made = make_operator_folder(folder_ / "operator", *authority_, address);
    ASSERT_TRUE(made) << made.error().what;
  }
  std::string file(const char* name) {
    auto text = read_file(folder_ / "operator" / name, 64 * 1024);
    EXPECT_TRUE(text) << name;
    return text ? *text : std::string();
  }

  TempFolder folder_;
  FakeClock clock_;
  std::unique_ptr<Authority> authority_ = std::move(*Authority::open(folder_ / "pki", clock_));
};

TEST_F(OperatorFolderTest, HasAllAnOperatorNeedsAndIsPrivate) {
  make("controller.test:7443");
  EXPECT_THAT(file("context.json"), HasSubstr("controller.test:7443"));
  EXPECT_EQ(file("ca.pem"), authority_->ca_pem());
  for (const char* name : {"cert.pem", "key.pem", "context.json"}) {
    struct stat facts {};
    ASSERT_EQ(::stat((folder_ / "operator" / name).c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 0777u, 0600u) << name;
  }
}

TEST_F(OperatorFolderTest, FollowsTheAddressAndKeepsTheCertificate) {
  make("localhost:7443");
  const std::string certificate = file("cert.pem"), key = file("key.pem");
  make("controller.test:7444");
  EXPECT_THAT(file("context.json"), HasSubstr("controller.test:7444"));
  EXPECT_EQ(file("cert.pem"), certificate);
  EXPECT_EQ(file("key.pem"), key);
}

}  // namespace
}  // namespace farboot
