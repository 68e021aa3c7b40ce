#include "common/content/release.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "samples.h"

namespace farboot {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// What decoding says to the sample release after `change`.
template <class Change>
std::string refusal_of_release(Change change) {
  Release release = sample_release();
  change(release);
  auto decoded = decode_release(encode_release(release));
  return decoded ? "accepted" : decoded.error().what;
}

/// What decoding says to the sample's text with `from` replaced by `to`.
std::string refusal_of_text(const std::string& from, const std::string& to) {
  std::string text(as_text(encode_release(sample_release())));
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  auto decoded = decode_release(as_bytes(text.replace(at, from.size(), to)));
  return decoded ? "accepted" : decoded.error().what;
}

TEST(Release, ComesBackAsItWas) {
  const Release release = sample_release();
  auto again = decode_release(encode_release(release));
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_EQ(*again, release);
}

TEST(Release, ComesBackWhenEverythingOptionalIsAbsent) {
  Release release;
  release.number = 1;
  auto again = decode_release(encode_release(release));
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_EQ(*again, release);
}

// On disk and on wire: the release's identity. A change here is a new format.
TEST(Release, HasTheBytesOfFormatOne) {
  EXPECT_EQ(sha256(encode_release(sample_release())).hex(),
            "fa9558a40163db34aa328d7094ee9331a44b54d4c495c0e3509b6f9d04f93997");
}

TEST(Release, ComesBackWithFilesAndMenusInMenus) {
  const Release release = sample_release_with_menus();
  auto again = decode_release(encode_release(release));
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_EQ(*again, release);
}

// An agent of before there were sub-menus reads `entries` alone, and must find a menu it accepts.
TEST(Release, GivesOlderReadersAFlatMenu) {
  const std::string text(as_text(encode_release(sample_release_with_menus())));
  EXPECT_THAT(text, HasSubstr("\"entries\":[\"centos7\",\"- Tools\",\"memtest\",\"-\",\"shell\","
                              "\"- deep\",\"winpe\",\"- Disk\",\"local\"]"));
  std::string older = text;
  older.replace(older.find("\"items\":"), 8, "\"jtems\":");
  auto flat = decode_release(as_bytes(older));
  ASSERT_TRUE(flat) << flat.error().what;
  EXPECT_EQ(flat->menu.entries.size(), 9u);
  EXPECT_FALSE(has_menus(flat->menu.entries));
  EXPECT_TRUE(flat->menu.shows("winpe"));
}

TEST(Release, PassesOverMenuLinesOfANewerWriter) {
  std::string text(as_text(encode_release(sample_release_with_menus())));
  const std::string line = "{\"entry\":\"local\"}";
  text.replace(text.find(line), line.size(), line + ",{\"colour\":\"red\"}");
  auto decoded = decode_release(as_bytes(text));
  ASSERT_TRUE(decoded) << decoded.error().what;
  EXPECT_EQ(*decoded, sample_release_with_menus());
}

/// What decoding says to the sample with menus after `change`.
template <class Change>
std::string refusal_of_menus(Change change) {
  Release release = sample_release_with_menus();
  change(release);
  auto decoded = decode_release(encode_release(release));
  return decoded ? "accepted" : decoded.error().what;
}

TEST(Release, RefusesMenusThatDoNotHoldTogether) {
  EXPECT_EQ(refusal_of_menus([](Release& r) { r.menu.entries[1].items[0].name = "none"; }),
            "release: $.menu.items[1].items[0]: 'none': no such entry in this release");
  EXPECT_THAT(refusal_of_menus([](Release& r) { r.menu.entries[1].name = "shell"; }),
              HasSubstr("$.menu.items[1]: 'shell': an entry has this name"));
  EXPECT_THAT(refusal_of_menus([](Release& r) { r.menu.entries[1].items[3].name = "tools"; }),
              HasSubstr("$.menu.items[1].items[3]: 'tools': there twice"));
  EXPECT_THAT(refusal_of_menus([](Release& r) { r.menu.entries[1].name = "Tools"; }),
              HasSubstr("$.menu.items[1].menu"));
  EXPECT_THAT(
      refusal_of_menus([](Release& r) { r.menu.entries[1].items.assign(kMenuLinesMax, "-"); }),
      HasSubstr("items"));
  const auto nested = [](std::size_t menus) {
    return refusal_of_menus([menus](Release& r) {
      MenuItem item = MenuItem::menu("m1", "", {"shell"});
      for (std::size_t i = 2; i <= menus; ++i)
        item = MenuItem::menu(fmt::format("m{}", i), "", {item});
      r.menu.entries[1] = item;
    });
  };
  EXPECT_EQ(nested(kMenuDepthMax), "accepted");
  EXPECT_THAT(nested(kMenuDepthMax + 1), HasSubstr("over 4 deep"));
}

TEST(Release, RefusesFilesThatDoNotFit) {
  EXPECT_THAT(refusal_of_menus([](Release& r) { r.entries[3].boot["any"] = "memtest.bin"; }),
              HasSubstr("$.entries[3].boot: 'memtest.bin': must be assets/PATH"));
  EXPECT_THAT(refusal_of_menus([](Release& r) { r.entries[3].boot["any"] = "assets/../x"; }),
              HasSubstr("$.entries[3].boot"));
  EXPECT_THAT(refusal_of_menus([](Release& r) { r.entries[3].boot["ppc"] = "assets/x"; }),
              HasSubstr("'ppc': not a platform"));
  EXPECT_THAT(refusal_of_menus([](Release& r) { r.loaders.reset(); }),
              HasSubstr("$.entries[3].boot: 'loaders/memtest.efi': this release has no loaders"));
  EXPECT_THAT(refusal_of_menus([](Release& r) { r.entries[3].boot["any"] = "image/x"; }),
              HasSubstr("'image/x': the entry has no image"));
  EXPECT_THAT(refusal_of_menus([](Release& r) { r.entries[0].boot["any"] = "assets/x"; }),
              HasSubstr("$.entries[0].boot: an entry of kind install boots its own"));
  EXPECT_THAT(refusal_of_menus([](Release& r) { r.entries[0].files["x"]["any"] = "assets/x"; }),
              HasSubstr("$.entries[0].files: an entry of kind install takes no files"));
  EXPECT_THAT(refusal_of_menus([](Release& r) { r.entries[4].files["a || b"]["any"] = "image/x"; }),
              HasSubstr("'a || b': not a file's name"));
  EXPECT_THAT(refusal_of_menus([](Release& r) {
                r.menu.picture.clear();
                r.assets.reset();
              }),
              HasSubstr("this release has no assets"));
}

TEST(Release, RefusesEveryTruncation) {
  const Bytes bytes = encode_release(sample_release());
  for (std::size_t size = 0; size < bytes.size(); ++size)
    ASSERT_FALSE(decode_release(ByteView(bytes).first(size))) << size;
}

TEST(Release, ToleratesKeysOfANewerWriter) {
  EXPECT_EQ(refusal_of_text("{\"assets\"", "{\"a_new_key\":[1,{}],\"assets\""), "accepted");
}

TEST(Release, NamesTheFormatItCannotRead) {
  EXPECT_EQ(refusal_of_text("\"format\":1", "\"format\":2"),
            "release: $.format: format 2, this program reads 1");
  EXPECT_THAT(refusal_of_text("\"format\":1,", ""), HasSubstr("$.format"));
}

TEST(Release, NamesThePathOfAWrongType) {
  EXPECT_EQ(refusal_of_text("\"number\":7", "\"number\":\"7\""),
            "release: $.number: a whole number expected, not string");
  EXPECT_THAT(refusal_of_text("\"number\":7", "\"number\":-7"), HasSubstr("$.number"));
  EXPECT_THAT(refusal_of_text("\"number\":7", "\"number\":7.5"), HasSubstr("$.number"));
  EXPECT_THAT(refusal_of_text("\"title\":\"iPXE shell\"", "\"title\":[]"),
              HasSubstr("$.entries[1].title: a string expected, not array"));
  EXPECT_THAT(refusal_of_text("\"role\":\"web\"", "\"role\":1"),
              HasSubstr("$.entries[0].variables.role: a string expected"));
  EXPECT_THAT(refusal_of_text("\"kind\":\"shell\"", "\"kind\":\"shel\""),
              HasSubstr("$.entries[1].kind"));
  EXPECT_THAT(refusal_of_text("\"loaders\":\"", "\"loaders\":\"x"), HasSubstr("$.loaders"));
}

TEST(Release, RefusesReferencesThatDoNotResolve) {
  EXPECT_EQ(refusal_of_release([](Release& r) { r.entries[0].image = "centos7@1804"; }),
            "release: $.entries[0].image: 'centos7@1804': no such image in this release");
  EXPECT_THAT(refusal_of_release([](Release& r) { r.entries[0].kickstart = "none"; }),
              HasSubstr("$.entries[0].kickstart"));
  EXPECT_THAT(refusal_of_release([](Release& r) { r.menu.default_entry = "none"; }),
              HasSubstr("$.menu.default_entry"));
  EXPECT_THAT(refusal_of_release([](Release& r) { r.menu.template_name = "none"; }),
              HasSubstr("$.menu.template"));
  EXPECT_THAT(refusal_of_release([](Release& r) { r.menu.entries[3] = "none"; }),
              HasSubstr("$.menu.entries[3]"));
  EXPECT_THAT(refusal_of_release([](Release& r) { r.assets.reset(); }),
              HasSubstr("$.menu.picture"));
}

TEST(Release, RefusesEntriesThatDoNotFitTheirKind) {
  EXPECT_THAT(refusal_of_release([](Release& r) { r.entries[0].image.clear(); }),
              HasSubstr("kind install needs an image"));
  EXPECT_THAT(refusal_of_release([](Release& r) { r.entries[1].image = "centos7@1708"; }),
              HasSubstr("kind shell has no image"));
  EXPECT_THAT(refusal_of_release([](Release& r) { r.entries[0].args_style = "new"; }),
              HasSubstr("$.entries[0].args_style"));
}

TEST(Release, RefusesNamesThatAreThereTwice) {
  EXPECT_THAT(refusal_of_release([](Release& r) { r.images.push_back(r.images[0]); }),
              HasSubstr("$.images[1]: centos7@1708: there twice"));
  EXPECT_THAT(refusal_of_release([](Release& r) { r.entries.push_back(r.entries[1]); }),
              HasSubstr("$.entries[3]: shell: there twice"));
}

TEST(Release, RefusesPathsThatLeaveTheTree) {
  EXPECT_THAT(refusal_of_release([](Release& r) { r.images[0].facts.kernel = "../vmlinuz"; }),
              HasSubstr("$.images[0].facts.kernel"));
  EXPECT_THAT(refusal_of_release([](Release& r) { r.menu.picture = "/etc/passwd"; }),
              HasSubstr("$.menu.picture"));
}

TEST(Release, RefusesControlCharactersInLines) {
  EXPECT_THAT(refusal_of_release([](Release& r) { r.menu.title = "a\nb"; }),
              HasSubstr("$.menu.title"));
  EXPECT_THAT(refusal_of_release([](Release& r) { r.kickstarts["base"] = std::string("a\0b", 3); }),
              HasSubstr("$.kickstarts.base: a NUL"));
}

TEST(Release, RefusesDocumentsBeyondItsLimits) {
  EXPECT_THAT(decode_release(Bytes(kReleaseBytesMax + 1)).error().what, HasSubstr("at most"));
  EXPECT_THAT(decode_release(to_bytes(std::string(100, '['))).error().what, HasSubstr("nested"));
  EXPECT_THAT(refusal_of_release([](Release& r) { r.menu.timeout = Seconds(1'000'000); }),
              HasSubstr("$.menu.timeout_seconds"));
}

TEST(Release, FindsImagesAndEntries) {
  const Release release = sample_release();
  EXPECT_EQ(release.image("centos7@1708"), &release.images[0]);
  EXPECT_EQ(release.image("centos7"), nullptr);
  EXPECT_EQ(release.entry("shell"), &release.entries[1]);
  EXPECT_EQ(release.entry("she"), nullptr);
}

TEST(Release, NamesEachManifestOnce) {
  Release release = sample_release();
  Image twin = release.images[0];
  twin.tag = "again";
  release.images.push_back(twin);
  EXPECT_THAT(release.manifests(),
              ElementsAre(digest_of("m"), digest_of("loaders"), digest_of("assets")));
}

TEST(Name, IsOneLowerCaseWord) {
  for (const char* name : {"a", "7", "centos7", "web-1.lyon_x"}) EXPECT_TRUE(is_name(name)) << name;
  for (const char* name : {"", "-a", ".a", "A", "a b", "a/b", "a@b", "\xc3\xbc"})
    EXPECT_FALSE(is_name(name)) << name;
  EXPECT_TRUE(is_name(std::string(63, 'a')));
  EXPECT_FALSE(is_name(std::string(64, 'a')));
}

}  // namespace
}  // namespace farboot
