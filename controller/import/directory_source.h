// A directory of this machine. Links are read as links, never followed out of it.
#pragma once

#include <string>

#include "controller/import/tree_source.h"

namespace farboot {

class DirectorySource final : public TreeSource {
 public:
  explicit DirectorySource(std::string root) : root_(std::move(root)) {}

  Result<Listing> list(Meter& meter) override;
  Result<void> read(const Listing& listing, Intake& intake) override;
  bool is_local() const override { return true; }

 private:
  std::string root_;
};

}  // namespace farboot
