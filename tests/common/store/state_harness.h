// The state stores under the contract test suite.
#pragma once

#include "common/store/memory_state.h"
#include "common/store/rocks_state.h"
#include "tests/common/store/store_harness.h"

namespace farboot::test {

inline DatabaseBatch row(std::string_view key, std::string_view value) {
  DatabaseBatch batch;
  batch.put(Family::state, key, value);
  return batch;
}

struct MemoryStateHarness {
  MemoryState memory;
  StateStore& store() { return memory; }
};

struct RocksStateHarness {
  TempFolder folder;
  std::unique_ptr<Database> database;
  std::unique_ptr<RocksState> state;

  RocksStateHarness() { open(); }
  void open() {
    state.reset();
    database.reset();
    auto opened = Database::open(folder / "db");
    ASSERT_TRUE(opened) << opened.error().what;
    database = std::move(*opened);
    auto made = RocksState::open(*database);
    ASSERT_TRUE(made) << made.error().what;
    state = std::move(*made);
  }
  StateStore& store() { return *state; }
};

}  // namespace farboot::test
