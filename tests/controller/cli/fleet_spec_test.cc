// What the controller is sent of a fleet directory.
#include "controller/cli/fleet_spec.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/temp_folder.h"

namespace farboot {
namespace {

class FleetSpecTest : public ::testing::Test {
 protected:
  FleetSpecTest() {
    for (const char* name : {"kickstarts", "assets"})
      std::filesystem::create_directory(folder_ / name);
    std::ofstream(folder_ / "fleet.yaml") << "entries: {shell: {kind: shell}}\n";
    // Several parts of the fleet, and two of its assets' bytes.
    for (const char* name : {"a", "b", "c"})
      std::ofstream(folder_ / "kickstarts" / (std::string(name) + ".ks"))
          << "# " << std::string(700'000, 'x') << "\n";
    for (const char* name : {"one.bin", "two.bin"})
      std::ofstream(folder_ / "assets" / name) << std::string(900'000, name[0]);
  }
  /// Whether each part says that more follows: `beside` the fleet, or in its last piece.
  struct Said {
    bool beside = false, in_piece = false, has_pieces = false;
  };
  std::vector<Said> send(Pieces pieces) {
    Findings findings;
    const FleetDirectory fleet = read_fleet(folder_.path(), findings);
    std::vector<Said> out;
    const auto sent = send_fleet(fleet, "", pieces, [&](const v1::FleetSpec& part) {
      Said& said = out.emplace_back();
      said.beside = part.more();
      said.has_pieces = !part.pieces().empty();
      said.in_piece = said.has_pieces && part.pieces().rbegin()->more();
      if (said.has_pieces) {
        v1::FleetSpec bare = part;
        bare.clear_pieces();
        EXPECT_EQ(bare.ByteSizeLong(), 0U) << "an older controller refuses it";
      }
      return true;
    });
    EXPECT_TRUE(sent) << sent.error().what;
    return out;
  }
  TempFolder folder_;
};

TEST_F(FleetSpecTest, EveryPartButTheLastAnnouncesAnother) {
  for (const Pieces pieces : {Pieces::leave_out, Pieces::send}) {
    const auto parts = send(pieces);
    ASSERT_GE(parts.size(), 4U);
    EXPECT_EQ(parts.back().has_pieces, pieces == Pieces::send);
    for (std::size_t i = 0; i < parts.size(); ++i)
      EXPECT_EQ(parts[i].beside || parts[i].in_piece, i + 1 < parts.size()) << i;
  }
}

}  // namespace
}  // namespace farboot
