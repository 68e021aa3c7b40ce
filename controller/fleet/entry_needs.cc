#include "controller/fleet/entry_needs.h"

#include <algorithm>

namespace farboot {
namespace {

class EntryNeeds {
 public:
  EntryNeeds(const Release& release, const Manifest& assets,
             const std::vector<std::string>& loaders)
      : release_(release), assets_(assets), loaders_(loaders) {}

  Result<void> check(const BootEntry& entry) const {
    const Image* image = release_.image(entry.image);
    const bool windows = image != nullptr && image->facts.family == "windows";
    if (entry.kind == EntryKind::winpe) {
      if (image != nullptr && !windows)
        return fail(Errc::invalid, "image {} holds no Windows: kind winpe is not for it",
                    entry.image);
      if (!holds("wimboot"))
        return fail(Errc::invalid,
                    "kind winpe needs wimboot, which is not among the boot loaders; put it into a "
                    "folder on the controller and run `farboot loader import FOLDER --add`");
    } else if (windows && entry.boot.empty()) {
      return fail(Errc::invalid, "image {} holds Windows: say kind winpe", entry.image);
    }
    if (auto good = check(entry.boot); !good) return prefix("boot", good.error());
    for (const auto& [name, sources] : entry.files)
      if (auto good = check(sources); !good) return prefix("files: " + name, good.error());
    return {};
  }

 private:
  bool holds(std::string_view loader) const {
    return std::find(loaders_.begin(), loaders_.end(), loader) != loaders_.end();
  }

  /// Files in an image are looked up where they are loaded: discs differ in case.
  Result<void> check(const FileSources& sources) const {
    for (const auto& [platform, text] : sources) {
      const auto source = file_source(text);
      if (!source) continue;  // the release itself is refused for it
      const bool there = source->in == FileSource::In::assets
                             ? assets_.find(source->path) != nullptr
                         : source->in == FileSource::In::loaders ? holds(source->path)
                                                                 : true;
      if (!there) return fail(Errc::invalid, "{}: is not there", printable(text));
    }
    return {};
  }

  const Release& release_;
  const Manifest& assets_;
  const std::vector<std::string>& loaders_;
};

}  // namespace

Result<void> check_entry_needs(const Release& release, const Manifest& assets,
                               const std::vector<std::string>& loaders) {
  const EntryNeeds needs(release, assets, loaders);
  for (const BootEntry& entry : release.entries) {
    const auto good = needs.check(entry);
    if (!good) return prefix(fmt::format("entry {}", entry.name), good.error());
  }
  return {};
}

}  // namespace farboot
