#include "agent/boot/decide.h"

#include <gtest/gtest.h>

#include "tests/support/site_bench.h"

namespace farboot {
namespace {

class DecideBoot : public ::testing::Test {
 protected:
  BootDecision decide() const {
    return decide_boot({.host = named ? &host : nullptr,
                        .install = install,
                        .limits = limits,
                        .attempt_entry = attempt_entry,
                        .release = has_release ? &release : nullptr,
                        .buildarch = buildarch,
                        .installs_running = running,
                        .installs_max = 4,
                        .elsewhere = elsewhere});
  }
  BootKind kind() const { return decide().kind; }

  bool named = true, has_release = true, elsewhere = false;
  HostSpec host = testing::web1();
  InstallState install;
  InstallLimits limits;
  std::string attempt_entry;
  Release release = testing::centos_release(6, sha256({}));
  std::string buildarch = "x86_64";
  std::uint32_t running = 0;
};

TEST_F(DecideBoot, GivesTheUnknownTheMenu) {
  named = false;
  EXPECT_EQ(kind(), BootKind::menu);
  EXPECT_FALSE(decide().default_local);
  has_release = false;
  EXPECT_EQ(kind(), BootKind::wait);
  EXPECT_FALSE(decide().patient) << "it may have an installed system to boot";
}

TEST_F(DecideBoot, GivesAnArmedHostItsEntryAtOnce) {
  take_order(install, 1);
  EXPECT_EQ(kind(), BootKind::entry);
  EXPECT_EQ(decide().entry, "centos7");
  EXPECT_TRUE(decide().begins);
}

TEST_F(DecideBoot, GivesAnAssignedHostItsDiskUnlessOrdered) {
  EXPECT_EQ(kind(), BootKind::local_disk);
  has_release = false;
  EXPECT_EQ(kind(), BootKind::local_disk) << "needs no release for that";
  has_release = true;
  host.entry = "local";
  EXPECT_EQ(kind(), BootKind::local_disk);
  host.entry = "gone";
  EXPECT_EQ(kind(), BootKind::local_disk);
  host.entry = "shell";
  EXPECT_EQ(kind(), BootKind::entry) << "harmless: each time";
  EXPECT_FALSE(decide().begins);
  host.entry.clear();
  EXPECT_EQ(kind(), BootKind::menu);
}

TEST_F(DecideBoot, GivesAHostThatAnotherAgentInstallsItsDisk) {
  elsewhere = true;
  host.entry = "shell";
  EXPECT_EQ(kind(), BootKind::local_disk);
  host.entry.clear();
  EXPECT_EQ(kind(), BootKind::local_disk);
  EXPECT_FALSE(decide().ends);
}

TEST_F(DecideBoot, LetsAnOrderedInstallWaitForItsRelease) {
  take_order(install, 1);
  has_release = false;
  EXPECT_EQ(kind(), BootKind::wait);
  EXPECT_TRUE(decide().patient);
  has_release = true;
  host.entry = "rocky9";
  EXPECT_EQ(kind(), BootKind::wait);
  EXPECT_EQ(decide().why, "an install is ordered, but entry rocky9 is not in release r6 yet");
}

TEST_F(DecideBoot, AdmitsOnlySoManyInstalls) {
  take_order(install, 1);
  running = 4;
  EXPECT_EQ(kind(), BootKind::wait);
  begin_attempt(install, {.has_kickstart = true}, false);
  attempt_entry = "centos7";
  EXPECT_EQ(kind(), BootKind::entry) << "one that has begun goes on";
  EXPECT_TRUE(decide().repeats);
}

TEST_F(DecideBoot, RefusesAnEntryOfAnotherArchitecture) {
  take_order(install, 1);
  buildarch = "arm64";
  EXPECT_EQ(kind(), BootKind::local_disk);
  EXPECT_EQ(decide().why, "entry centos7 is for x86_64, the machine is arm64");
  buildarch = "i386";
  EXPECT_EQ(kind(), BootKind::entry) << "BIOS builds of iPXE run on 64-bit machines";
}

TEST_F(DecideBoot, SendsWhoComesBackToItsDisk) {
  take_order(install, 1);
  begin_attempt(install, {.has_kickstart = true, .reports = true}, false);
  attempt_entry = "centos7";
  serve_kickstart(install);
  EXPECT_EQ(kind(), BootKind::local_disk);
  EXPECT_TRUE(decide().ends);
  end_on_return(install);
  EXPECT_EQ(kind(), BootKind::local_disk);
  EXPECT_FALSE(decide().ends);
}

TEST_F(DecideBoot, NeverLetsTheMenusTimerInstallTwice) {
  named = false;
  begin_attempt(install, {.has_kickstart = true}, true);
  EXPECT_EQ(kind(), BootKind::menu) << "it never got anywhere: a person may choose again";
  EXPECT_TRUE(decide().default_local);
  serve_kickstart(install);
  EXPECT_EQ(kind(), BootKind::local_disk) << "straight from its install";
  EXPECT_TRUE(decide().ends);
  end_on_return(install);
  EXPECT_EQ(kind(), BootKind::menu);
  EXPECT_TRUE(decide().default_local);
}

TEST_F(DecideBoot, ShowsTheMenuAgainAfterAnInstallByHand) {
  named = false;
  begin_attempt(install, {.has_kickstart = false}, true);
  note_fetched(install, FetchedPart::initrd);
  EXPECT_EQ(kind(), BootKind::menu);
  EXPECT_TRUE(decide().ends);
  EXPECT_TRUE(decide().default_local);
}

TEST(RunsOn, IsATableOfArchitectures) {
  const auto builds_for = [](std::string_view image) {
    std::string out;
    for (const char* build : {"i386", "x86_64", "arm32", "arm64", "loong64", "riscv64", "sparc"})
      if (runs_on(image, build)) out += std::string(out.empty() ? "" : " ") + build;
    return out;
  };
  EXPECT_EQ(builds_for(""), "i386 x86_64 arm32 arm64 loong64 riscv64 sparc");
  for (const char* image : {"x86_64", "amd64", "i386", "i686"})
    EXPECT_EQ(builds_for(image), "i386 x86_64") << image;
  for (const char* image : {"aarch64", "arm64"}) EXPECT_EQ(builds_for(image), "arm64") << image;
  for (const char* image : {"armhf", "armhfp", "armv7l"})
    EXPECT_EQ(builds_for(image), "arm32") << image;
  EXPECT_EQ(builds_for("riscv64"), "riscv64");
  EXPECT_EQ(builds_for("loongarch64"), "loong64");
  for (const char* image : {"ppc64le", "ppc64el", "s390x", "ia64"})
    EXPECT_EQ(builds_for(image), "") << image << ": no iPXE is built for it";
  EXPECT_EQ(builds_for("sparc"), "i386 x86_64 sparc") << "no word we know: as before";
  EXPECT_TRUE(runs_on("s390x", "")) << "a machine that does not say what it is";
}

TEST(NeedsConfirmation, WhereADiskMayHoldAnInstallAlready) {
  const InstallLimits limits;
  InstallState install;
  EXPECT_FALSE(needs_confirmation(install, limits));
  begin_attempt(install, {.has_kickstart = true}, true);
  EXPECT_FALSE(needs_confirmation(install, limits)) << "the disk is untouched";
  serve_kickstart(install);
  EXPECT_TRUE(needs_confirmation(install, limits));
}

}  // namespace
}  // namespace farboot
