// Somebody who is not the controller answers at its address.
#include <gtest/gtest.h>

#include "common/rpc/grpc_log.h"
#include "tests/agent/link/link_agent.h"
#include "tests/support/link_controller.h"
#include "tests/support/logged.h"

namespace farboot {
namespace {

TEST(LinkImpostor, AControllerOfAnotherAuthorityIsRefusedLoggedAndCounted) {
  LinkController controller;
  LinkAgent agent;
  agent.enrol(controller.token("lyon", "pi1"));
  auto identity = load_identity(agent.folder.path());
  ASSERT_TRUE(identity) << identity.error().what;
  // The other side lets the agent in: nothing but the agent's own check keeps them apart.
  const TempFolder folder;
  const auto other = Authority::open(folder / "ca", controller.clock);
  ASSERT_TRUE(other) << other.error().what;
  identity->credentials.ca_pem = (*other)->ca_pem();
  const std::uint64_t before = handshakes_refused();
  testing::Logged logged;
  agent.start(std::move(*identity));
  EXPECT_TRUE(eventually([&] { return handshakes_refused() >= before + 2; })) << "it asks again";
  EXPECT_TRUE(eventually([&] { return agent.link->status().error != "not dialled yet"; }));
  EXPECT_FALSE(agent.link->status().connected);
  agent.stop();
  const std::string lines = logged.take();
  EXPECT_GE(testing::Logged::count(lines, "rpc.handshake_refused"), 2) << lines;
  EXPECT_GE(testing::Logged::count(lines, "link.down"), 1) << lines;
  EXPECT_EQ(controller.counts().connects, 0U);
}

}  // namespace
}  // namespace farboot
