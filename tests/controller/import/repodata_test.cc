#include "controller/import/repodata.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/import/archive.h"
#include "small_tree.h"

namespace farboot {
namespace {

using ::testing::HasSubstr;

Result<std::vector<RepoFile>> packages_of(std::string_view xml, std::size_t portion = 1000) {
  std::vector<RepoFile> packages;
  PrimaryParser parser([&packages](const RepoFile& package) -> Result<void> {
    packages.push_back(package);
    return {};
  });
  for (; !xml.empty(); xml.remove_prefix(std::min(portion, xml.size())))
    if (auto ok = parser.push(as_bytes(xml.substr(0, portion))); !ok) return ok.error();
  if (auto ok = parser.finish(); !ok) return ok.error();
  return packages;
}

std::string primary_of(const std::string& location, const std::string& checksum) {
  return "<metadata xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\"><package type=\"rpm\">" +
         checksum + "<size package=\"7\" archive=\"1\"/>" + location +
         "<format><rpm:provides><rpm:entry name=\"x\"/></rpm:provides>"
         "<location href=\"not/this/one\"/></format></package></metadata>";
}
const std::string kSum =
    "<checksum type=\"sha256\" pkgid=\"YES\">\n " + sha256_hex("a") + " \n</checksum>";

TEST(Repomd, NamesItsFiles) {
  const TreeFiles tree = centos7_tree();
  auto files = parse_repomd(as_bytes(tree.at("repodata/repomd.xml")));
  ASSERT_TRUE(files) << files.error().what;
  ASSERT_EQ(files->size(), 2u);
  const RepoFile& primary = files->front();
  EXPECT_EQ(primary.type, "primary");
  EXPECT_EQ(primary.checksum->hex, sha256_hex(tree.at(primary.href)));
  EXPECT_EQ(primary.size_bytes, tree.at(primary.href).size());
}

TEST(Primary, NamesPackagesHoweverItsBytesCome) {
  const std::string xml =
      primary_of("<location xml:base=\"media://1#2\" href=\"Packages/a.rpm\"/>", kSum);
  for (const std::size_t portion : {1u, 7u, 100'000u}) {
    auto packages = packages_of(xml, portion);
    ASSERT_TRUE(packages) << packages.error().what;
    ASSERT_EQ(packages->size(), 1u);
    EXPECT_EQ(packages->front().href, "Packages/a.rpm");
    EXPECT_EQ(packages->front().base, "media://1#2");
    EXPECT_EQ(packages->front().checksum->hex, sha256_hex("a"));
    EXPECT_EQ(packages->front().size_bytes, 7u);
  }
}

TEST(Primary, TakesSha1OfOldRepositories) {
  auto packages = packages_of(
      primary_of("<location href=\"a.rpm\"/>",
                 "<checksum type=\"sha\">a9993e364706816aba3e25717850c26c9cd0d89d</checksum>"));
  ASSERT_TRUE(packages) << packages.error().what;
  EXPECT_EQ(packages->front().checksum->algorithm, "sha1");
}

TEST(Primary, RefusesWhatIsWrong) {
  EXPECT_THAT(packages_of("<metadata><package>").error().what, HasSubstr("line 1"));
  EXPECT_THAT(packages_of(primary_of("", kSum)).error().what, HasSubstr("without location"));
  EXPECT_THAT(
      packages_of(primary_of("<location href=\"a\"/>", "<checksum type=\"sha256\">12</checksum>"))
          .error()
          .what,
      HasSubstr("not a sha256 checksum"));
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "<a>";
  EXPECT_THAT(packages_of(deep).error().what, HasSubstr("nested deeper"));
}

TEST(Primary, RefusesEntitiesBeforeTheyAreDefined) {
  auto packages = packages_of(
      "<!DOCTYPE m [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><metadata>&a;</metadata>");
  ASSERT_FALSE(packages);
  EXPECT_THAT(packages.error().what, HasSubstr("document type declaration"));
}

TEST(Primary, PassesOnWhatItsListenerSays) {
  PrimaryParser parser([](const RepoFile&) -> Result<void> { return fail(Errc::cancelled, "x"); });
  const std::string xml = primary_of("<location href=\"a\"/>", kSum);
  auto ok = parser.push(as_bytes(xml));
  ASSERT_FALSE(ok);
  EXPECT_EQ(ok.error().code, Errc::cancelled);
}

TEST(Inflate, UnpacksAndLeavesPlainBytesAlone) {
  const std::string text(300'000, 'x');
  for (const std::string& bytes : {gzip(text), text}) {
    std::string out;
    auto ok = inflate(pull_from(as_bytes(bytes)), 1u << 20, [&out](ByteView part) -> Result<void> {
      out += as_text(part);
      return {};
    });
    ASSERT_TRUE(ok) << ok.error().what;
    EXPECT_EQ(out, text);
  }
}

TEST(Inflate, StopsAtItsLimitAndAtDamage) {
  const std::string packed = gzip(std::string(3'000'000, 'x'));
  const auto ignore = [](ByteView) -> Result<void> { return {}; };
  auto bomb = inflate(pull_from(as_bytes(packed)), 1'000'000, ignore);
  ASSERT_FALSE(bomb);
  EXPECT_EQ(bomb.error().code, Errc::exhausted);
  const std::string cut = packed.substr(0, packed.size() / 2);
  EXPECT_FALSE(inflate(pull_from(as_bytes(cut)), 1u << 30, ignore));
}

}  // namespace
}  // namespace farboot
