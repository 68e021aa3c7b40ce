// The folder of pack files: their names, a bounded number of them open, and who still reads what.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/guarded.h"
#include "common/store/open_packs.h"
#include "common/store/pack_file.h"

namespace farboot {

/// Thread-safe.
class PackFolder {
 public:
  explicit PackFolder(std::string path);

  const std::string& path() const { return path_; }
  /// Makes the folder if need be. Errors: denied, unavailable.
  Result<void> make() const;
  /// Numbers of the pack files there, ascending. Other files are not ours to judge.
  Result<std::vector<std::uint32_t>> numbers() const;

  /// Pack `number`, opened now or earlier. Errors: not_found, unavailable.
  Result<std::shared_ptr<PackFile>> file(std::uint32_t number) const;
  /// The same if it is open already, else null; never blocks on the disk.
  std::shared_ptr<PackFile> file_if_open(std::uint32_t number) const;
  Result<std::shared_ptr<PackFile>> create(std::uint32_t number);
  /// Takes the name away; readers keep reading, the space is free when the last lets go.
  bool remove(std::uint32_t number);

  /// While it lives, the payload at `offset` of pack `number` is not punched, and `file` stays
  /// open. May outlive the folder.
  std::shared_ptr<const void> lease(std::shared_ptr<PackFile> file, std::uint32_t number,
                                    std::uint32_t offset) const;
  bool leased(std::uint32_t number, std::uint32_t offset) const;

 private:
  std::string path_of(std::uint32_t number) const;

  class Lease;
  /// Number of leases by pack << 32 | offset.
  using Leases = Guarded<std::unordered_map<std::uint64_t, std::uint32_t>>;

  std::string path_;
  mutable OpenPacks opened_;
  std::shared_ptr<Leases> leases_;
};

}  // namespace farboot
