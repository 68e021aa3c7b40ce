#include "agent/link/identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "controller/pki/authority.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_folder.h"

namespace farboot {
namespace {

using ::testing::HasSubstr;

class IdentityFiles : public ::testing::Test {
 protected:
  AgentIdentity make(const std::string& name = "pi1") {
    auto authority = Authority::open(folder_ / "ca", clock_);
    IdentityKey key = IdentityKey::generate();
    auto issued = (*authority)->issue_agent(key.csr_pem(), "lyon", name);
    Credentials credentials{(*authority)->ca_pem(), issued->certificate_pem, key.to_pem()};
    return {"lyon/" + name,
            "lyon",
            name,
            "controller.test:7443",
            credentials,
            std::move(key),
            SigningKey::generate().verify_key()};
  }
  void store(const AgentIdentity& identity) {
    const auto stored = store_identity(state_dir_, identity);
    ASSERT_TRUE(stored) << stored.error().what;
  }
  void write(const std::string& name, const std::string& text) {
    std::filesystem::remove(state_dir_ / "identity" / name);
    std::ofstream(state_dir_ / "identity" / name) << text;
  }
  Error loading() {
    auto loaded = load_identity(state_dir_);
    EXPECT_FALSE(loaded);
    return loaded ? Error{} : loaded.error();
  }

  FakeClock clock_;
  TempFolder folder_;
  std::filesystem::path state_dir_ = folder_ / "state";
};

TEST_F(IdentityFiles, AreReadBackAsTheyWereWritten) {
  const AgentIdentity made = make();
  store(made);
  const auto read = load_identity(state_dir_);
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->agent, "lyon/pi1");
  EXPECT_EQ(read->site, "lyon");
  EXPECT_EQ(read->name, "pi1");
  EXPECT_EQ(read->address, "controller.test:7443");
  EXPECT_EQ(read->credentials.ca_pem, made.credentials.ca_pem);
  EXPECT_EQ(read->credentials.certificate_pem, made.credentials.certificate_pem);
  EXPECT_EQ(read->key.public_pem(), made.key.public_pem());
  EXPECT_EQ(read->verify_key, made.verify_key);
}

TEST_F(IdentityFiles, AreForTheAgentsEyesOnly) {
  store(make());
  struct stat info {};
  ASSERT_EQ(::stat((state_dir_ / "identity").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700U);
  for (const auto& entry : std::filesystem::directory_iterator(state_dir_ / "identity")) {
    ASSERT_EQ(::stat(entry.path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U) << entry.path();
  }
}

TEST_F(IdentityFiles, AreReplacedAsAWhole) {
  store(make("pi1"));
  store(make("pi2"));
  EXPECT_EQ(load_identity(state_dir_)->name, "pi2");
  EXPECT_FALSE(std::filesystem::exists(state_dir_ / "identity.old"));
  EXPECT_FALSE(std::filesystem::exists(state_dir_ / "identity.new"));
}

TEST_F(IdentityFiles, SurviveAKillBetweenTheTwoRenames) {
  store(make());
  std::filesystem::rename(state_dir_ / "identity", state_dir_ / "identity.old");
  std::filesystem::create_directories(state_dir_ / "identity.new");  // not whole yet
  const auto read = load_identity(state_dir_);
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->name, "pi1");
  store(make("pi2"));
  EXPECT_EQ(load_identity(state_dir_)->name, "pi2");
}

TEST_F(IdentityFiles, OfNobodySayWhatToDo) {
  const Error error = loading();
  EXPECT_EQ(error.code, Errc::not_found);
  EXPECT_THAT(error.what, HasSubstr("farboot-agent enroll TOKEN"));
}

TEST_F(IdentityFiles, ThatAreMissingOrMalformedAreNamed) {
  store(make());
  for (const char* name : {"ca.pem", "cert.pem", "key.pem", "verify.key"}) {
    SCOPED_TRACE(name);
    std::string before;
    std::getline(std::ifstream(state_dir_ / "identity" / name), before, '\0');
    write(name, "nonsense");
    EXPECT_EQ(loading().code, Errc::invalid);
    EXPECT_THAT(loading().what, HasSubstr(name == std::string("verify.key") ? "verify.key" : name));
    std::filesystem::remove(state_dir_ / "identity" / name);
    EXPECT_EQ(loading().code, Errc::not_found);
    EXPECT_THAT(loading().what, HasSubstr(name));
    write(name, before);
    ASSERT_TRUE(load_identity(state_dir_));
  }
}

TEST_F(IdentityFiles, RefuseNamesThatAreNone) {
  store(make());
  for (const char* text : {"", "{", "[]", R"({"site":"lyon","name":"pi1"})",
                           R"({"site":1,"name":"pi1","address":"a:1"})",
                           R"({"site":"../etc","name":"pi1","address":"a:1"})",
                           R"({"site":"lyon","name":"","address":"a:1"})",
                           R"({"site":"lyon","name":"pi1","address":"no port"})"}) {
    write("identity.json", text);
    EXPECT_EQ(loading().code, Errc::invalid) << text;
    EXPECT_THAT(loading().what, HasSubstr("identity.json")) << text;
  }
}

TEST_F(IdentityFiles, TakeARenewedCertificateAlone) {
  store(make());
  const std::string fresh = make().credentials.certificate_pem;
  ASSERT_TRUE(store_certificate(state_dir_, fresh));
  EXPECT_EQ(load_identity(state_dir_)->credentials.certificate_pem, fresh);
}

TEST_F(IdentityFiles, KnowWhenTheirCertificateEnds) {
  const auto ends = certificate_expires(make().credentials.certificate_pem);
  ASSERT_TRUE(ends);
  EXPECT_EQ(*ends, clock_.wall() + std::chrono::hours(90 * 24));
  EXPECT_EQ(certificate_expires("nonsense").error().code, Errc::invalid);
  EXPECT_EQ(certificate_expires("").error().code, Errc::invalid);
}

}  // namespace
}  // namespace farboot
