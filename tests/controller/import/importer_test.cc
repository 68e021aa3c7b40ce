#include "controller/import/importer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <random>

#include "common/store/memory_store.h"
#include "controller/import/stored_file.h"
#include "small_tree.h"
#include "tests/support/temp_folder.h"

namespace farboot {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::EndsWith;
using ::testing::HasSubstr;

/// What an operator is told to do about a source that is not whole.
constexpr const char* kIsoWayOut =
    "; no image was stored: copy the ISO again and compare its SHA-256 with the one published for "
    "it";
constexpr const char* kTreeWayOut =
    "; no image was stored: copy the tree again, all of it from one version, or import the ISO";

/// Which file, and what to do.
auto tells(const std::string& place, const char* way_out = kTreeWayOut) {
  return AllOf(HasSubstr(place), EndsWith(way_out));
}

class ImporterTest : public ::testing::Test {
 protected:
  Result<Image> run(const std::string& source) {
    ImportRequest request;
    request.source = source;
    request.name = "image";
    request.sha256 = sha256_;
    return import_image(request, store_, {});
  }
  std::string folder_of(const TreeFiles& tree) {
    const std::string path = (temp_ / fmt::format("tree{}", ++made_)).string();
    write_folder(tree, path);
    return path;
  }
  std::string iso_of(const TreeFiles& tree) {
    const std::string path = (temp_ / fmt::format("tree{}.iso", ++made_)).string();
    write_iso(tree, path);
    return path;
  }
  Error refusal(const std::string& source) {
    auto image = run(source);
    if (image) return fail(Errc::internal, "accepted");
    return image.error();
  }
  Manifest manifest_of(const Result<Image>& image) {
    return *get_manifest(store_, image->manifest);
  }
  std::string content(const Manifest& manifest, const std::string& path) {
    const FileEntry* file = manifest.find(path);
    if (file == nullptr) return "absent";
    return std::string(as_text(*read_stored(store_, *file, 1u << 30)));
  }

  TempFolder temp_;
  MemoryStore store_;
  std::optional<Digest> sha256_;
  int made_ = 0;
};

TEST_F(ImporterTest, SaysWhyASourceCannotBeRead) {
  const Error absent = refusal((temp_ / "nothing").string());
  EXPECT_EQ(absent.code, Errc::not_found);
  EXPECT_THAT(absent.what, HasSubstr("no such file or directory on the controller"));
  std::filesystem::create_symlink("circle", temp_ / "circle");
  const Error circle = refusal((temp_ / "circle").string());
  EXPECT_EQ(circle.code, Errc::denied);
  EXPECT_THAT(circle.what, AllOf(HasSubstr("Too many levels of symbolic links"),
                                 HasSubstr("reads it as user ")));
}

TEST_F(ImporterTest, KeepsTheTextOfAFileThatHasASecondName) {
  TreeFiles tree = centos7_tree();
  tree[".treeinfo.old"] = "=> .treeinfo";
  const auto image = run(iso_of(tree));
  ASSERT_TRUE(image) << image.error().what;
  EXPECT_EQ(image->tag, "7.4") << "as .treeinfo says";
}

TEST_F(ImporterTest, TakesADirectoryByteForByte) {
  const TreeFiles tree = centos7_tree();
  auto image = run(folder_of(tree));
  ASSERT_TRUE(image) << image.error().what;
  const Manifest manifest = manifest_of(image);
  ASSERT_EQ(manifest.files.size(), tree.size());
  for (const auto& [path, bytes] : tree) {
    EXPECT_EQ(content(manifest, path), bytes) << path;
    EXPECT_EQ(manifest.find(path)->sha256.hex(), sha256_hex(bytes)) << path;
  }
  EXPECT_EQ(image->size_bytes, manifest.size_bytes());
}

TEST_F(ImporterTest, FindsOutWhatACentos7Is) {
  auto image = run(folder_of(centos7_tree()));
  ASSERT_TRUE(image) << image.error().what;
  EXPECT_EQ(image->name, "image");
  EXPECT_EQ(image->tag, "7.4");
  const ImageFacts expected = {.family = "redhat",
                               .distro = "CentOS",
                               .version = "7",
                               .arch = "x86_64",
                               .kernel = "images/pxeboot/vmlinuz",
                               .initrd = "images/pxeboot/initrd.img",
                               .stage2 = "LiveOS/squashfs.img",
                               .repo = ""};
  EXPECT_EQ(image->facts, expected);
}

TEST_F(ImporterTest, TakesAnIsoAndItsDirectoryAsTheSameTree) {
  const TreeFiles tree = centos7_tree();
  auto of_folder = run(folder_of(tree));
  auto of_iso = run(iso_of(tree));
  ASSERT_TRUE(of_folder) << of_folder.error().what;
  ASSERT_TRUE(of_iso) << of_iso.error().what;
  EXPECT_EQ(of_iso->manifest, of_folder->manifest);
}

TEST_F(ImporterTest, ChecksTheDigestOfTheIso) {
  const std::string iso = iso_of(centos7_tree());
  sha256_ = sha256(as_bytes(read_file(iso)));
  EXPECT_TRUE(run(iso));
  const std::string right = sha256_->hex();
  sha256_->bytes[0] ^= 1;
  const Error error = refusal(iso);
  EXPECT_EQ(error.code, Errc::mismatch);
  EXPECT_THAT(error.what, AllOf(HasSubstr(right), HasSubstr(sha256_->hex()), EndsWith(kIsoWayOut)));
  EXPECT_EQ(refusal(folder_of(centos7_tree())).code, Errc::invalid);  // of what file?
}

TEST_F(ImporterTest, RefusesATruncatedIso) {
  const std::string iso = iso_of(centos7_tree());
  const auto size = std::filesystem::file_size(iso);
  for (const std::uint64_t left : {size - 2048, size / 2, std::uintmax_t{40'000}}) {
    std::filesystem::resize_file(iso, left);
    const Error error = refusal(iso);
    EXPECT_EQ(error.code, Errc::mismatch);
    EXPECT_THAT(error.what, AllOf(HasSubstr("truncated"), EndsWith(kIsoWayOut))) << left;
  }
  std::filesystem::resize_file(iso, 10'000);
  EXPECT_THAT(refusal(iso).what, AllOf(HasSubstr("not an ISO 9660 image"), EndsWith(kIsoWayOut)));
}

TEST_F(ImporterTest, RefusesAnIsoWhoseDirectoriesAreDamaged) {
  const std::string iso = iso_of(centos7_tree());
  std::string bytes = read_file(iso);
  for (std::size_t sector = 16; bytes.compare(sector * 2048 + 1, 5, "CD001") == 0; ++sector)
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(sector * 2048 + 156), 34, '\xff');
  write_file(iso, bytes);
  EXPECT_THAT(refusal(iso).what, AllOf(HasSubstr("damaged or not an ISO"), EndsWith(kIsoWayOut)));
}

TEST_F(ImporterTest, RefusesACorruptedIsoNamingTheFile) {
  const TreeFiles tree = centos7_tree();
  for (const char* path : {"Packages/kernel-3.10-1.x86_64.rpm", "LiveOS/squashfs.img"}) {
    const std::string iso = iso_of(tree);
    std::string bytes = read_file(iso);
    const std::size_t at = bytes.find(tree.at(path).substr(50'000, 64));
    ASSERT_NE(at, std::string::npos);
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
    write_file(iso, bytes);
    const Error error = refusal(iso);
    EXPECT_EQ(error.code, Errc::mismatch);
    EXPECT_THAT(error.what,
                AllOf(HasSubstr(path), HasSubstr(sha256_hex(tree.at(path))), EndsWith(kIsoWayOut)));
  }
}

TEST_F(ImporterTest, SurvivesDamageAnywhereInAnIso) {
  const TreeFiles tree = el9_dvd_tree();
  const std::string iso = iso_of(tree);
  const std::string whole = read_file(iso);
  std::mt19937_64 random(20);  // fixed: a failure can be repeated
  for (int round = 0; round < 100; ++round) {
    std::string damaged = whole;
    // Descriptors and directories lie in front: hit them as often as all the rest.
    const std::size_t reach = round % 2 == 0 ? 64 * 1024 : damaged.size();
    for (int i = 0; i < 4; ++i)
      damaged[std::size_t{16} * 2048 * (round % 2 == 0) + random() % (reach / 2)] =
          static_cast<char>(random());
    write_file(iso, damaged);
    auto image = run(iso);
    if (!image) continue;
    // What was let through has every file that its metadata vouches for.
    const Manifest manifest = manifest_of(image);
    for (const char* path : {"images/pxeboot/vmlinuz", "images/install.img",
                             "BaseOS/Packages/b/bash-5.1-9.el9.x86_64.rpm"})
      EXPECT_EQ(content(manifest, path), tree.at(path)) << "round " << round;
  }
}

TEST_F(ImporterTest, RefusesATreeWithoutBootFilesSayingWhatItLookedFor) {
  const TreeFiles tree = {{"README", "hello"}, {"docs/a.txt", "x"}};
  for (const std::string& source : {folder_of(tree), iso_of(tree)}) {
    const Error error = refusal(source);
    EXPECT_EQ(error.code, Errc::invalid);
    EXPECT_THAT(error.what, AllOf(HasSubstr("no boot files"), HasSubstr(".treeinfo"),
                                  HasSubstr("images/pxeboot/vmlinuz"), HasSubstr("casper"),
                                  HasSubstr("import the disc that machines are installed from")));
  }
  EXPECT_EQ(store_.usage()->chunks, 0u);  // refused before the first byte
}

TEST_F(ImporterTest, RefusesATreeinfoThatNamesAKernelThatIsNotThere) {
  TreeFiles tree = centos7_tree();
  tree.erase("images/pxeboot/vmlinuz");
  EXPECT_THAT(refusal(folder_of(tree)).what,
              tells("the kernel 'images/pxeboot/vmlinuz', which is not in the tree"));
  EXPECT_THAT(refusal(iso_of(tree)).what, EndsWith(kIsoWayOut));
}

TEST_F(ImporterTest, RefusesAFileThatTreeinfoPromisesOtherwise) {
  TreeFiles tree = centos7_tree();
  const std::string promised = sha256_hex(tree["images/pxeboot/initrd.img"]);
  tree["images/pxeboot/initrd.img"][0] ^= 1;
  const Error error = refusal(folder_of(tree));
  EXPECT_EQ(error.code, Errc::mismatch);
  EXPECT_THAT(error.what, AllOf(HasSubstr("images/pxeboot/initrd.img: sha256"), HasSubstr(promised),
                                HasSubstr(sha256_hex(tree["images/pxeboot/initrd.img"])),
                                EndsWith(kTreeWayOut)));
}

TEST_F(ImporterTest, RefusesAPackageThatPrimaryPromisesOtherwise) {
  TreeFiles tree = centos7_tree();
  tree["Packages/bash-4.2-1.x86_64.rpm"][100] ^= 1;
  EXPECT_THAT(refusal(folder_of(tree)).what, tells("Packages/bash-4.2-1.x86_64.rpm: sha256"));
  tree["Packages/bash-4.2-1.x86_64.rpm"] += "longer";
  EXPECT_THAT(refusal(folder_of(tree)).what, tells("Packages/bash-4.2-1.x86_64.rpm: has 9010"));
}

TEST_F(ImporterTest, RefusesATreeThatLacksAPackage) {
  TreeFiles tree = centos7_tree();
  tree.erase("Packages/bash-4.2-1.x86_64.rpm");
  const Error error = refusal(folder_of(tree));
  EXPECT_EQ(error.code, Errc::mismatch);
  EXPECT_THAT(error.what, AllOf(HasSubstr("primary.xml.gz names Packages/bash-4.2-1.x86_64.rpm"),
                                HasSubstr("incomplete"), EndsWith(kTreeWayOut)));
}

TEST_F(ImporterTest, RefusesMetadataThatDoesNotMatchOrIsLacking) {
  TreeFiles tree = centos7_tree();
  for (auto& [path, bytes] : tree)
    if (path.ends_with("filelists.xml.gz")) bytes += "x";
  EXPECT_THAT(refusal(folder_of(tree)).what, tells("filelists.xml.gz"));
  tree = centos7_tree();
  std::erase_if(tree, [](const auto& each) { return each.first.ends_with("primary.xml.gz"); });
  EXPECT_THAT(refusal(folder_of(tree)).what, tells("primary.xml.gz, which is not in the tree"));
  tree = centos7_tree();
  tree["repodata/repomd.xml"] += " ";
  EXPECT_THAT(refusal(folder_of(tree)).what, tells("repodata/repomd.xml: sha256"));
  tree = debian_tree();
  tree["md5sum.txt"] += "cut  ./short\n";
  EXPECT_THAT(refusal(iso_of(tree)).what, tells("md5sum.txt: 'cut' is not", kIsoWayOut));
}

TEST_F(ImporterTest, FindsBothRepositoriesOfAnEl9Dvd) {
  auto image = run(iso_of(el9_dvd_tree()));
  ASSERT_TRUE(image) << image.error().what;
  EXPECT_EQ(image->tag, "9.4");
  EXPECT_EQ(image->facts.distro, "Rocky Linux");
  EXPECT_EQ(image->facts.stage2, "images/install.img");
  EXPECT_EQ(image->facts.repo, "");  // the installer is pointed at the root, where .treeinfo is
  TreeFiles tree = el9_dvd_tree();
  tree["AppStream/Packages/n/nginx-1.20-1.el9.x86_64.rpm"][0] ^= 1;
  EXPECT_THAT(refusal(folder_of(tree)).what, tells("AppStream/Packages/n/nginx"));
}

TEST_F(ImporterTest, ChecksTheSumsOfADebianTree) {
  auto image = run(iso_of(debian_tree()));
  ASSERT_TRUE(image) << image.error().what;
  EXPECT_EQ(image->tag, "12.4.0");
  EXPECT_EQ(image->facts.family, "debian");
  EXPECT_EQ(image->facts.arch, "x86_64");
  EXPECT_EQ(image->facts.kernel, "install.amd/vmlinuz");
  TreeFiles tree = debian_tree();
  tree["pool/main/b/bash/bash_5.2_amd64.deb"][7] ^= 1;
  EXPECT_THAT(refusal(folder_of(tree)).what,
              AllOf(HasSubstr("pool/main/b/bash/bash_5.2_amd64.deb: md5 is"),
                    HasSubstr("md5sum.txt promises"), EndsWith(kTreeWayOut)));
  tree.erase("pool/main/b/bash/bash_5.2_amd64.deb");
  tree.erase("firmware/bash.deb");
  EXPECT_THAT(refusal(folder_of(tree)).what, tells("md5sum.txt names pool/main/b/bash"));
}

TEST_F(ImporterTest, GivesLinksTheFilesTheyStandFor) {
  for (const bool as_iso : {false, true}) {
    auto image = run(as_iso ? iso_of(debian_tree()) : folder_of(debian_tree()));
    ASSERT_TRUE(image) << image.error().what;
    const Manifest manifest = manifest_of(image);
    const std::string deb = debian_tree()["pool/main/b/bash/bash_5.2_amd64.deb"];
    EXPECT_EQ(content(manifest, "firmware/bash.deb"), deb);
    EXPECT_EQ(content(manifest, "debian/pool/main/b/bash/bash_5.2_amd64.deb"), deb);
    EXPECT_EQ(manifest.find("debian/debian/md5sum.txt"), nullptr);
  }
}

TEST_F(ImporterTest, RefusesLinksThatLeaveTheTree) {
  TreeFiles tree = centos7_tree();
  tree["Packages/passwd"] = "-> ../../../../etc/passwd";
  const Error error = refusal(folder_of(tree));
  EXPECT_EQ(error.code, Errc::invalid);
  EXPECT_THAT(error.what, HasSubstr("link Packages/passwd: leaves the tree"));
}

TEST_F(ImporterTest, KeepsNamesThatAreNotAscii) {
  TreeFiles tree = centos7_tree();
  tree["docs/gr\xc3\xbc\xc3\x9f \xe2\x82\xac.txt"] = "hello";
  auto image = run(iso_of(tree));
  ASSERT_TRUE(image) << image.error().what;
  EXPECT_EQ(content(manifest_of(image), "docs/gr\xc3\xbc\xc3\x9f \xe2\x82\xac.txt"), "hello");
}

TEST_F(ImporterTest, RefusesNamesAndSourcesThatAreNone) {
  ImportRequest request{.source = folder_of(centos7_tree()), .name = "CentOS 7"};
  EXPECT_THAT(import_image(request, store_, {}).error().what, HasSubstr("'CentOS 7'"));
  request.name = "centos7";
  request.tag = "a/b";
  EXPECT_THAT(import_image(request, store_, {}).error().what, HasSubstr("'a/b'"));
  EXPECT_EQ(refusal((temp_ / "nothing").string()).code, Errc::not_found);
}

TEST_F(ImporterTest, AsksForATagWhenTheTreeHasNoVersion) {
  const std::string folder = folder_of({{"vmlinuz", "kernel"}, {"initrd.img", "initrd"}});
  EXPECT_THAT(refusal(folder).what, HasSubstr("--tag"));
  ImportRequest request{.source = folder, .name = "tool", .tag = "1"};
  auto image = import_image(request, store_, {});
  ASSERT_TRUE(image) << image.error().what;
  EXPECT_EQ(image->facts.family, "other");
}

TEST_F(ImporterTest, ShowsProgressThatEndsAtTheTotals) {
  ImportRequest request{.source = iso_of(centos7_tree()), .name = "centos7"};
  std::vector<ImportProgress> seen;
  auto image = import_image(request, store_, [&seen](const ImportProgress& progress) {
    seen.push_back(progress);
    return true;
  });
  ASSERT_TRUE(image);
  ImportProgress reading;
  for (const ImportProgress& each : seen)
    if (each.step == "reading") reading = each;
  EXPECT_EQ(reading.files_done, reading.files_total);
  EXPECT_EQ(reading.bytes_done, reading.bytes_total);
  EXPECT_EQ(reading.bytes_total, image->size_bytes);
  EXPECT_EQ(seen.back().step, "checking");
}

TEST_F(ImporterTest, EndsWhenTheWatcherSaysSoAndContinuesCheaply) {
  ImportRequest request{.source = folder_of(centos7_tree()), .name = "centos7"};
  auto cancelled = import_image(
      request, store_, [](const ImportProgress& progress) { return progress.step != "checking"; });
  ASSERT_FALSE(cancelled);
  EXPECT_EQ(cancelled.error().code, Errc::cancelled);
  const std::uint64_t held = store_.usage()->payload_bytes;
  EXPECT_GT(held, 2'500'000u);
  auto image = import_image(request, store_, {});
  ASSERT_TRUE(image);
  const std::uint64_t manifest = store_.usage()->payload_bytes - held;
  EXPECT_LT(manifest, 4'000u);  // nothing else was stored again
}

TEST_F(ImporterTest, RefusesATreeThatDoesNotFitBeforeTheFirstByte) {
  MemoryStore small(1'000'000);
  ImportRequest request{.source = iso_of(centos7_tree()), .name = "centos7"};
  auto image = import_image(request, small, {});
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().code, Errc::exhausted);
  EXPECT_THAT(image.error().what, AllOf(HasSubstr("(1000000 bytes) more"), HasSubstr("2.5 MiB"),
                                        HasSubstr("remove images")));
  EXPECT_EQ(small.usage()->chunks, 0u);
}

TEST_F(ImporterTest, CountsWhatIsHeldWhenSpaceIsScarce) {
  MemoryStore tight(3'000'000);
  ImportRequest request{.source = iso_of(centos7_tree()), .name = "centos7"};
  ASSERT_TRUE(import_image(request, tight, {}));
  EXPECT_LT(tight.usage()->free_bytes, 1'000'000u);
  EXPECT_TRUE(import_image(request, tight, {}));  // all of it is held: it fits
}

}  // namespace
}  // namespace farboot
