#include "controller/pki/authority.h"

#include <sys/stat.h>

#include <gtest/gtest.h>

#include "common/base/atomic_file.h"
#include "common/content/identity_key.h"
#include "common/rpc/credentials.h"
#include "controller/pki/x509.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_folder.h"

namespace farboot {
namespace {

x509::Certificate parse(const std::string& pem) {
  auto certificate = x509::certificate_from_pem(pem);
  EXPECT_TRUE(certificate) << pem;
  return std::move(*certificate);
}

class AuthorityTest : public ::testing::Test {
 protected:
  void SetUp() override { open(); }
  void open() {
    auto opened = Authority::open(folder_ / "pki", clock_);
    ASSERT_TRUE(opened) << opened.error().what;
    authority_ = std::move(*opened);
  }
  /// Chain, purpose and names as OpenSSL judges them at `when`; 0 is "good".
  int judge(const std::string& leaf_pem, int purpose, WallTime when) {
    const auto leaf = parse(leaf_pem);
    const auto ca = parse(authority_->ca_pem());
    X509_STORE* store = X509_STORE_new();
    X509_STORE_add_cert(store, ca.get());
    X509_STORE_CTX* context = X509_STORE_CTX_new();
    X509_STORE_CTX_init(context, store, leaf.get(), nullptr);
    X509_STORE_CTX_set_purpose(context, purpose);
    X509_STORE_CTX_set_flags(context, X509_V_FLAG_X509_STRICT | X509_V_FLAG_CHECK_SS_SIGNATURE);
    X509_STORE_CTX_set_time(context, 0,
                            std::chrono::floor<Seconds>(when).time_since_epoch().count());
    X509_verify_cert(context);
    const int error = X509_STORE_CTX_get_error(context);
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return error;
  }

  TempFolder folder_;
  FakeClock clock_;
  std::unique_ptr<Authority> authority_;
};

TEST_F(AuthorityTest, IsMadeOnceAndReadBack) {
  const std::string fingerprint = authority_->fingerprint();
  EXPECT_EQ(fingerprint.size(), 64u);
  struct stat facts {};
  ASSERT_EQ(::stat((folder_ / "pki/ca.key").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777u, 0600u);
  open();
  EXPECT_EQ(authority_->fingerprint(), fingerprint);
}

TEST_F(AuthorityTest, AKilledFirstStartIsFinishedByTheNext) {
  std::filesystem::remove(folder_ / "pki/ca.pem");
  open();
  EXPECT_EQ(judge(authority_->issue_server({"a.test"})->certificate.certificate_pem,
                  X509_PURPOSE_SSL_SERVER, clock_.wall()),
            X509_V_OK);
}

TEST_F(AuthorityTest, RefusesALostOrOpenOrForeignKey) {
  ASSERT_EQ(::chmod((folder_ / "pki/ca.key").c_str(), 0644), 0);
  EXPECT_EQ(Authority::open(folder_ / "pki", clock_).error().code, Errc::denied);
  ASSERT_TRUE(write_file_atomically(folder_ / "pki/ca.key",
                                    as_bytes(IdentityKey::generate().to_pem()), 0600));
  EXPECT_EQ(Authority::open(folder_ / "pki", clock_).error().code, Errc::invalid);
  std::filesystem::remove(folder_ / "pki/ca.key");
  EXPECT_EQ(Authority::open(folder_ / "pki", clock_).error().code, Errc::invalid);
}

TEST_F(AuthorityTest, ServerCertificateHasItsNamesAndWorksWithoutAClock) {
  const auto pair = authority_->issue_server({"controller.test", "198.18.0.1", "2001:db8::1"});
  ASSERT_TRUE(pair) << pair.error().what;
  const auto leaf = parse(pair->certificate.certificate_pem);
  EXPECT_EQ(X509_check_host(leaf.get(), "controller.test", 0, 0, nullptr), 1);
  EXPECT_EQ(X509_check_host(leaf.get(), "other.test", 0, 0, nullptr), 0);
  EXPECT_EQ(X509_check_ip_asc(leaf.get(), "198.18.0.1", 0), 1);
  EXPECT_EQ(X509_check_ip_asc(leaf.get(), "2001:db8::1", 0), 1);
  EXPECT_EQ(X509_check_host(leaf.get(), "localhost", 0, 0, nullptr), 1) << "for the operator there";
  EXPECT_EQ(X509_check_ip_asc(leaf.get(), "127.0.0.1", 0), 1);
  EXPECT_EQ(X509_check_ip_asc(leaf.get(), "::1", 0), 1);
  const std::string& pem = pair->certificate.certificate_pem;
  EXPECT_EQ(judge(pem, X509_PURPOSE_SSL_SERVER, clock_.wall()), X509_V_OK);
  EXPECT_EQ(judge(pem, X509_PURPOSE_SSL_SERVER, WallTime(Seconds(5))), X509_V_OK);  // 1970
  EXPECT_NE(judge(pem, X509_PURPOSE_SSL_CLIENT, clock_.wall()), X509_V_OK);
  EXPECT_EQ(judge(pem, X509_PURPOSE_SSL_SERVER, clock_.wall() + std::chrono::years(4)),
            X509_V_ERR_CERT_HAS_EXPIRED);
  EXPECT_FALSE(authority_->issue_server({}));
  EXPECT_FALSE(authority_->issue_server({"a.test, URI:farboot://operator/admin/eve"}));
}

TEST_F(AuthorityTest, AgentCertificateNamesItAndTakesTheKeyOnly) {
  const IdentityKey key = IdentityKey::generate();
  const auto issued = authority_->issue_agent(key.csr_pem(), "lyon", "pi1");
  ASSERT_TRUE(issued) << issued.error().what;
  EXPECT_EQ(judge(issued->certificate_pem, X509_PURPOSE_SSL_CLIENT, clock_.wall()), X509_V_OK);
  EXPECT_EQ(judge(issued->certificate_pem, X509_PURPOSE_SSL_CLIENT,
                  clock_.wall() + std::chrono::days(91)),
            X509_V_ERR_CERT_HAS_EXPIRED);
  EXPECT_EQ(*public_key_id(issued->certificate_pem), *public_key_id(key.public_pem()));
  EXPECT_EQ(issued->certificate_pem.find(authority_->ca_pem()),
            issued->certificate_pem.size() - authority_->ca_pem().size());

  const auto leaf = parse(issued->certificate_pem);
  int critical = 0;
  auto* names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(leaf.get(), NID_subject_alt_name, &critical, nullptr));
  ASSERT_NE(names, nullptr);
  ASSERT_EQ(sk_GENERAL_NAME_num(names), 1);
  int type = 0;
  const auto* uri = static_cast<const ASN1_STRING*>(
      GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, 0), &type));
  EXPECT_EQ(type, GEN_URI);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri)),
                        static_cast<std::size_t>(ASN1_STRING_length(uri))),
            "farboot://agent/lyon/pi1");
  GENERAL_NAMES_free(names);
}

TEST_F(AuthorityTest, RefusesBadRequestsAndNames) {
  const std::string csr = IdentityKey::generate().csr_pem();
  EXPECT_FALSE(authority_->issue_agent("", "lyon", "pi1"));
  EXPECT_FALSE(authority_->issue_agent(authority_->ca_pem(), "lyon", "pi1"));
  EXPECT_FALSE(authority_->issue_agent(csr, "../lyon", "pi1"));
  EXPECT_FALSE(authority_->issue_agent(csr, "lyon", "pi1/x"));
  EXPECT_FALSE(authority_->issue_operator(csr, "Ada Lovelace", Role::admin));
  // A request whose signature is not by its key: no proof that the sender has the key.
  std::string forged = csr;
  const std::size_t at = forged.size() - 60;
  forged[at] = forged[at] == 'A' ? 'B' : 'A';
  EXPECT_FALSE(authority_->issue_agent(forged, "lyon", "pi1"));
}

TEST_F(AuthorityTest, OperatorCertificateCarriesTheRole) {
  const IdentityKey key = IdentityKey::generate();
  const auto issued = authority_->issue_operator(key.csr_pem(), "ada", Role::admin);
  ASSERT_TRUE(issued) << issued.error().what;
  EXPECT_EQ(judge(issued->certificate_pem, X509_PURPOSE_SSL_CLIENT, clock_.wall()), X509_V_OK);
  EXPECT_NE(issued->serial_hex,
            authority_->issue_operator(key.csr_pem(), "ada", Role::admin)->serial_hex);
  const auto read = authority_->read_operator(issued->certificate_pem);
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(identity_uri(read->peer), "farboot://operator/admin/ada");
  EXPECT_EQ(read->peer.key_id, *public_key_id(key.public_pem()));
  EXPECT_EQ(read->serial_hex, issued->serial_hex);
  EXPECT_EQ(read->expires, issued->expires);
}

TEST_F(AuthorityTest, TheLongestNameMakesACertificate) {
  const std::string csr = IdentityKey::generate().csr_pem();
  const std::string name(63, 'a');
  const auto issued = authority_->issue_operator(csr, name, Role::operate);
  ASSERT_TRUE(issued) << issued.error().what;
  EXPECT_EQ(authority_->read_operator(issued->certificate_pem)->peer.name, name);
}

TEST_F(AuthorityTest, ReadsNobodyElsesCertificateAsAnOperators) {
  const std::string csr = IdentityKey::generate().csr_pem();
  const auto agent = authority_->issue_agent(csr, "lyon", "pi1");
  ASSERT_TRUE(agent);
  EXPECT_EQ(authority_->read_operator(agent->certificate_pem).error().code, Errc::invalid);
  EXPECT_EQ(authority_->read_operator(authority_->ca_pem()).error().code, Errc::invalid);
  EXPECT_EQ(authority_->read_operator("").error().code, Errc::invalid);
  TempFolder folder;
  const auto other = Authority::open(folder / "pki", clock_);
  ASSERT_TRUE(other);
  const auto foreign = (*other)->issue_operator(csr, "ada", Role::admin);
  ASSERT_TRUE(foreign);
  EXPECT_EQ(authority_->read_operator(foreign->certificate_pem).error().code, Errc::denied);
}

}  // namespace
}  // namespace farboot
