// An ISO 9660 image (Rock Ridge, Joliet, files of several extents), read from its file.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "common/content/digest.h"
#include "controller/import/image_file.h"
#include "controller/import/tree_source.h"

namespace farboot {

class IsoSource final : public TreeSource {
 public:
  /// Errors: not_found, denied, mismatch (not an ISO, or shorter than it says itself).
  static Result<std::unique_ptr<IsoSource>> open(const std::string& path,
                                                 std::optional<Digest> sha256);

  Result<Listing> list(Meter& meter) override;
  /// Hashes the image file beside if its digest was given. Errors: mismatch, too.
  Result<void> read(const Listing& listing, Intake& intake) override;
  bool is_local() const override { return true; }
  bool is_one_file() const override { return true; }
  Result<FileEntry> as_file(const std::string& path, const std::vector<FileEntry>& files,
                            ContentStore& store, Meter& meter) override;

 private:
  IsoSource(ImageFile file, std::optional<Digest> sha256)
      : file_(std::move(file)), sha256_(sha256) {}
  Result<void> read_entries(const Listing& listing, Intake& intake);

  ImageFile file_;
  std::optional<Digest> sha256_;
};

}  // namespace farboot
