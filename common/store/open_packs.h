// The pack files that are kept open.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <list>
#include <memory>
#include <utility>

#include "common/base/guarded.h"
#include "common/store/pack_file.h"

namespace farboot {

/// A bounded number of them, the most recently used first. Thread-safe; find() is called where
/// nobody may wait for a disk. So what leaves is handed to the caller, to go outside the lock: with
/// the last reference to a pack that was removed go its blocks, and that takes a card long.
class OpenPacks {
 public:
  static constexpr std::size_t kOpenMax = 64;  ///< file descriptors; readers' own not counted

  using Opened = std::pair<std::uint32_t, std::shared_ptr<PackFile>>;
  using Gone = std::list<Opened>;

  /// nullptr: not open.
  std::shared_ptr<PackFile> find(std::uint32_t number) {
    return opened_.with([&](auto& opened) -> std::shared_ptr<PackFile> {
      for (auto it = opened.begin(); it != opened.end(); ++it) {
        if (it->first != number) continue;
        opened.splice(opened.begin(), opened, it);
        return it->second;
      }
      return nullptr;
    });
  }
  [[nodiscard]] Gone add(std::uint32_t number, std::shared_ptr<PackFile> file) {
    Gone entry, gone;
    entry.emplace_back(number, std::move(file));
    opened_.with([&](auto& opened) {
      opened.splice(opened.begin(), entry);
      if (opened.size() > kOpenMax) gone.splice(gone.begin(), opened, std::prev(opened.end()));
    });
    return gone;
  }
  [[nodiscard]] Gone remove(std::uint32_t number) {
    Gone gone;
    opened_.with([&](auto& opened) {
      for (auto it = opened.begin(); it != opened.end();) {
        const auto here = it++;
        if (here->first == number) gone.splice(gone.begin(), opened, here);
      }
    });
    return gone;
  }

 private:
  Guarded<std::list<Opened>> opened_;
};

}  // namespace farboot
