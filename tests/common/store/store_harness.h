// The stores under the contract test suite, each with its way to let a chunk rot at rest.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <memory>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "common/store/memory_store.h"
#include "common/store/pack_store.h"
#include "tests/support/temp_folder.h"

namespace farboot::test {

/// `size` bytes from a seeded generator: the same seed gives the same bytes on every machine.
inline Bytes noise(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; i += 8) {
    const std::uint64_t word = random();
    std::memcpy(bytes.data() + i, &word, std::min<std::size_t>(8, size - i));
  }
  return bytes;
}

/// What a file takes on its disk.
inline std::uint64_t allocated(const std::string& path) {
  struct stat info = {};
  EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
  return static_cast<std::uint64_t>(info.st_blocks) * 512;
}

/// A pack store with its database; can be closed and opened again.
class DiskStore {
 public:
  explicit DiskStore(std::string folder, PackStoreOptions options = roomy(),
                     DatabaseOptions database = {})
      : folder_(std::move(folder)), options_(std::move(options)), database_options_(database) {
    auto opened = open();
    EXPECT_TRUE(opened) << opened.error().what;
  }
  static PackStoreOptions roomy() {
    PackStoreOptions options;
    options.reserve_bytes = 0;
    return options;
  }
  Result<void> open() {
    close();
    auto database = Database::open(folder_ + "/db", database_options_);
    if (!database) return database.error();
    auto store = PackStore::open(**database, packs(), options_);
    if (!store) return store.error();
    database_ = std::move(*database);
    store_ = std::move(*store);
    return {};
  }
  void close() {
    store_.reset();
    database_.reset();
  }
  PackStore& operator*() { return *store_; }
  PackStore* operator->() { return store_.get(); }
  Database& database() { return *database_; }
  std::string packs() const { return folder_ + "/packs"; }
  std::string pack(unsigned number) const { return fmt::format("{}/{:08}.pack", packs(), number); }
  PackStoreOptions& options() { return options_; }

  ChunkPlace place(const Digest& id) {
    auto place = ChunkIndex(*database_).find(id);
    EXPECT_TRUE(place && *place) << id.hex();
    return place && *place ? **place : ChunkPlace{};
  }
  /// Flips one bit of the chunk where it lies on the disk, and opens the store anew: rot is only
  /// looked for when a chunk is first used.
  void rot(const Digest& id) {
    const ChunkPlace where = place(id);
    if (where.is_inline()) {
      auto bytes = *ChunkIndex(*database_).inline_bytes(id);
      ASSERT_TRUE(bytes);
      bytes->at(bytes->size() / 2) ^= 1;
      DatabaseBatch batch;
      batch.put(Family::small, as_text(id.view()), as_text(*bytes));
      ASSERT_TRUE(database_->write(batch));
    } else {
      const UniqueFd fd(::open(pack(where.pack).c_str(), O_RDWR | O_CLOEXEC));
      const auto at = static_cast<off_t>(where.offset + where.size_bytes / 2);
      std::uint8_t byte = 0;
      ASSERT_EQ(::pread(fd.get(), &byte, 1, at), 1);
      byte ^= 1;
      ASSERT_EQ(::pwrite(fd.get(), &byte, 1, at), 1);
    }
    auto opened = open();
    ASSERT_TRUE(opened) << opened.error().what;
  }

 private:
  std::string folder_;
  PackStoreOptions options_;
  DatabaseOptions database_options_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<PackStore> store_;
};

struct MemoryHarness {
  MemoryStore memory;
  explicit MemoryHarness(std::uint64_t budget = 1ull << 40) : memory(budget) {}
  ContentStore& store() { return memory; }
  void rot(const Digest& id) { memory.rot(id); }
};

struct PackHarness {
  TempFolder folder;
  DiskStore disk;
  explicit PackHarness(std::uint64_t budget = 1ull << 40) : disk(folder.path(), options(budget)) {}
  static PackStoreOptions options(std::uint64_t budget) {
    PackStoreOptions options = DiskStore::roomy();
    options.budget_bytes = budget;
    options.pack_bytes_max = 1u << 20;  // many packs for little data
    return options;
  }
  ContentStore& store() { return *disk; }
  void rot(const Digest& id) { disk.rot(id); }
};

}  // namespace farboot::test
