// A host book on a bench, for its tests.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/site_bench.h"

namespace farboot {

using testing::lyon;
using testing::SiteBench;
using testing::StillClock;
using testing::web1;

inline const MachineId kWeb1{"52:54:00:00:00:01", "", ""};
inline const MachineId kStranger{"52:54:00:00:00:99", "", ""};

class HostBookTest : public ::testing::Test {
 protected:
  void SetUp() override {
    bench->open();
    bench->activate(6);
  }

  HostBook& book() { return *bench->book; }
  /// The daemon is killed; another starts from what was on the card.
  void restart(Seconds off = Seconds(0)) {
    StillClock clock = bench->clock;
    clock.pass(off);
    const testing::Card card = bench->card;
    bench.reset();
    bench = std::make_unique<SiteBench>(card, clock);
    HostSettings settings;
    settings.boot_id = boot_id;
    bench->open(settings);
  }
  void apply(std::vector<HostSpec> hosts) {
    ASSERT_TRUE(bench->run(book().apply(lyon(std::move(hosts)))));
  }
  Result<std::shared_ptr<const Attempt>> begin(const MachineId& machine, bool by_menu = false,
                                               std::string entry = "centos7") {
    return bench->run(
        book().begin({machine, bench->catalog.active(), std::move(entry), by_menu, "10.4.0.31"}));
  }
  std::string begin_web1() {
    apply({web1()});
    auto attempt = begin(kWeb1);
    EXPECT_TRUE(attempt) << attempt.error().what;
    return attempt ? (*attempt)->token : std::string();
  }
  void fetch(const std::string& path, std::string_view client = "10.4.0.31") {
    auto attempt = book().look(kWeb1).attempt;
    ASSERT_TRUE(attempt);
    book().fetched(client, bench->catalog.find_tree(attempt->manifest, path));
  }
  InstallPhase phase(const MachineId& machine = kWeb1) {
    return book().look(machine).install.phase;
  }
  std::string story() {
    std::string text;
    for (const HostEvent& event : book().pending_events(1000))
      text += fmt::format("{} {} {}\n", event.sequence, event.status.host,
                          to_string(event.status.phase));
    return text;
  }

  std::string boot_id;
  std::unique_ptr<SiteBench> bench = std::make_unique<SiteBench>();
};

}  // namespace farboot
