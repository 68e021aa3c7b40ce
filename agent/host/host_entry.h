// A record of the host book with what is only in memory of it. For the book's own .cc files.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/host/host_book.h"

namespace farboot {

// Where the state store keeps them.
constexpr std::string_view kHostPrefix = "host/";
constexpr std::string_view kAttemptPrefix = "attempt/";

struct HostBook::Entry {
  HostRecord record;
  std::shared_ptr<const Attempt> attempt;  ///< the newest, while its token lives
  bool attempt_durable = false;            ///< with its pin
  bool touched_durable = false;
  bool pinned = false;
  Seconds ended_for{0};  ///< since the attempt was over
  SteadyTime heard{};    ///< of the attempt
  /// Packages fetched whole, by index in the tree; `packages_before` were counted before a restart.
  std::vector<bool> packages_seen;
  std::uint32_t packages_counted = 0, packages_before = 0;
  std::uint32_t tenths_saved = 0;

  bool under_way() const { return record.install.under_way(); }
};

}  // namespace farboot
