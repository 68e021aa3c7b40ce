// Menus in menus and files of entries, from the wire into a release.
#include "tests/controller/api/fleet_service_fixture.h"

namespace farboot {
namespace {

class FleetMenusTest : public FleetServiceTest {
 protected:
  void SetUp() override { controller_.add_image("centos7", "1708"); }

  static void add_memtest(v1::FleetSpec& fleet) {
    v1::EntrySpec& entry = *fleet.add_entries();
    entry.set_name("memtest");
    entry.set_title("Memory test");
    entry.set_kind(v1::ENTRY_KIND_TOOL);
    (*entry.mutable_boot()->mutable_by_platform())["bios"] = "assets/memtest.bin";
    (*(*entry.mutable_files())["extra"].mutable_by_platform())["any"] = "assets/extra";
  }
  /// The menu of spec(), with `tools` in it.
  static v1::SubMenu& add_tools(v1::FleetSpec& fleet) {
    fleet.mutable_menu()->add_items()->set_entry("c7");
    fleet.mutable_menu()->add_items()->set_gap("More");
    v1::SubMenu& tools = *fleet.mutable_menu()->add_items()->mutable_menu();
    tools.set_name("tools");
    tools.set_title("Tools");
    tools.set_key("t");
    tools.add_items()->set_entry("memtest");
    return tools;
  }
  v1::FleetSpec whole() {
    v1::FleetSpec fleet = spec();
    add_memtest(fleet);
    add_tools(fleet);
    add_asset(fleet, "extra", "more");
    add_asset(fleet, "memtest.bin", "program");
    return fleet;
  }
  static void nest(v1::FleetSpec& fleet, int menus) {
    v1::SubMenu* deeper = fleet.mutable_menu()->mutable_items(2)->mutable_menu();
    for (int i = 0; i < menus; ++i) {
      deeper = deeper->add_items()->mutable_menu();
      deeper->set_name(fmt::format("m{}", i));
    }
  }
  std::string refusal(const v1::FleetSpec& fleet) {
    const auto applied = apply({fleet, piece("more"), piece("program")});
    return applied ? "accepted" : applied.error().what;
  }
};

TEST_F(FleetMenusTest, ReachTheRelease) {
  EXPECT_EQ(refusal(whole()), "accepted");
  const auto newest = controller_.releases.newest();
  ASSERT_TRUE(newest && *newest);
  const Release& release = (*newest)->release;
  EXPECT_EQ(
      release.menu.entries,
      (std::vector<MenuItem>{"c7", "- More", MenuItem::menu("tools", "Tools", {"memtest"}, "t")}));
  EXPECT_EQ(release.entry("memtest")->boot, (FileSources{{"bios", "assets/memtest.bin"}}));
  EXPECT_EQ(release.entry("memtest")->files,
            (std::map<std::string, FileSources>{{"extra", {{"any", "assets/extra"}}}}));
}

TEST_F(FleetMenusTest, AreShownInTheDiff) {
  grpc::ClientContext context;
  v1::FleetDiff diff;
  ASSERT_EQ(refusal(whole()), "accepted");
  v1::FleetSpec changed = whole();
  changed.mutable_menu()->mutable_items(2)->mutable_menu()->add_items()->set_entry("c7");
  const auto writer = admin_->DiffFleet(&context, &diff);
  writer->Write(changed);
  writer->WritesDone();
  ASSERT_TRUE(writer->Finish().ok());
  ASSERT_EQ(diff.release_size(), 1);
  EXPECT_THAT(diff.release(0).diff(), HasSubstr("entries - menu tools: Tools (key t)\n"));
  EXPECT_THAT(diff.release(0).diff(), HasSubstr("+entries   - c7\n"));
}

TEST_F(FleetMenusTest, ThatDoNotHoldTogetherAreRefused) {
  v1::FleetSpec fleet = whole();
  fleet.mutable_menu()->add_items();
  EXPECT_THAT(refusal(fleet), HasSubstr("neither entry, gap nor menu"));
  fleet = whole();
  fleet.mutable_menu()->mutable_items(2)->mutable_menu()->set_name("c7");
  EXPECT_THAT(refusal(fleet), HasSubstr("'c7': an entry has this name"));
  fleet = whole();
  nest(fleet, 10);
  EXPECT_THAT(refusal(fleet), HasSubstr("over 4 deep"));
  fleet = whole();
  (*fleet.mutable_entries(1)->mutable_boot()->mutable_by_platform())["bios"] = "memtest.bin";
  EXPECT_THAT(refusal(fleet), HasSubstr("must be assets/PATH"));
}

// Deeper than protobuf reads: the message is lost on the way, and its absence is no empty fleet, by
// which every site would go.
TEST_F(FleetMenusTest, ThatCannotBeReadAreNoEmptyFleet) {
  v1::FleetSpec fleet = whole();
  nest(fleet, 100);
  EXPECT_THAT(refusal(fleet), HasSubstr("no part of the fleet could be read"));
  EXPECT_FALSE(*controller_.releases.newest());
}

// As above, but the part that is lost is not the first.
TEST_F(FleetMenusTest, WhoseLastPartIsLostAreRefused) {
  v1::FleetSpec first = whole(), last;
  first.set_more(true);
  add_tools(last);
  nest(last, 100);
  const auto lost = apply({first, last});
  ASSERT_FALSE(lost);
  EXPECT_THAT(lost.error().what, HasSubstr("a part of it was lost"));
  EXPECT_FALSE(*controller_.releases.newest());
  v1::FleetSpec pieces = piece("more");
  pieces.mutable_pieces(0)->set_more(true);
  EXPECT_THAT(apply({first, pieces}).error().what, HasSubstr("a part of it was lost"));
  const auto good = apply({first, pieces, piece("program")});
  ASSERT_TRUE(good) << good.error().what;
}

TEST_F(FleetMenusTest, WithoutTitlesAreCalledByTheirNames) {
  v1::FleetSpec fleet = whole();
  fleet.mutable_menu()->mutable_items(2)->mutable_menu()->clear_title();
  ASSERT_EQ(refusal(whole()), "accepted");
  grpc::ClientContext context;
  v1::FleetDiff diff;
  const auto writer = admin_->DiffFleet(&context, &diff);
  writer->Write(fleet);
  writer->WritesDone();
  ASSERT_TRUE(writer->Finish().ok());
  ASSERT_EQ(diff.release_size(), 1);
  EXPECT_THAT(diff.release(0).diff(), HasSubstr("+entries - menu tools (key t)\n"));
}

}  // namespace
}  // namespace farboot
