// The ISO as a file of its own tree, and what it costs.
#include "controller/import/whole_iso.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <random>

#include "agent/boot/arguments.h"
#include "common/store/memory_store.h"
#include "controller/import/importer.h"
#include "controller/import/stored_file.h"
#include "small_tree.h"
#include "tests/support/temp_folder.h"

namespace farboot {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class WholeIsoTest : public ::testing::Test {
 protected:
  std::string iso_of(const TreeFiles& tree) {
    const std::string path = (temp_ / "own name.iso").string();
    write_iso(tree, path);
    return path;
  }
  Result<Image> run(const std::string& source, const std::string& tag = "") {
    return import_image({.source = source, .name = "ubuntu", .tag = tag}, store_, {});
  }
  std::string content(const FileEntry& file) {
    return std::string(as_text(*read_stored(store_, file, 1u << 30)));
  }

  TempFolder temp_;
  MemoryStore store_;
};

TEST_F(WholeIsoTest, AnUbuntuIsoIsAFileOfItsTree) {
  const std::string iso = iso_of(ubuntu_tree());
  const auto image = run(iso);
  ASSERT_TRUE(image) << image.error().what;
  EXPECT_EQ(image->facts.family, "ubuntu");
  EXPECT_EQ(image->facts.stage2, "ubuntu.iso");
  EXPECT_EQ(image->tag, "22.04.3");
  const auto manifest = get_manifest(store_, image->manifest);
  ASSERT_TRUE(manifest);
  const FileEntry* file = manifest->find("ubuntu.iso");
  ASSERT_NE(file, nullptr);
  const std::string bytes = read_file(iso);
  EXPECT_EQ(file->size_bytes, bytes.size());
  EXPECT_EQ(file->sha256.hex(), sha256_hex(bytes));
  EXPECT_TRUE(content(*file) == bytes) << "byte for byte";
  EXPECT_EQ(image->size_bytes, manifest->size_bytes() - file->size_bytes);
  EXPECT_EQ(manifest->find("ubuntu/ubuntu.iso"), nullptr) << "the link `ubuntu -> .` has the files";
}

TEST_F(WholeIsoTest, CostsAtMostOneInAHundred) {
  TreeFiles tree = ubuntu_tree();
  tree["pool/main/l/linux/linux_5.15_amd64.deb"] = "!<arch>\n" + noise(9'000'000, 27);
  const std::string iso = iso_of(tree);
  std::uint64_t files_bytes = 0;
  for (const auto& [path, bytes] : tree)
    if (!bytes.starts_with("-> ")) files_bytes += bytes.size();
  const auto image = run(iso);
  ASSERT_TRUE(image) << image.error().what;
  const std::uint64_t held = store_.usage()->payload_bytes;
  ASSERT_GT(held, files_bytes);
  EXPECT_LE((held - files_bytes) * 100, std::filesystem::file_size(iso))
      << held - files_bytes << " bytes beside the files, the manifest among them";
}

TEST_F(WholeIsoTest, ItsKernelIsToldWhereItIs) {
  const auto image = run(iso_of(ubuntu_tree()));
  ASSERT_TRUE(image) << image.error().what;
  ArgumentFacts facts;
  facts.tree_url = "http://192.0.2.9/t/abc";
  facts.kickstart_url = "http://192.0.2.9/ks/token";
  facts.mac = "52:54:00:aa:bb:cc";
  EXPECT_THAT(family_arguments(*image, "inst", facts, ""),
              AllOf(HasSubstr("url=http://192.0.2.9/t/abc/ubuntu.iso"), HasSubstr("autoinstall"),
                    HasSubstr("ds=nocloud;s=http://192.0.2.9/ks/token/")));
}

TEST_F(WholeIsoTest, TheNameOfTheFileIsNoPartOfTheTree) {
  const std::string iso = iso_of(ubuntu_tree());
  const auto first = run(iso);
  std::filesystem::rename(iso, temp_ / "copy.iso");
  const auto second = run((temp_ / "copy.iso").string());
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->manifest, second->manifest);
}

TEST_F(WholeIsoTest, ATreeWithoutItsIsoIsRefusedWithTheWayOut) {
  write_folder(ubuntu_tree(), (temp_ / "tree").string());
  const auto image = run((temp_ / "tree").string());
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().code, Errc::invalid);
  EXPECT_THAT(image.error().what,
              AllOf(HasSubstr("Ubuntu-Server"), HasSubstr("import the ISO itself")));
  EXPECT_EQ(store_.usage()->chunks, 0u) << "before the first byte";
}

TEST_F(WholeIsoTest, OneThatDoesNotSayUbuntuStartsTheSameWay) {
  TreeFiles tree = ubuntu_tree();
  tree.erase("md5sum.txt");
  tree[".disk/info"] = "Linux Mint 21.2 \"Victoria\" - Release amd64 20230711";
  const auto image = run(iso_of(tree));
  ASSERT_TRUE(image) << image.error().what;
  EXPECT_EQ(image->facts.family, "ubuntu");
  EXPECT_EQ(image->facts.distro, "Linux Mint");
  EXPECT_EQ(image->facts.stage2, "ubuntu.iso");
}

TEST_F(WholeIsoTest, OthersDoWithoutIt) {
  const auto image = run(iso_of(debian_tree()));
  ASSERT_TRUE(image) << image.error().what;
  EXPECT_EQ(get_manifest(store_, image->manifest)->find("ubuntu.iso"), nullptr);
}

/// Files that are not where the directories say, as in an image somebody patched: more is stored,
/// and every byte is still right.
TEST_F(WholeIsoTest, AnImageWhoseFilesLieElsewhereIsKeptAllTheSame) {
  const std::string path = iso_of(ubuntu_tree());
  std::string bytes = read_file(path);
  const ReadAt read = reader_of(bytes);
  FileEntry stranger;  // of a size that one of its files has, with another content
  stranger.path = "stranger";
  stranger.size_bytes = 700'000;
  stranger.sha256 = sha256(as_bytes("another"));
  stranger.chunks = {{stranger.sha256, 700'000}};
  const ImportWatcher nobody;
  Meter meter(nobody);
  const auto entry = keep_whole_iso({read, bytes.size(), "x.iso"}, {stranger}, store_, meter);
  ASSERT_TRUE(entry) << entry.error().what;
  EXPECT_EQ(entry->sha256.hex(), sha256_hex(bytes));
  EXPECT_TRUE(content(*entry) == bytes);
}

TEST_F(WholeIsoTest, AnImageThatBecameShorterIsRefused) {
  const std::string bytes = read_file(iso_of(ubuntu_tree()));
  const ReadAt read = reader_of(bytes);
  const ImportWatcher nobody;
  Meter meter(nobody);
  const auto entry = keep_whole_iso({read, bytes.size() + 1, "x.iso"}, {}, store_, meter);
  ASSERT_FALSE(entry);
  EXPECT_EQ(entry.error().code, Errc::mismatch);
}

TEST(IsoExtents, AreThePlacesOfTheFiles) {
  const TempFolder temp;
  const TreeFiles tree = ubuntu_tree();
  write_iso(tree, (temp / "x.iso").string());
  const std::string bytes = read_file((temp / "x.iso").string());
  const auto extents = iso_extents(reader_of(bytes), bytes.size());
  ASSERT_TRUE(extents) << extents.error().what;
  for (const auto& [path, content] : tree) {
    if (content.empty() || content.starts_with("-> ")) continue;
    const auto found = std::find_if(extents->begin(), extents->end(), [&](const IsoExtent& each) {
      return each.size_bytes == content.size() &&
             bytes.compare(each.offset_bytes, each.size_bytes, content) == 0;
    });
    EXPECT_NE(found, extents->end()) << path;
  }
}

void expect_sane(const std::string& bytes) {
  const auto extents = iso_extents(reader_of(bytes), bytes.size());
  ASSERT_TRUE(extents);
  std::uint64_t end = 0;
  for (const IsoExtent& each : *extents) {
    EXPECT_GT(each.size_bytes, 0u);
    EXPECT_GE(each.offset_bytes, end);
    end = each.offset_bytes + each.size_bytes;
  }
  EXPECT_LE(end, bytes.size());
}

TEST(IsoExtents, StandTruncationAndDamage) {
  const TempFolder temp;
  write_iso(debian_tree(), (temp / "x.iso").string());
  const std::string whole = read_file((temp / "x.iso").string());
  for (std::size_t size = 0; size < whole.size(); size += 1021) expect_sane(whole.substr(0, size));
  std::mt19937_64 random(7);  // fixed: a failure can be repeated
  for (int round = 0; round < 300; ++round) {
    std::string damaged = whole;
    for (int i = 0; i < 8; ++i)
      damaged[std::size_t{16} * 2048 + random() % (48 * 1024)] = static_cast<char>(random());
    expect_sane(damaged);
  }
}

TEST(IsoExtents, EndWithDirectoriesInCircles) {
  std::string bytes(std::size_t{40} * 2048, '\0');
  const auto record = [&](std::size_t at, unsigned sector, unsigned size, unsigned flags) {
    bytes[at] = 34;
    bytes[at + 2] = static_cast<char>(sector);
    bytes[at + 10] = static_cast<char>(size & 0xff);
    bytes[at + 11] = static_cast<char>(size >> 8);
    bytes[at + 25] = static_cast<char>(flags);
    bytes[at + 32] = 1;
    bytes[at + 33] = 'X';
  };
  bytes[16 * 2048] = 1;
  bytes.replace(16 * 2048 + 1, 5, "CD001");
  record(16 * 2048 + 156, 20, 2048, 2);
  record(20 * 2048, 21, 2048, 2);        // a directory
  record(20 * 2048 + 34, 30, 100, 0);    // a file
  record(21 * 2048, 20, 2048, 2);        // back to the first
  record(21 * 2048 + 34, 31, 50, 0x80);  // a file of two pieces
  record(21 * 2048 + 68, 31, 50, 0);
  const auto extents = iso_extents(reader_of(bytes), bytes.size());
  ASSERT_TRUE(extents);
  EXPECT_EQ(*extents, (std::vector<IsoExtent>{{30 * 2048, 100}, {31 * 2048, 50}}));
}

}  // namespace
}  // namespace farboot
