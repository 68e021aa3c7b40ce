#include "controller/pki/operator_folder.h"

#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/atomic_file.h"
#include "common/content/identity_key.h"
#include "common/rpc/operator_files.h"
#include "common/store/memory_state.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_folder.h"

namespace farboot {
namespace {

using ::testing::HasSubstr;

class OperatorFolderTest : public ::testing::Test {
 protected:
  void make(const std::string& address) {
    const auto made = make_operator_folder(folder_ / "operator", operators_, address);
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
  MemoryState state_;
  OperatorBook operators_{state_, *authority_, clock_};
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

TEST_F(OperatorFolderTest, TheFirstCertificateIsInTheBook) {
  make("controller.test:7443");
  const auto held = operators_.operators();
  ASSERT_TRUE(held);
  ASSERT_EQ(held->size(), 1u);
  EXPECT_EQ(held->front().name, "admin");
  EXPECT_EQ(held->front().role, Role::admin);
  const auto read = authority_->read_operator(file("cert.pem"));
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(held->front().certificate_serial, read->serial_hex);
  EXPECT_TRUE(operators_.admit(read->peer));
}

TEST_F(OperatorFolderTest, ACertificateOlderThanTheBookIsTakenIn) {
  make("controller.test:7443");
  const auto read = authority_->read_operator(file("cert.pem"));
  ASSERT_TRUE(read);
  MemoryState fresh;  // as after an upgrade of a controller that kept no book
  OperatorBook operators(fresh, *authority_, clock_);
  ASSERT_FALSE(operators.admit(read->peer));
  ASSERT_TRUE(make_operator_folder(folder_ / "operator", operators, "controller.test:7443"));
  EXPECT_TRUE(operators.admit(read->peer));
}

TEST_F(OperatorFolderTest, ARevokedCertificateStaysRevokedAtTheNextStart) {
  make("controller.test:7443");
  const auto read = authority_->read_operator(file("cert.pem"));
  ASSERT_TRUE(read);
  const IdentityKey other = IdentityKey::generate();
  ASSERT_TRUE(operators_.issue({"ada", Role::admin, other.csr_pem(), "admin"}));
  ASSERT_TRUE(operators_.revoke("admin", "", "ada"));
  make("controller.test:7443");
  EXPECT_FALSE(operators_.admit(read->peer));
}

TEST_F(OperatorFolderTest, AMovedFolderIsMadeAnewForWhoLostTheLastKey) {
  make("controller.test:7443");
  const auto lost = authority_->read_operator(file("cert.pem"));
  ASSERT_TRUE(lost);
  std::filesystem::rename(folder_ / "operator", folder_ / "old");
  make("controller.test:7443");
  const auto made = authority_->read_operator(file("cert.pem"));
  ASSERT_TRUE(made);
  EXPECT_TRUE(operators_.admit(made->peer));
  EXPECT_TRUE(operators_.admit(lost->peer));
  ASSERT_TRUE(operators_.revoke("admin", lost->serial_hex, "admin"));
  EXPECT_FALSE(operators_.admit(lost->peer));
  EXPECT_TRUE(operators_.admit(made->peer));
}

TEST_F(OperatorFolderTest, AStartThatWasKilledGoesOnWithTheSameKey) {
  const auto key = open_operator_key(folder_ / "operator");
  ASSERT_TRUE(key);
  ASSERT_TRUE(operators_.issue({"admin", Role::admin, key->csr_pem(), "controller"}));
  make("controller.test:7443");
  EXPECT_EQ(operators_.operators()->size(), 1u) << "no admin nobody has the key of";
  EXPECT_EQ(file("key.pem"), key->to_pem());
}

TEST_F(OperatorFolderTest, AForeignCertificateIsNotTakenInAndKeepsNothingFromStarting) {
  make("controller.test:7443");
  const auto other = Authority::open(folder_ / "other", clock_);
  ASSERT_TRUE(other);
  const auto foreign =
      (*other)->issue_operator(IdentityKey::generate().csr_pem(), "eve", Role::admin);
  ASSERT_TRUE(foreign);
  ASSERT_TRUE(write_file_atomically(folder_ / "operator/cert.pem",
                                    as_bytes(foreign->certificate_pem), 0600));
  make("controller.test:7443");
  EXPECT_EQ(operators_.operators()->size(), 1u);
}

}  // namespace
}  // namespace farboot
