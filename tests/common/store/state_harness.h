// The state stores under the contract test suite.
#pragma once

#include "common/store/memory_state.h"

namespace farboot::test {

struct MemoryStateHarness {
  MemoryState memory;
  StateStore& store() { return memory; }
};

}  // namespace farboot::test
