// farboot operator: the program itself against a controller in this process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>

#include <sstream>

#include "common/base/atomic_file.h"
#include "common/rpc/operator_files.h"
#include "controller/cli/cli.h"
#include "tests/support/test_controller.h"

namespace farboot {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class OperatorVerbs : public ::testing::Test {
 protected:
  struct Said {
    int exit = -1;
    std::string out, err;
  };
  /// Run in this process as who the folder says.
  static Said run_as(const std::filesystem::path& context, const std::vector<std::string>& words) {
    const std::string folder = context.string();
    std::vector<const char*> argv{"farboot", "--context", folder.c_str()};
    for (const std::string& word : words) argv.push_back(word.c_str());
    std::ostringstream out, err;
    Terminal terminal{out, err};
    Said said;
    said.exit = run_cli(static_cast<int>(argv.size()), argv.data(), terminal);
    said.out = out.str();
    said.err = err.str();
    return said;
  }
  Said run(const std::vector<std::string>& words) {
    return run_as(controller_.context(Role::admin), words);
  }
  std::string at(const char* name) { return (controller_.folder / name).string(); }
  std::string text_of(const std::filesystem::path& file) {
    auto text = read_file(file, 1 << 20);
    EXPECT_TRUE(text) << file;
    return text ? *text : std::string();
  }

  TestController controller_;
};

TEST_F(OperatorVerbs, TheKeyStaysWhereItWasMade) {
  const Said asked = run_as(at("bobs"), {"operator", "request"});
  ASSERT_EQ(asked.exit, 0) << asked.err;
  EXPECT_EQ(asked.out, at("bobs") + "/request.pem\n");
  const std::string key = text_of(at("bobs") + "/key.pem");
  struct stat facts {};
  ASSERT_EQ(::stat((at("bobs") + "/key.pem").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777u, 0600u);
  EXPECT_THAT(text_of(at("bobs") + "/request.pem"), Not(HasSubstr("PRIVATE")));

  const Said issued = run({"operator", "issue", "bob", "--role", "viewer", "--csr",
                           at("bobs") + "/request.pem", "--out", at("for-bob")});
  ASSERT_EQ(issued.exit, 0) << issued.err;
  EXPECT_THAT(issued.out, HasSubstr("bob (viewer) until 20"));
  EXPECT_FALSE(std::filesystem::exists(at("for-bob") + "/key.pem"));
  for (const char* file : {"ca.pem", "cert.pem", "context.json"})
    std::filesystem::copy_file(at("for-bob") + "/" + file, at("bobs") + "/" + file);
  EXPECT_EQ(text_of(at("bobs") + "/key.pem"), key);

  const Said show = run_as(at("bobs"), {"controller", "show"});
  EXPECT_EQ(show.exit, 0) << show.err;
  EXPECT_THAT(show.out, HasSubstr("bob (viewer)"));
  EXPECT_EQ(run_as(at("bobs"), {"operator", "issue", "carl", "--out", at("for-carl")}).exit, 3);
  EXPECT_EQ(run_as(at("bobs"), {"operator", "request"}).exit, 3) << "it is one already";
}

TEST_F(OperatorVerbs, ANewKeyMakesAWholeFolder) {
  const Said issued = run({"operator", "issue", "carl", "--role", "admin", "--out", at("carl")});
  ASSERT_EQ(issued.exit, 0) << issued.err;
  EXPECT_EQ(run_as(at("carl"), {"status"}).exit, 0);
  const Said again = run({"operator", "issue", "carl", "--role", "admin", "--out", at("carl")});
  EXPECT_EQ(again.exit, 3) << "a folder in use is not written over";
  EXPECT_THAT(again.err, HasSubstr("is an operator's folder already"));
}

TEST_F(OperatorVerbs, AnIssueThatWasBrokenOffIsRepeatedWithItsKey) {
  const auto key = open_operator_key(at("carl"));
  ASSERT_TRUE(key);
  ASSERT_TRUE(controller_.operators.issue({"carl", Role::admin, key->csr_pem(), "ada"}));
  const Said issued = run({"operator", "issue", "carl", "--role", "admin", "--out", at("carl")});
  ASSERT_EQ(issued.exit, 0) << issued.err;
  EXPECT_EQ(controller_.operators.operators()->size(), 2u);
  EXPECT_EQ(run_as(at("carl"), {"status"}).exit, 0);
}

TEST_F(OperatorVerbs, RevokingClosesTheDoorAndTheListShowsIt) {
  ASSERT_EQ(run({"operator", "issue", "carl", "--role", "admin", "--out", at("carl")}).exit, 0);
  ASSERT_EQ(run_as(at("carl"), {"status"}).exit, 0);
  const Said revoked = run({"operator", "revoke", "carl"});
  EXPECT_EQ(revoked.exit, 0) << revoked.err;
  EXPECT_THAT(revoked.out, HasSubstr("revoked carl (admin): certificate "));
  const Said refused = run_as(at("carl"), {"status"});
  EXPECT_EQ(refused.exit, 3);
  EXPECT_THAT(refused.err, HasSubstr("operator carl: certificate revoked; an admin can give you"));

  const Said list = run({"operator", "list"});
  EXPECT_EQ(list.exit, 0);
  EXPECT_THAT(list.out, HasSubstr("OPERATOR  ROLE   SERIAL"));
  EXPECT_THAT(list.out, ::testing::ContainsRegex("ada +admin +[0-9a-f]{32} .* good\n"));
  EXPECT_THAT(list.out, ::testing::ContainsRegex("carl +admin +[0-9a-f]{32} .* revoked .* by ada"));
  EXPECT_THAT(run({"operator", "list", "-o", "json"}).out, HasSubstr("\"revoked\": true"));
  EXPECT_THAT(run({"status"}).out, HasSubstr("refused    1 calls of operators"));
}

TEST_F(OperatorVerbs, TheLastAdminIsToldWhatToDo) {
  const Said last = run({"operator", "revoke", "ada"});
  EXPECT_EQ(last.exit, 3);
  EXPECT_THAT(last.err, HasSubstr("no admin would be left"));
  EXPECT_EQ(run({"operator", "revoke", "nobody"}).exit, 3);
  EXPECT_EQ(run({"operator", "issue", "../etc"}).exit, 2);
  EXPECT_EQ(run({"operator", "issue", "carl", "--role", "root"}).exit, 2);
}

}  // namespace
}  // namespace farboot
