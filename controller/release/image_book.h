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

struct LoaderRecord {
  Digest manifest;
  std::vector<std::string> files;
  std::vector<std::string> warnings;
  std::string source;
  WallTime imported{};
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

  Result<void> set_loaders(const LoaderRecord& loaders);
  Result<std::optional<LoaderRecord>> loaders() const;

 private:
  StateStore& state_;
};

}  // namespace farboot
