#include "common/store/database_instance.h"

#include <rocksdb/db.h>

#include <gtest/gtest.h>

#include "tests/common/store/state_harness.h"

namespace farboot {
namespace {

class Opened {
 public:
  Result<void> open(DatabaseInstance::How how) {
    instance_.reset();
    auto opened = DatabaseInstance::open(folder_.path(), {}, how);
    if (!opened) return opened.error();
    instance_ = std::move(*opened);
    return {};
  }
  DatabaseInstance* operator->() { return instance_.get(); }
  std::string get(std::string_view key) {
    std::string value;
    const auto status = instance_->db().Get({}, instance_->handle(Family::state),
                                            rocksdb::Slice(key.data(), key.size()), &value);
    return status.ok() ? value : "";
  }

 private:
  TempFolder folder_;
  std::unique_ptr<DatabaseInstance> instance_;
};

TEST(DatabaseInstance, LeavesOutWhatWasRefusedAndForGood) {
  Opened database;
  ASSERT_TRUE(database.open({}));
  ASSERT_TRUE(database->write(test::row("a", "1")).ok());
  ASSERT_TRUE(database->write(test::row("b", "1")).ok());
  const auto counts = database->sequence();
  DatabaseBatch refused = test::row("a", "2");
  refused.put(Family::state, "c", "2");
  ASSERT_TRUE(database->write(refused).ok());  // the log has it, as after a sync that failed
  for (const bool read_only : {true, false}) {
    ASSERT_TRUE(database.open({.read_only = read_only, .sequence_max = counts}));
    EXPECT_EQ(database.get("a"), "1");
    EXPECT_EQ(database.get("b"), "1");
    EXPECT_EQ(database.get("c"), "");
    EXPECT_EQ(database->sequence(), counts);
  }
  ASSERT_TRUE(database->write(test::row("d", "3")).ok());
  ASSERT_TRUE(database.open({}));
  EXPECT_EQ(database.get("a"), "1");
  EXPECT_EQ(database.get("c"), "");
  EXPECT_EQ(database.get("d"), "3");
}

TEST(DatabaseInstance, ReadOnlyChangesNoFile) {
  Opened database;
  ASSERT_TRUE(database.open({}));
  ASSERT_TRUE(database->write(test::row("a", "1")).ok());
  ASSERT_TRUE(database.open({.read_only = true, .sequence_max = {}}));
  EXPECT_EQ(database.get("a"), "1");
  EXPECT_FALSE(database->write(test::row("a", "2")).ok());
  EXPECT_TRUE(database->failed());
  ASSERT_TRUE(database.open({}));
  EXPECT_EQ(database.get("a"), "1");
}

}  // namespace
}  // namespace farboot
