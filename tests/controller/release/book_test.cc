// controller/release/image_book.h and release_book.h
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/store/memory_state.h"
#include "controller/release/image_book.h"
#include "controller/release/release_book.h"

namespace farboot {
namespace {

using ::testing::HasSubstr;
using ::testing::internal::CaptureStderr;
using ::testing::internal::GetCapturedStderr;

constexpr WallTime kNow(Seconds(1'790'000'000));

Image image(std::string name, std::string tag, std::string_view content = "tree") {
  Image out;
  out.name = std::move(name);
  out.tag = std::move(tag);
  out.manifest = sha256(as_bytes(content));
  out.facts = {"redhat",
               "CentOS",
               "7",
               "x86_64",
               "images/pxeboot/vmlinuz",
               "images/pxeboot/initrd.img",
               "LiveOS/squashfs.img",
               ""};
  out.size_bytes = 1234;
  return out;
}

TEST(ImageBook, KeepsWhatImportFoundOut) {
  MemoryState state;
  ImageBook book(state);
  ASSERT_TRUE(book.add(image("centos7", "1708"), "/srv/c7.iso", kNow));
  const auto found = book.find("centos7@1708");
  ASSERT_TRUE(found) << found.error().what;
  EXPECT_EQ(found->image, image("centos7", "1708"));
  EXPECT_EQ(found->source, "/srv/c7.iso");
  EXPECT_EQ(found->imported, kNow);
}

TEST(ImageBook, NeverChangesAnImage) {
  MemoryState state;
  ImageBook book(state);
  ASSERT_TRUE(book.add(image("centos7", "1708"), "a", kNow));
  EXPECT_TRUE(book.add(image("centos7", "1708"), "b", kNow)) << "the same tree again is harmless";
  const auto other = book.add(image("centos7", "1708", "another"), "c", kNow);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Errc::conflict);
  EXPECT_THAT(other.error().what, HasSubstr("another tag"));
}

TEST(ImageBook, RefusesNamesThatAreNone) {
  MemoryState state;
  ImageBook book(state);
  EXPECT_EQ(book.add(image("Cent OS", "1"), "", kNow).error().code, Errc::invalid);
  EXPECT_EQ(book.add(image("centos7", ""), "", kNow).error().code, Errc::invalid);
}

TEST(ImageBook, FindsByNameAloneOnlyIfThatIsClear) {
  MemoryState state;
  ImageBook book(state);
  ASSERT_TRUE(book.add(image("centos7", "1708"), "", kNow));
  ASSERT_TRUE(book.find("centos7"));
  ASSERT_TRUE(book.add(image("centos7", "1804"), "", kNow));
  const auto unclear = book.find("centos7");
  ASSERT_FALSE(unclear);
  EXPECT_EQ(unclear.error().code, Errc::conflict);
  EXPECT_THAT(unclear.error().what, HasSubstr("1708, 1804"));
  EXPECT_EQ(book.find("debian").error().code, Errc::not_found);
}

TEST(ImageBook, DoesNotRemoveWhatSomethingBeganToUse) {
  MemoryState state;
  ImageBook book(state);
  const auto record = book.add(image("centos7", "1708"), "", kNow);
  ASSERT_TRUE(record);
  Transaction use;
  ImageBook::touch(use, *record);
  ASSERT_TRUE(state.commit(use));
  const auto removed = book.remove(*record);
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().code, Errc::conflict);
  EXPECT_TRUE(book.remove(*book.find("centos7")));
  EXPECT_FALSE(book.find("centos7"));
}

TEST(ImageBook, KeepsTheLoaders) {
  MemoryState state;
  ImageBook book(state);
  ASSERT_TRUE(book.loaders());
  EXPECT_FALSE(book.loaders()->has_value());
  const LoaderRecord loaders{sha256(as_bytes("x")),
                             {{"undionly.kpxe", "/usr/lib/ipxe"}, {"wimboot", "/srv/wimboot"}},
                             {"old"},
                             kNow};
  ASSERT_TRUE(book.set_loaders(loaders));
  const auto read = book.loaders();
  ASSERT_TRUE(read && *read);
  EXPECT_EQ((*read)->manifest, loaders.manifest);
  EXPECT_EQ((*read)->files, loaders.files);
  EXPECT_EQ((*read)->warnings, loaders.warnings);
  EXPECT_EQ((*read)->sources(), (std::vector<std::string>{"/usr/lib/ipxe", "/srv/wimboot"}));
  EXPECT_EQ(book.set_loaders(loaders).error().code, Errc::conflict) << "not the one it was";
  EXPECT_TRUE(book.set_loaders(**read));
}

TEST(ImageBook, ReadsTheLoadersOfAnEarlierVersion) {
  MemoryState state;
  ASSERT_TRUE(state.put("loaders", R"({"format":1,"manifest":")" + sha256({}).hex() +
                                       R"(","files":["a.efi","b.efi"],"source":"/usr/lib/ipxe"})"));
  const auto read = ImageBook(state).loaders();
  ASSERT_TRUE(read && *read);
  EXPECT_EQ((*read)->files,
            (std::vector<LoaderFile>{{"a.efi", "/usr/lib/ipxe"}, {"b.efi", "/usr/lib/ipxe"}}));
}

class ReleaseBookTest : public ::testing::Test {
 protected:
  Release content(std::string title) {
    Release release;
    release.menu.title = std::move(title);
    release.images = {image("centos7", "1708")};
    BootEntry entry;
    entry.name = entry.title = "c7";
    entry.image = "centos7@1708";
    entry.args_style = "inst";
    release.entries = {entry};
    release.menu.entries = {"c7"};
    return release;
  }
  StoredRelease make(std::string title) {
    Transaction transaction;
    const auto newest = book_.newest();
    auto made = book_.prepare(content(std::move(title)), *newest, kNow, transaction);
    EXPECT_TRUE(made) << made.error().what;
    EXPECT_TRUE(state_.commit(transaction));
    return *made;
  }

  MemoryState state_;
  SigningKey key_ = SigningKey::generate();
  ReleaseBook book_{state_, key_};
};

TEST_F(ReleaseBookTest, NumbersSignsAndChains) {
  const StoredRelease first = make("one"), second = make("two");
  EXPECT_EQ(first.release.number, 1u);
  EXPECT_FALSE(first.release.parent);
  EXPECT_EQ(second.release.number, 2u);
  EXPECT_EQ(second.release.parent, first.digest);
  EXPECT_EQ(second.release.created, kNow);
  EXPECT_TRUE(key_.verify_key().verify(DocumentKind::release, second.document));
  EXPECT_FALSE(key_.verify_key().verify(DocumentKind::desired_state, second.document));
  EXPECT_EQ((*book_.newest())->digest, second.digest);
  const auto all = book_.releases();
  ASSERT_TRUE(all);
  ASSERT_EQ(all->size(), 2u);
  EXPECT_EQ((*all)[0].digest, second.digest);
  EXPECT_EQ(book_.numbers()->at(first.digest), 1u);
}

TEST_F(ReleaseBookTest, FindsByNumberDigestAndBeginning) {
  const StoredRelease made = make("one");
  for (const std::string& name : {std::string("r1"), made.digest.hex(), made.digest.short_hex()}) {
    const auto found = book_.find(name);
    ASSERT_TRUE(found) << name << ": " << found.error().what;
    EXPECT_EQ(found->digest, made.digest);
    EXPECT_EQ(found->document, made.document);
  }
  EXPECT_EQ(book_.find("r2").error().code, Errc::not_found);
  EXPECT_EQ(book_.find("1").error().code, Errc::invalid);
  EXPECT_EQ(book_.find("abc").error().code, Errc::invalid);
  EXPECT_EQ(book_.find(std::string(64, '0')).error().code, Errc::not_found);
}

TEST_F(ReleaseBookTest, GivesANumberOnlyOnce) {
  Transaction one, two;
  ASSERT_TRUE(book_.prepare(content("a"), std::nullopt, kNow, one));
  ASSERT_TRUE(book_.prepare(content("b"), std::nullopt, kNow, two));
  ASSERT_TRUE(state_.commit(one));
  EXPECT_EQ(state_.commit(two).error().code, Errc::conflict);
}

TEST_F(ReleaseBookTest, RefusesContentThatDoesNotHoldTogether) {
  Release broken = content("x");
  broken.images.clear();
  Transaction transaction;
  const auto made = book_.prepare(broken, std::nullopt, kNow, transaction);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Errc::invalid);
  EXPECT_TRUE(transaction.writes.empty());
}

TEST_F(ReleaseBookTest, KnowsTheSameContent) {
  Release a = make("one").release, b = a;
  b.number = 9;
  b.comment = "other words";
  b.created = {};
  EXPECT_TRUE(same_content(a, b));
  b.menu.title = "another";
  EXPECT_FALSE(same_content(a, b));
}

TEST_F(ReleaseBookTest, DoesNotTrustADocumentThatChangedOnDisk) {
  const StoredRelease made = make("one"), other = make("two");
  ASSERT_TRUE(state_.put("release/" + made.digest.hex(),
                         std::string(as_text(encode_signed(other.document)))));
  EXPECT_TRUE(book_.changed().empty());
  CaptureStderr();
  EXPECT_EQ(book_.find("r1").error().code, Errc::corrupt);
  EXPECT_EQ(book_.find(made.digest).error().code, Errc::corrupt);
  const std::string log = GetCapturedStderr();
  const auto at = log.find("event=release.changed release=" + made.digest.short_hex());
  ASSERT_NE(at, std::string::npos) << log;
  EXPECT_EQ(log.find("event=release.changed", at + 1), std::string::npos) << "each once";
  EXPECT_EQ(book_.changed(), std::set<Digest>{made.digest});
}

}  // namespace
}  // namespace farboot
