#include "common/store/database.h"

#include <fstream>

#include <rocksdb/db.h>

#include <gtest/gtest.h>

#include "tests/common/store/state_harness.h"

namespace farboot {
namespace {

TEST(Database, KeepsWhatWasWritten) {
  TempFolder folder;
  {
    auto database = Database::open(folder.path());
    ASSERT_TRUE(database) << database.error().what;
    auto batch = test::row("k", "v");
    ASSERT_TRUE((*database)->write(batch));
  }
  auto database = Database::open(folder.path());
  ASSERT_TRUE(database) << database.error().what;
  EXPECT_EQ(**(*database)->get(Family::state, "k"), "v");
  EXPECT_FALSE((*database)->get(Family::chunks, "k")->has_value());
  EXPECT_GT((*database)->disk_bytes(), 0u);
}

TEST(Database, SaysThatAnotherProcessHasIt) {
  TempFolder folder;
  auto first = Database::open(folder.path());
  ASSERT_TRUE(first);
  auto second = Database::open(folder.path());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::conflict);
  EXPECT_NE(second.error().what.find("another process"), std::string::npos);
  EXPECT_NE(second.error().what.find(folder.path().string()), std::string::npos);
}

TEST(Database, RefusesAFolderThatIsSomebodyElses) {
  TempFolder folder;
  std::ofstream(folder / "photo.jpg") << "x";
  auto opened = Database::open(folder.path());
  EXPECT_EQ(opened.error().code, Errc::invalid);
  EXPECT_NE(opened.error().what.find("photo.jpg"), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(folder / "photo.jpg"));
  EXPECT_FALSE(std::filesystem::exists(folder / "CURRENT"));
}

TEST(Database, RefusesTheDatabaseOfAnotherProgram) {
  TempFolder folder;
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* other = nullptr;
  ASSERT_TRUE(rocksdb::DB::Open(options, folder.path(), &other).ok());
  rocksdb::ColumnFamilyHandle* family = nullptr;
  ASSERT_TRUE(other->CreateColumnFamily({}, "tweets", &family).ok());
  other->DestroyColumnFamilyHandle(family);
  delete other;
  auto opened = Database::open(folder.path());
  EXPECT_EQ(opened.error().code, Errc::invalid);
  EXPECT_NE(opened.error().what.find("tweets"), std::string::npos);
}

TEST(Database, RefusesAFormatItDoesNotKnow) {
  TempFolder folder;
  {
    auto database = *Database::open(folder.path());
    DatabaseBatch batch;
    batch.put(Family::meta, "format", "farboot 99");
    ASSERT_TRUE(database->write(batch));
  }
  auto opened = Database::open(folder.path());
  EXPECT_EQ(opened.error().code, Errc::invalid);
  EXPECT_NE(opened.error().what.find("farboot 99"), std::string::npos);
}

TEST(Database, OpensAfterAFirstStartThatWasCutShort) {
  TempFolder folder;
  std::ofstream(folder / "LOCK") << "";
  std::ofstream(folder / "IDENTITY") << "x";
  std::ofstream(folder / "MANIFEST-000001") << "";
  auto opened = Database::open(folder.path());
  EXPECT_TRUE(opened) << opened.error().what;
}

TEST(Database, ScansAPrefixOfOneFamilyUntilToldToStop) {
  TempFolder folder;
  auto database = *Database::open(folder.path());
  for (const char* key : {"a1", "b1", "b2", "b3", "c1"}) {
    auto batch = test::row(key, key);
    ASSERT_TRUE(database->write(batch));
  }
  std::vector<std::string> seen;
  ASSERT_TRUE(database->scan(Family::state, "b", [&](std::string_view key, std::string_view) {
    seen.emplace_back(key);
    return seen.size() < 2;
  }));
  EXPECT_EQ(seen, (std::vector<std::string>{"b1", "b2"}));
}

}  // namespace
}  // namespace farboot
