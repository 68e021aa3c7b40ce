// Real and built requests, each with our answer: tests/golden/dhcp/NAME.hex is what came,
// NAME.txt the same for people with the decision, NAME.reply.hex what we say.
#include <gtest/gtest.h>

#include "tests/agent/dhcp/samples.h"
#include "tests/support/dhcp_text.h"

namespace farboot::dhcp {
namespace {

std::string by(std::string_view quirk) {
  return quirk.empty() ? "" : fmt::format(" (quirk {})", quirk);
}

std::string decision_text(const Decision& decision) {
  if (const auto* silence = std::get_if<Silence>(&decision))
    return fmt::format("answer: none, {}{}\n", to_string(silence->why), by(silence->quirk));
  const Reply& reply = std::get<Reply>(decision);
  const auto packet = decode(reply.packet);
  EXPECT_TRUE(packet);
  return fmt::format("answer: {}{} to {}:{}, {} bytes\n\n{}", to_string(reply.kind),
                     by(reply.quirk), reply.to.to_string(), reply.to_port, reply.packet.size(),
                     packet ? describe(*packet) : "");
}

TEST(DhcpGolden, EveryRequestHasItsAnswer) {
  Policy policy;
  policy.raspberry_pi_roms = true;
  const FakeLoaders loaders;
  for (const std::string& name : golden::names("dhcp", ".hex")) {
    if (name.ends_with(".reply")) continue;
    const auto base = golden::folder("dhcp") / name;
    const Packet request = golden_request(name);
    const Decision decision = decide(request, arrival_of(name), policy, loaders);
    golden::expect(base.string() + ".txt", describe(request) + "\n" + decision_text(decision));
    if (const auto* reply = std::get_if<Reply>(&decision))
      golden::expect(base.string() + ".reply.hex", golden::hex_lines(reply->packet));
    else
      EXPECT_FALSE(std::filesystem::exists(base.string() + ".reply.hex"));
  }
}

}  // namespace
}  // namespace farboot::dhcp
