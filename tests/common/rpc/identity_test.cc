#include "common/rpc/identity.h"

#include <gtest/gtest.h>

namespace farboot {
namespace {

TEST(Identity, AgentUriComesBack) {
  const auto peer = parse_identity_uri("farboot://agent/lyon/pi1");
  ASSERT_TRUE(peer) << peer.error().what;
  EXPECT_EQ(peer->kind, PeerKind::agent);
  EXPECT_EQ(peer->site, "lyon");
  EXPECT_EQ(peer->name, "pi1");
  EXPECT_EQ(peer->id(), "lyon/pi1");
  EXPECT_EQ(identity_uri(*peer), "farboot://agent/lyon/pi1");
}

TEST(Identity, OperatorUriComesBack) {
  const auto peer = parse_identity_uri("farboot://operator/operator/ada");
  ASSERT_TRUE(peer) << peer.error().what;
  EXPECT_EQ(peer->kind, PeerKind::operator_);
  EXPECT_EQ(peer->role, Role::operate);
  EXPECT_EQ(peer->id(), "ada");
  EXPECT_EQ(identity_uri(*peer), "farboot://operator/operator/ada");
}

TEST(Identity, RefusesWhatIsNotExactlyOurs) {
  for (const char* uri :
       {"", "farboot://", "farboot://agent/", "farboot://agent/lyon", "farboot://agent/lyon/",
        "farboot://agent//pi1", "farboot://agent/lyon/pi1/x", "farboot://agent/Lyon/pi1",
        "farboot://agent/../pi1", "farboot://operator/root/ada", "farboot://operator/admin/",
        "https://agent/lyon/pi1", "farboot://agent/lyon/pi1\n", "xfarboot://agent/lyon/pi1"})
    EXPECT_FALSE(parse_identity_uri(uri)) << uri;
}

TEST(Identity, RolesAreOrdered) {
  EXPECT_LT(Role::viewer, Role::operate);
  EXPECT_LT(Role::operate, Role::admin);
  for (const Role role : {Role::viewer, Role::operate, Role::admin}) {
    const auto back = role_from(to_string(role));
    ASSERT_TRUE(back);
    EXPECT_EQ(*back, role);
  }
}

}  // namespace
}  // namespace farboot
