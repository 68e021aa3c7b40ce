// Images by name@tag, and the boot loaders in use. `image/<name>@<tag>`, `loaders`.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/content/release.h"
#include "common/store/state_store.h"

namespace farboot {

struct ImageRecord {
  Image image;
  std::string source;  ///< as given at import
  WallTime imported{};
  std::uint64_t revision = 0;  ///< of the record in the store

  std::string id() const { return image.name + "@" + image.tag; }
};

struct LoaderFile {
  std::string path;    ///< in the manifest
  std::string source;  ///< as given at import

  friend bool operator==(const LoaderFile&, const LoaderFile&) = default;
};

struct LoaderRecord {
  Digest manifest;
  std::vector<LoaderFile> files;  ///< as in the manifest, in its order
  std::vector<std::string> warnings;
  WallTime imported{};         ///< the last change
  std::uint64_t revision = 0;  ///< of the record in the store; 0: not there yet

  /// Each once, in the order of the files.
  std::vector<std::string> sources() const;
};

/// Thread-safe: it holds nothing but the store.
class ImageBook {
 public:
  explicit ImageBook(StateStore& state) : state_(state) {}

  /// Recording the same tree twice is harmless. Errors: conflict (name@tag is another tree: an
  /// image never changes), invalid (name or tag).
  Result<ImageRecord> add(const Image& image, const std::string& source, WallTime imported);
  /// In name order.
  Result<std::vector<ImageRecord>> images() const;
  /// `name@tag`, or `name` if it has one tag. Errors: not_found; conflict (several tags: the text
  /// lists them).
  Result<ImageRecord> find(std::string_view name) const;
  /// Errors: not_found, conflict (it changed since `record` was read: something began to use it).
  Result<void> remove(const ImageRecord& record);

  /// Rewrites the records as they are in `transaction`, so that a remove() which looked before it
  /// fails. Every commit that names an image in something a site may be told to have does this.
  static void touch(Transaction& transaction, const ImageRecord& record);

  /// In the place of the record that was read as `loaders.revision`. Errors: conflict (it changed
  /// since).
  Result<void> set_loaders(const LoaderRecord& loaders);
  Result<std::optional<LoaderRecord>> loaders() const;

 private:
  StateStore& state_;
};

}  // namespace farboot
