// Windows' discs: UDF images made by genisoimage, whole, cut and damaged.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <random>

#include "common/store/memory_store.h"
#include "controller/import/importer.h"
#include "controller/import/stored_file.h"
#include "controller/import/udf_volume.h"
#include "small_tree.h"
#include "tests/support/temp_folder.h"

namespace farboot {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;

const UdfHalf kReadmeOnly{{"sources", "boot", "efi", "EFI", "Sources", "BOOT"}};

class UdfTest : public ::testing::Test {
 protected:
  Result<Image> run(const std::string& source) {
    return import_image({.source = source, .name = "windows", .tag = "11", .sha256 = sha256_},
                        store_, {});
  }
  std::string udf_of(const TreeFiles& tree, const UdfHalf& half = kReadmeOnly) {
    const std::string path = (temp_ / fmt::format("win{}.iso", ++made_)).string();
    write_udf(tree, path, half);
    return path;
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

TEST_F(UdfTest, AWindowsDiscIsImportedByteForByte) {
  const TreeFiles tree = windows_tree();
  const auto image = run(udf_of(tree));
  ASSERT_TRUE(image) << image.error().what;
  EXPECT_EQ(image->facts.family, "windows");
  EXPECT_EQ(image->facts.arch, "x86_64");
  const auto manifest = get_manifest(store_, image->manifest);
  ASSERT_TRUE(manifest);
  EXPECT_EQ(manifest->files.size(), tree.size());
  for (const auto& [path, bytes] : tree) EXPECT_TRUE(content(*manifest, path) == bytes) << path;
}

TEST_F(UdfTest, AnImageAndTheDirectoryItWasMadeOfAreTheSameTree) {
  const std::string iso = udf_of(windows_tree());
  const auto of_iso = run(iso);
  const auto of_folder = run(iso + ".tree");
  ASSERT_TRUE(of_iso) << of_iso.error().what;
  ASSERT_TRUE(of_folder) << of_folder.error().what;
  EXPECT_EQ(of_iso->manifest, of_folder->manifest);
}

TEST_F(UdfTest, BootFilesAreFoundHoweverTheyAreSpelt) {
  TreeFiles tree = windows_tree();
  tree["SOURCES/Boot.WIM"] = tree["sources/boot.wim"];
  tree["EFI/Boot/BOOTAA64.EFI"] = "arm";
  for (const char* gone : {"sources/boot.wim", "efi/boot/bootx64.efi"}) tree.erase(gone);
  const auto image = run(udf_of(tree, {{"sources", "SOURCES", "boot", "EFI"}}));
  ASSERT_TRUE(image) << image.error().what;
  EXPECT_EQ(image->facts.family, "windows");
  EXPECT_EQ(image->facts.arch, "aarch64");
}

TEST_F(UdfTest, OfAWindowsDiscTheUdfHalfCounts) {
  const auto image = run(udf_of(windows_tree(), {}));  // the other half has it all, in capitals
  ASSERT_TRUE(image) << image.error().what;
  const auto manifest = get_manifest(store_, image->manifest);
  EXPECT_NE(manifest->find("sources/boot.wim"), nullptr);
}

TEST_F(UdfTest, AnotherSystemsDiscIsReadAsIso9660) {
  // Its UDF half has no modes and no links; here it has the same names in small letters.
  TreeFiles tree;
  tree["VMLINUZ"] = "kernel";
  tree["INITRD.IMG"] = "initrd";
  const auto udf = run(udf_of(tree));
  EXPECT_FALSE(udf) << "neither half has names that we know";
  tree = {{"vmlinuz", "kernel"}, {"initrd.img", "initrd"}, {"only_here", "ISO 9660"}};
  const std::string path =
      udf_of(tree, {.hidden = {}, .hidden_in_udf = {"only_here"}, .rock_ridge = true});
  const auto image = run(path);
  ASSERT_TRUE(image) << image.error().what;
  EXPECT_EQ(image->facts.kernel, "vmlinuz");
  EXPECT_EQ(content(*get_manifest(store_, image->manifest), "only_here"), "ISO 9660");
}

TEST_F(UdfTest, TheDigestOfTheImageIsChecked) {
  const std::string iso = udf_of(windows_tree());
  sha256_ = sha256(as_bytes(read_file(iso)));
  EXPECT_TRUE(run(iso));
  sha256_->bytes[0] ^= 1;
  const auto image = run(iso);
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().code, Errc::mismatch);
  EXPECT_THAT(image.error().what, HasSubstr("was asked for"));
}

TEST_F(UdfTest, ATruncatedImageIsRefused) {
  const std::string iso = udf_of(windows_tree());
  const auto size = std::filesystem::file_size(iso);
  for (const std::uintmax_t left : {size * 9 / 10, size / 2, std::uintmax_t{560'000}}) {
    std::filesystem::resize_file(iso, left);
    const auto image = run(iso);
    ASSERT_FALSE(image) << left;
    EXPECT_EQ(image.error().code, Errc::mismatch) << image.error().what;
    EXPECT_THAT(image.error().what, EndsWith("compare its SHA-256 with the one published for it"));
  }
  EXPECT_THAT(run(iso).error().what, AnyOf(HasSubstr("truncated"), HasSubstr("damaged")));
}

TEST_F(UdfTest, AnImageWithoutItsUdfHalfIsRefusedWithTheWayOut) {
  const std::string iso = udf_of(windows_tree());
  std::string bytes = read_file(iso);
  bytes[18 * 2048 + 1] = 'X';  // BEA01
  write_file(iso, bytes);
  EXPECT_THAT(run(iso).error().what, HasSubstr("without its UDF half"));
}

/// What the volume gives, whatever its bytes: an error, or files within bounds. How many bytes.
std::uint64_t walk(const std::string& bytes) {
  const ReadAt read = reader_of(bytes);
  auto volume = UdfVolume::open(read, bytes.size());
  if (!volume) return 0;
  const auto files = (*volume)->files([] { return Result<void>(); });
  if (!files) return 0;
  std::uint64_t total = 0;
  for (const UdfFile& file : *files) {
    EXPECT_TRUE(is_tree_path(file.path));
    EXPECT_LE(file.size_bytes, bytes.size());
    const auto ok = (*volume)->read(file, [&total](ByteView part) -> Result<void> {
      total += part.size();
      return {};
    });
    if (!ok) return total;
  }
  return total;
}

/// A disc of 20 kB of files: descriptors are most of it.
std::string small_volume(const TempFolder& temp) {
  TreeFiles tree = windows_tree();
  tree["sources/boot.wim"] = "MSWIM";
  tree["boot/bcd"] = tree["boot/boot.sdi"] = "x";
  const std::string path = (temp / "small.iso").string();
  write_udf(tree, path, kReadmeOnly);
  return read_file(path);
}

TEST(UdfVolume, StandsEveryTruncation) {
  const TempFolder temp;
  const std::string whole = small_volume(temp);
  const std::uint64_t all = walk(whole);
  EXPECT_GT(all, 9'000u);
  for (std::size_t size = 0; size < whole.size(); size += 2048)
    EXPECT_LE(walk(whole.substr(0, size)), all);
}

TEST(UdfVolume, StandsDamage) {
  const TempFolder temp;
  const std::string whole = small_volume(temp);
  std::vector<std::size_t> used;  // bytes that are not zero: the descriptors, mostly
  for (std::size_t at = 16 * 2048; at < whole.size(); ++at)
    if (whole[at] != 0) used.push_back(at);
  std::mt19937_64 random(23);  // fixed: a failure can be repeated
  for (int round = 0; round < 400; ++round) {
    std::string damaged = whole;
    for (int i = 0; i < 6; ++i) damaged[used[random() % used.size()]] = static_cast<char>(random());
    walk(damaged);
  }
}

/// The place of the file entry (ECMA 167 4/14.9, tag 261) that is a directory's, the n-th.
std::size_t folder_entry(const std::string& bytes, int wanted) {
  for (std::size_t at = 257 * 2048; at + 2048 <= bytes.size(); at += 2048)
    if (static_cast<unsigned char>(bytes[at]) == 0x05 && bytes[at + 1] == 0x01 &&
        bytes[at + 27] == 4 && wanted-- == 0)
      return at;
  return 0;
}

TEST(UdfVolume, FoldersInACircleEnd) {
  const TempFolder temp;
  std::string bytes = small_volume(temp);
  const std::size_t root = folder_entry(bytes, 0), inner = folder_entry(bytes, 1);
  ASSERT_NE(root, 0u);
  ASSERT_NE(inner, 0u);
  // The inner folder's content becomes the root's: its length and its extents, as theirs are.
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(root) + 56, 8,
              bytes.begin() + static_cast<std::ptrdiff_t>(inner) + 56);
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(root) + 176, 64,
              bytes.begin() + static_cast<std::ptrdiff_t>(inner) + 176);
  const ReadAt read = reader_of(bytes);
  auto volume = UdfVolume::open(read, bytes.size());
  ASSERT_TRUE(volume) << volume.error().what;
  const auto files = (*volume)->files([] { return Result<void>(); });
  ASSERT_FALSE(files);
  EXPECT_THAT(files.error().code, AnyOf(Errc::exhausted, Errc::mismatch));
}

TEST(UdfVolume, AFileLongerThanTheImageIsRefused) {
  const TempFolder temp;
  std::string bytes = small_volume(temp);
  bool changed = false;
  for (std::size_t at = 257 * 2048; at + 2048 <= bytes.size(); at += 2048) {
    const bool is_file = static_cast<unsigned char>(bytes[at]) == 0x05 && bytes[at + 1] == 0x01 &&
                         bytes[at + 27] == 5;
    if (!is_file) continue;
    bytes[at + 56 + 5] = 1;  // a TiB more
    changed = true;
  }
  ASSERT_TRUE(changed);
  const ReadAt read = reader_of(bytes);
  auto volume = UdfVolume::open(read, bytes.size());
  ASSERT_TRUE(volume) << volume.error().what;
  const auto files = (*volume)->files([] { return Result<void>(); });
  ASSERT_FALSE(files);
  EXPECT_THAT(files.error().what, HasSubstr("truncated"));
}

void put_number(std::string& bytes, std::size_t at, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) bytes[at + i] = static_cast<char>(value >> (8 * i));
}

/// The library follows a file's allocation extents (ECMA 167 4/14.5, tag 258) for ever.
TEST(UdfVolume, AllocationExtentsInACircleEnd) {
  const TempFolder temp;
  std::string bytes = small_volume(temp);
  const std::size_t extent = bytes.find("MSWIM");  // boot.wim's block: becomes the extent
  ASSERT_NE(extent, std::string::npos);
  ASSERT_EQ(extent % 2048, 0u);
  constexpr std::uint32_t kPartitionAt = 257;  // where genisoimage begins it
  constexpr std::uint32_t kMoreExtents = 0xC0000000;
  const auto block = static_cast<std::uint32_t>(extent / 2048) - kPartitionAt;
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(extent), 2048, '\0');
  bytes.replace(extent, 4, std::string("\x02\x01\x02\0", 4));
  bytes[extent + 4] = 5;  // the tag's checksum: its bytes, added
  put_number(bytes, extent + 20, 8);
  put_number(bytes, extent + 24, kMoreExtents | 2048);
  put_number(bytes, extent + 28, block);
  for (std::size_t at = 257 * 2048; at + 2048 <= bytes.size(); at += 2048) {
    if (static_cast<unsigned char>(bytes[at]) != 0x05 || bytes[at + 1] != 1 || bytes[at + 27] != 5)
      continue;
    put_number(bytes, at + 172, 8);
    put_number(bytes, at + 176, kMoreExtents | 2048);
    put_number(bytes, at + 180, block);
  }
  const ReadAt read = reader_of(bytes);
  auto volume = UdfVolume::open(read, bytes.size());
  ASSERT_TRUE(volume) << volume.error().what;
  const auto files = (*volume)->files([] { return Result<void>(); });
  ASSERT_FALSE(files) << "the library alone would give files of zeros";
  EXPECT_THAT(files.error().what, HasSubstr("do not end"));
}

TEST(UdfVolume, IsAnnouncedByBea01AndNsr) {
  const auto announced = [](std::vector<std::string> names) {
    std::string bytes((16 + names.size()) * 2048, '\0');
    for (std::size_t i = 0; i < names.size(); ++i) bytes.replace((16 + i) * 2048 + 1, 5, names[i]);
    return *announces_udf(reader_of(bytes));
  };
  EXPECT_TRUE(announced({"BEA01", "NSR02", "TEA01"}));
  EXPECT_TRUE(announced({"CD001", "CD001", "BEA01", "NSR03"}));
  EXPECT_FALSE(announced({"CD001", "CD001"}));
  EXPECT_FALSE(announced({"NSR02", "BEA01"}));
  EXPECT_FALSE(announced({"BEA01", "TEA01", "NSR02"}));
  EXPECT_FALSE(announced({}));
  EXPECT_FALSE(announced(std::vector<std::string>(100, "CD001")));
}

}  // namespace
}  // namespace farboot
