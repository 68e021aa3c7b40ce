// How an install ends that reports nothing: by family, for each shows us more or less of itself.
#include <algorithm>
#include <iterator>

#include <gtest/gtest.h>

#include "tests/agent/boot/boot_service_fixture.h"

namespace farboot {
namespace {

struct Family {
  const char* name;
  ImageFacts facts;
  EntryKind kind = EntryKind::install;
  bool kickstart = true;
  std::vector<std::string> tree;     ///< sorted
  std::vector<std::string> fetched;  ///< by the machine, before it comes back
  InstallPhase ends;
  const char* detail;
};

constexpr const char* kNothingTold = "came back; nothing told how it went";

const Family kFamilies[] = {
    {.name = "redhat",
     .facts = {"redhat", "CentOS", "7", "x86_64", "vmlinuz", "initrd.img", "install.img", ""},
     .tree = {"Packages/a.rpm", "initrd.img", "install.img", "vmlinuz"},
     .fetched = {"vmlinuz", "initrd.img", "install.img", "Packages/a.rpm"},
     .ends = InstallPhase::done,
     .detail = "came back after 1 packages; its kickstart does not report"},
    {.name = "redhat_without_a_package",
     .facts = {"redhat", "CentOS", "7", "x86_64", "vmlinuz", "initrd.img", "install.img", ""},
     .tree = {"Packages/a.rpm", "initrd.img", "install.img", "vmlinuz"},
     .fetched = {"vmlinuz", "initrd.img", "install.img"},
     .ends = InstallPhase::failed,
     .detail = "came back without a package; its kickstart does not report"},
    {.name = "debian_netboot",
     .facts = {"debian", "debian", "12", "x86_64", "linux", "initrd.gz", "", ""},
     .tree = {"initrd.gz", "linux"},
     .fetched = {"linux", "initrd.gz"},
     .ends = InstallPhase::done,
     .detail = kNothingTold},
    {.name = "debian_netboot_by_hand",
     .facts = {"debian", "debian", "12", "x86_64", "linux", "initrd.gz", "", ""},
     .kickstart = false,
     .tree = {"initrd.gz", "linux"},
     .fetched = {"linux", "initrd.gz"},
     .ends = InstallPhase::done,
     .detail = kNothingTold},
    {.name = "debian_disc",
     .facts = {"debian", "Debian", "12", "x86_64", "linux", "initrd.gz", "", ""},
     .tree = {"initrd.gz", "linux", "pool/a.deb"},
     .fetched = {"linux", "initrd.gz"},
     .ends = InstallPhase::failed,
     .detail = "came back without a package; its kickstart does not report"},
    {.name = "ubuntu",
     .facts = {"ubuntu", "Ubuntu", "22.04", "x86_64", "casper/vmlinuz", "casper/initrd", "", ""},
     .tree = {"casper/initrd", "casper/vmlinuz", "pool/a.deb"},
     .fetched = {"casper/vmlinuz", "casper/initrd"},
     .ends = InstallPhase::done,
     .detail = kNothingTold},
    {.name = "windows",
     .facts = {"windows", "Windows", "", "x86_64", "", "", "", ""},
     .kind = EntryKind::winpe,
     .kickstart = false,
     .tree = {"sources/boot.wim"},
     .fetched = {"sources/boot.wim"},
     .ends = InstallPhase::done,
     .detail = kNothingTold},
    {.name = "other",
     .facts = {"other", "", "", "x86_64", "linux", "initrd.gz", "", ""},
     .kickstart = false,
     .tree = {"initrd.gz", "linux"},
     .fetched = {"linux", "initrd.gz"},
     .ends = InstallPhase::done,
     .detail = kNothingTold},
};

class FamilyEnds : public BootServiceTest, public ::testing::WithParamInterface<Family> {
 protected:
  /// The family's tree and one entry of it, `os`.
  void serve(const Family& family, const std::string& kickstart_text) {
    Manifest tree;
    for (const std::string& path : family.tree) tree.files.push_back(testing::file(path));
    auto digest = put_manifest(*bench->card.content, tree);
    ASSERT_TRUE(digest) << digest.error().what;
    Release release;
    release.number = 7;
    release.images.push_back({"os", "1", *digest, family.facts, 1});
    BootEntry entry{.name = "os", .kind = family.kind, .image = "os@1"};
    if (family.kickstart) {
      entry.kickstart = "answers";
      release.kickstarts["answers"] = kickstart_text;
    }
    release.entries.push_back(entry);
    bench->activate(release);
  }
  /// Chooses it in the menu, fetches, and comes back.
  HostStatus installed(const Family& family) {
    const MachineFacts stranger = machine("52:54:00:00:00:99");
    EXPECT_TRUE(installs_now(*choose("os", stranger)));
    const std::string token = bench->book->look({stranger.mac, "", ""}).attempt->token;
    if (family.kickstart) {
      EXPECT_TRUE(kickstart(token));
    }
    for (const std::string& path : family.fetched) fetch(token, path);
    bench->settle();
    restart();
    EXPECT_FALSE(installs_now(script(stranger)));
    return bench->book->hosts().front();
  }
};

TEST_P(FamilyEnds, AsFarAsWasSeen) {
  const Family& family = GetParam();
  serve(family, "text of the operator's\n");
  const HostStatus status = installed(family);
  EXPECT_EQ(status.phase, family.ends);
  EXPECT_EQ(status.detail, family.detail);
}

/// Those with a kickstart, which could report.
class ReportingFamilyEnds : public FamilyEnds {};

std::vector<Family> reporting_families() {
  std::vector<Family> families;
  std::copy_if(std::begin(kFamilies), std::end(kFamilies), std::back_inserter(families),
               [](const Family& family) { return family.kickstart; });
  return families;
}

// Where the machine was to report, its silence is a failure, whatever the family.
TEST_P(ReportingFamilyEnds, AsFailed) {
  const Family& family = GetParam();
  serve(family, "run curl {{event.url}}\n");
  EXPECT_EQ(installed(family).phase, InstallPhase::failed);
}

INSTANTIATE_TEST_SUITE_P(Each, FamilyEnds, ::testing::ValuesIn(kFamilies),
                         [](const auto& a_case) { return std::string(a_case.param.name); });
INSTANTIATE_TEST_SUITE_P(Each, ReportingFamilyEnds, ::testing::ValuesIn(reporting_families()),
                         [](const auto& a_case) { return std::string(a_case.param.name); });

}  // namespace
}  // namespace farboot
