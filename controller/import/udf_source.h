// A UDF image (Windows' installation discs), read from its file.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "controller/import/image_file.h"
#include "controller/import/tree_source.h"
#include "controller/import/udf_volume.h"

namespace farboot {

/// True if the file at `path` is an image that announces UDF. Errors: not_found, denied.
Result<bool> is_udf(const std::string& path);

class UdfSource final : public TreeSource {
 public:
  /// Errors: not_found, denied.
  static Result<std::unique_ptr<UdfSource>> open(const std::string& path,
                                                 std::optional<Digest> sha256);

  /// Errors: mismatch, too: damaged, or shorter than it says itself.
  Result<Listing> list(Meter& meter) override;
  /// Hashes the image file beside if its digest was given. Errors: mismatch, too.
  Result<void> read(const Listing& listing, Intake& intake) override;
  bool is_local() const override { return true; }

 private:
  UdfSource(ImageFile file, std::optional<Digest> sha256);
  Result<void> read_files(const Listing& listing, Intake& intake);

  ImageFile file_;
  std::optional<Digest> sha256_;
  ReadAt read_;
  std::vector<UdfFile> files_;  ///< of list()
};

}  // namespace farboot
