#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "common/store/memory_store.h"
#include "controller/import/http_fetch.h"
#include "controller/import/importer.h"
#include "controller/import/stored_file.h"
#include "mirror_server.h"
#include "tests/support/temp_folder.h"

namespace farboot {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;

constexpr const char* kWayOut =
    "; no image was stored: fetch it again, now or later: the mirror may be in the middle of an "
    "update";

constexpr const char* kBig = "Packages/kernel-3.10-1.x86_64.rpm";
constexpr const char* kSmall = "Packages/bash-4.2-1.x86_64.rpm";

class MirrorTest : public ::testing::Test {
 protected:
  Result<Image> run(const std::string& url) { return run_into(store_, url); }
  Result<Image> run_into(ContentStore& store, const std::string& url) {
    ImportRequest request;
    request.source = url;
    request.name = "image";
    request.journal = journal_;
    return import_image(request, store, {});
  }
  /// Every file of the tree but those nobody names, byte for byte.
  void expect_tree(const Result<Image>& image, const TreeFiles& tree,
                   const std::vector<std::string>& unnamed = {}) {
    ASSERT_TRUE(image) << image.error().what;
    auto manifest = get_manifest(store_, image->manifest);
    ASSERT_TRUE(manifest);
    EXPECT_EQ(manifest->files.size(), tree.size() - unnamed.size());
    for (const auto& [path, bytes] : tree) {
      if (std::find(unnamed.begin(), unnamed.end(), path) != unnamed.end()) continue;
      const FileEntry* file = manifest->find(path);
      ASSERT_NE(file, nullptr) << path;
      EXPECT_EQ(file->sha256.hex(), sha256_hex(bytes)) << path;
      EXPECT_EQ(as_text(*read_stored(store_, *file, 1u << 30)), bytes) << path;
    }
  }

  MemoryStore store_;
  std::string journal_;
};

TEST_F(MirrorTest, IsReadWholeByWhatItsMetadataNames) {
  TreeFiles tree = centos7_tree();
  const MirrorServer server(tree);
  auto image = run(server.url() + "/");
  expect_tree(image, tree);
  EXPECT_EQ(image->tag, "7.4");
  EXPECT_EQ(image->facts.kernel, "images/pxeboot/vmlinuz");
  for (const auto& request : server.requests())
    EXPECT_FALSE(request.path.ends_with("boot.iso")) << "repeats what is there already";
}

TEST_F(MirrorTest, MayBeAFileUrl) {
  const TempFolder temp;
  const TreeFiles tree = centos7_tree();
  write_folder(tree, temp.path().string());
  expect_tree(run("file://" + temp.path().string()), tree);
  EXPECT_EQ(run("file://" + (temp / "nothing").string()).error().code, Errc::invalid);
}

TEST_F(MirrorTest, RisesToWhatItsVariantsShare) {
  const TreeFiles tree = el9_mirror();
  const MirrorServer server(tree);
  auto image = run(server.url() + "/9/BaseOS/x86_64/os/");
  ASSERT_TRUE(image) << image.error().what;
  TreeFiles below;
  for (const auto& [path, bytes] : tree) below[path.substr(2)] = bytes;
  expect_tree(image, below);
  EXPECT_EQ(image->facts.repo, "BaseOS/x86_64/os");
  EXPECT_EQ(image->facts.kernel, "BaseOS/x86_64/os/images/pxeboot/vmlinuz");
  EXPECT_EQ(image->facts.version, "9.4");
}

TEST_F(MirrorTest, ResumesAFileThatBreaksOff) {
  const TreeFiles tree = centos7_tree();
  MirrorServer server(tree);
  server.fault(kBig, {.times = 2, .cut_after = 700'000});
  expect_tree(run(server.url()), tree);
  std::vector<std::uint64_t> offsets;
  for (const auto& request : server.requests())
    if (request.method == "GET" && request.path == kBig) offsets.push_back(request.offset);
  EXPECT_EQ(offsets, (std::vector<std::uint64_t>{0, 700'000, 1'400'000}));
}

TEST_F(MirrorTest, BeginsAFileAgainWhenTheServerKnowsNoRanges) {
  const TreeFiles tree = centos7_tree();
  MirrorServer server(tree);
  server.ignore_ranges();
  server.fault(kBig, {.times = 1, .cut_after = 1'500'000});
  expect_tree(run(server.url()), tree);
}

TEST_F(MirrorTest, BeginsAFileAgainWhenItBecameAnotherOne) {
  const TreeFiles tree = centos7_tree();
  TreeFiles before = tree;
  for (char& letter : before[kBig]) letter = static_cast<char>(letter ^ 1);
  MirrorServer server(before);
  server.fault(kBig, {.times = 1, .cut_after = 700'000, .then = tree.at(kBig)});
  expect_tree(run(server.url()), tree);
}

TEST_F(MirrorTest, MayKnowNoHead) {
  const TreeFiles tree = centos7_tree();
  MirrorServer server(tree);
  server.answer_heads(405);
  expect_tree(run(server.url()), tree);
}

TEST_F(MirrorTest, MayDenyWhatItDoesNotHave) {
  const TreeFiles tree = centos7_tree();
  MirrorServer server(tree);
  server.answer_absent(403);
  expect_tree(run(server.url()), tree);
}

TEST_F(MirrorTest, AsksAgainWhenTheServerIsBusyButNotForEver) {
  const TreeFiles tree = centos7_tree();
  MirrorServer server(tree);
  server.fault(kSmall, {.times = 2, .status = 503});
  expect_tree(run(server.url()), tree);
  server.fault(kBig, {.times = 1000, .status = 503});
  MemoryStore empty;
  const ImportRequest request{.source = server.url(), .name = "image"};
  auto image = import_image(request, empty, {});
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().code, Errc::unavailable);
  EXPECT_THAT(image.error().what, AllOf(HasSubstr(kBig), HasSubstr("HTTP 503")));
}

TEST_F(MirrorTest, ThatLacksAPackageIsRefusedByName) {
  TreeFiles tree = centos7_tree();
  tree.erase(kSmall);
  const MirrorServer server(tree);
  auto image = run(server.url());
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().code, Errc::mismatch);
  EXPECT_THAT(image.error().what, AllOf(HasSubstr(kSmall), EndsWith(kWayOut)));
}

TEST_F(MirrorTest, ThatIsBetweenTwoVersionsIsRefusedByName) {
  for (const char* gone : {"images/pxeboot/vmlinuz", "primary.xml.gz", "filelists.xml.gz"}) {
    TreeFiles tree = centos7_tree();
    std::erase_if(tree, [&](const auto& each) { return each.first.ends_with(gone); });
    const MirrorServer server(tree);
    auto image = run(server.url());
    ASSERT_FALSE(image) << gone;
    EXPECT_EQ(image.error().code, Errc::mismatch);
    EXPECT_THAT(image.error().what, AllOf(HasSubstr(gone), EndsWith(kWayOut)));
  }
}

TEST_F(MirrorTest, ThatHasAnotherPackageIsRefusedWithBothDigests) {
  TreeFiles tree = centos7_tree();
  const std::string promised = sha256_hex(tree[kBig]);
  tree[kBig][12] ^= 1;
  const MirrorServer server(tree);
  auto image = run(server.url());
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().code, Errc::mismatch);
  EXPECT_THAT(image.error().what, AllOf(HasSubstr(kBig), HasSubstr(promised),
                                        HasSubstr(sha256_hex(tree[kBig])), EndsWith(kWayOut)));
}

TEST_F(MirrorTest, WithoutTreeinfoIsNoTree) {
  const MirrorServer server(TreeFiles{{"index.html", "hello"}});
  auto image = run(server.url());
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().code, Errc::invalid);
  EXPECT_THAT(image.error().what, HasSubstr("looked for .treeinfo and treeinfo"));
}

TEST_F(MirrorTest, IsNotFetchedTwiceWhenTheImportWasCutOff) {
  const TempFolder temp;
  journal_ = (temp / "journal").string();
  const TreeFiles tree = centos7_tree();
  MirrorServer server(tree);
  const std::string last = "Packages/libstdc++-4.8-1.x86_64.rpm";
  server.fault(last, {.times = 1, .status = 403});
  auto cut_off = run(server.url());
  ASSERT_FALSE(cut_off);
  EXPECT_EQ(cut_off.error().code, Errc::denied);
  ASSERT_EQ(server.gets_of(kBig), 1u);
  expect_tree(run(server.url()), tree);
  EXPECT_EQ(server.gets_of(kBig), 1u);
  EXPECT_EQ(server.gets_of(kSmall), 1u);
  EXPECT_EQ(server.gets_of(last), 2u);
  EXPECT_TRUE(std::filesystem::exists(journal_)) << "until who asked has recorded the image";
}

TEST_F(MirrorTest, ThatDoesNotFitIsRefusedBeforeItsPackagesAreFetched) {
  const MirrorServer server(centos7_tree());
  MemoryStore small(1'000'000);
  auto image = run_into(small, server.url());
  EXPECT_EQ(image.error().code, Errc::exhausted);
  EXPECT_THAT(image.error().what, HasSubstr("(1000000 bytes) more"));
  EXPECT_EQ(server.gets_of(kBig) + server.gets_of(kSmall), 0u);
  EXPECT_EQ(small.usage()->chunks, 0u);
}

TEST_F(MirrorTest, FitsIfWhatIsMissingDoes) {
  const TempFolder temp;
  journal_ = (temp / "journal").string();
  MirrorServer server(centos7_tree());
  server.fault("Packages/libstdc++-4.8-1.x86_64.rpm", {.times = 1, .status = 403});
  MemoryStore tight(3'000'000);
  ASSERT_FALSE(run_into(tight, server.url()));
  ASSERT_LT(tight.usage()->free_bytes, 1'500'000u) << "less than the tree takes";
  auto image = run_into(tight, server.url());
  EXPECT_TRUE(image) << image.error().what;
  EXPECT_EQ(server.gets_of(kBig), 1u);
}

TEST_F(MirrorTest, BelievesItsJournalOnlyWhereTheStoreHoldsTheChunks) {
  const TempFolder temp;
  journal_ = (temp / "journal").string();
  const TreeFiles tree = centos7_tree();
  MirrorServer server(tree);
  server.fault("Packages/libstdc++-4.8-1.x86_64.rpm", {.times = 1, .status = 403});
  ASSERT_FALSE(run(server.url()));
  write_file(journal_, read_file(journal_) + "\ntorn line 12");
  ASSERT_TRUE(store_.sweep([](const Digest&) { return false; }));
  expect_tree(run(server.url()), tree);
  EXPECT_EQ(server.gets_of(kBig), 2u);
}

TEST_F(MirrorTest, RefusesAddressesThatAreNoTree) {
  EXPECT_THAT(run("http://127.0.0.1:1/x?y=1").error().what, HasSubstr("query"));
  EXPECT_THAT(run("http://127.0.0.1:1/x.iso").error().what, HasSubstr("fetch the ISO first"));
  EXPECT_EQ(run("http://user:secret@127.0.0.1:1/x").error().what.find("secret"), std::string::npos);
}

TEST(Url, OverTlsIsNeverRedirectedToPlainText) {
  EXPECT_STREQ(redirects_of("https://mirror/os"), "https");
  EXPECT_STREQ(redirects_of("http://mirror/os"), "http,https");
}

TEST(Url, EscapesPathsAndHidesPasswords) {
  EXPECT_EQ(url_of("http://m/7/os", "Packages/libstdc++ 1#2%.rpm"),
            "http://m/7/os/Packages/libstdc++%201%232%25.rpm");
  EXPECT_EQ(shown_url("http://user:secret@m/os@x"), "http://m/os@x");
  EXPECT_EQ(shown_url("/srv/tree"), "/srv/tree");
}

}  // namespace
}  // namespace farboot
