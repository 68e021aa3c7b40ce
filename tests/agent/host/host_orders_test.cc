// Two agents of one site: orders have an owner, and the other leaves their machines to it.
#include <gtest/gtest.h>

#include "tests/agent/host/host_book_fixture.h"

namespace farboot {
namespace {

class HostOrdersTest : public HostBookTest {
 protected:
  void SetUp() override {
    HostBookTest::SetUp();
    other->open();
    other->activate(6);
  }
  /// Both hear of the same desired state.
  void apply(HostSpec spec, const std::string& owner) {
    DesiredState desired = lyon({std::move(spec)});
    desired.orders_agent = owner;
    ASSERT_TRUE(bench->run(book().apply(desired, "pi1")));
    ASSERT_TRUE(other->run(other->book->apply(desired, "pi2")));
  }
  InstallAnswer answer(const HostView& view) {
    return install_answer(view.install, book().limits());
  }
  HostView look() { return book().look(kWeb1); }
  HostView look_other() { return other->book->look(kWeb1); }
  Result<std::shared_ptr<const Attempt>> begin_other(bool by_menu) {
    return other->run(
        other->book->begin({kWeb1, other->catalog.active(), "centos7", by_menu, "10.4.0.31"}));
  }
  void install() {
    auto attempt = begin(kWeb1);
    ASSERT_TRUE(attempt) << attempt.error().what;
    ASSERT_TRUE(bench->run(book().kickstart_served((*attempt)->token, "10.4.0.31")));
    ASSERT_TRUE(bench->run(book().report((*attempt)->token, HostBook::Report::installed, "")));
  }

  std::unique_ptr<SiteBench> other = std::make_unique<SiteBench>();
};

TEST_F(HostOrdersTest, AreCarriedOutByTheirOwnerAlone) {
  apply(web1(), "pi1");
  EXPECT_EQ(answer(look()), InstallAnswer::start);
  EXPECT_FALSE(look().elsewhere);
  EXPECT_EQ(answer(look_other()), InstallAnswer::nothing);
  EXPECT_TRUE(look_other().elsewhere);
  install();
  // The line is cut: the other has not heard of it.
  EXPECT_TRUE(look_other().elsewhere) << "pi1 answers this machine";
  EXPECT_EQ(begin_other(false).error().code, Errc::conflict);
  EXPECT_EQ(begin_other(true).error().code, Errc::conflict);
  HostSpec done = web1();
  done.install_done = 1;
  apply(done, "pi1");
  EXPECT_FALSE(look_other().elsewhere);
  EXPECT_EQ(answer(look_other()), InstallAnswer::nothing);
}

TEST_F(HostOrdersTest, ThatAreUsedUpArmNobodyWhenTheOwnerChanges) {
  apply(web1(), "pi1");
  install();
  HostSpec done = web1();
  done.install_done = 1;
  apply(done, "pi2");
  EXPECT_EQ(answer(look_other()), InstallAnswer::nothing);
  EXPECT_EQ(answer(look()), InstallAnswer::nothing);
  HostSpec again = web1(2);
  again.install_done = 1;
  apply(again, "pi2");
  EXPECT_EQ(answer(look_other()), InstallAnswer::start);
  EXPECT_TRUE(look().elsewhere);
  apply(again, "pi1");
  EXPECT_EQ(answer(look()), InstallAnswer::start) << "nobody had begun it";
  EXPECT_EQ(answer(look_other()), InstallAnswer::nothing);
}

TEST_F(HostOrdersTest, AreEverybodysWhereTheControllerNamesNobody) {
  apply(web1(), "");
  EXPECT_EQ(answer(look()), InstallAnswer::start);
  EXPECT_EQ(answer(look_other()), InstallAnswer::start);
  apply(web1(), "pi1");
  EXPECT_EQ(answer(look()), InstallAnswer::start);
  EXPECT_EQ(answer(look_other()), InstallAnswer::nothing);
  EXPECT_TRUE(look_other().elsewhere);
}

TEST_F(HostOrdersTest, AreTheOtherAgentsAfterARestartToo) {
  DesiredState desired = lyon({web1()});
  desired.orders_agent = "pi2";
  ASSERT_TRUE(bench->run(book().apply(desired, "pi1")));
  bench->settle();
  restart();
  EXPECT_TRUE(look().elsewhere) << "before the link's thread has told anything";
}

TEST_F(HostOrdersTest, GivenHereAreCarriedOutHere) {
  apply(web1(), "pi2");
  EXPECT_EQ(begin(kWeb1).error().code, Errc::conflict);
  ASSERT_TRUE(bench->run(book().arm("web1")));
  apply(web1(), "pi2");
  EXPECT_EQ(answer(look()), InstallAnswer::start);
  EXPECT_FALSE(look().elsewhere);
  install();
  EXPECT_EQ(book().hosts().front().used, 1u) << "takes the place of the one from the centre";
  EXPECT_FALSE(look().elsewhere);
}

}  // namespace
}  // namespace farboot
