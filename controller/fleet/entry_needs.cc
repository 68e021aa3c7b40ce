#include "controller/fleet/entry_needs.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <utility>

#include "common/content/spelling.h"

namespace farboot {
namespace {

/// Where agents look for it, in this order.
constexpr std::array<std::string_view, 2> kBootWims = {"sources/boot.wim", "boot.wim"};

/// As agents find it: else they call it missing when a machine boots.
Result<void> find(const Manifest& tree, std::string_view path) {
  Spelling spelling(path);
  for (const FileEntry& file : tree.files) spelling.look(file.path);
  const auto meant = spelling.meant();
  return meant ? Result<void>() : meant.error();
}

/// wimboot knows its files in any case, and so agents take an entry's own for the image's.
bool has_own_boot_wim(const BootEntry& entry) {
  return std::any_of(entry.files.begin(), entry.files.end(),
                     [](const auto& file) { return same_folded(file.first, "boot.wim"); });
}

/// The first that can be told is taken; if there is none, two spellings say more than "not there".
Result<void> find_boot_wim(const Manifest& tree) {
  Result<void> first;
  for (const std::string_view path : kBootWims) {
    auto good = find(tree, path);
    if (good) return good;
    if (first || (first.error().code == Errc::not_found && good.error().code == Errc::invalid))
      first = std::move(good);
  }
  return first;
}

bool takes_from_image(const FileSources& sources) {
  return std::any_of(sources.begin(), sources.end(), [](const auto& each) {
    const auto source = file_source(each.second);
    return source && source->in == FileSource::In::image;
  });
}

bool looks_into_image(const BootEntry& entry) {
  return entry.kind == EntryKind::winpe || takes_from_image(entry.boot) ||
         std::any_of(entry.files.begin(), entry.files.end(),
                     [](const auto& file) { return takes_from_image(file.second); });
}

class EntryNeeds {
 public:
  EntryNeeds(const Release& release, const Manifest& assets,
             const std::vector<std::string>& loaders, const std::map<std::string, Manifest>& trees)
      : release_(release), assets_(assets), loaders_(loaders), trees_(trees) {}

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
    const auto tree = trees_.find(entry.image);
    const Manifest* files = tree == trees_.end() ? nullptr : &tree->second;
    if (entry.kind == EntryKind::winpe && files != nullptr && !has_own_boot_wim(entry))
      if (auto good = find_boot_wim(*files); !good)
        return prefix("image " + entry.image, good.error());
    if (auto good = check(entry.boot, files); !good) return prefix("boot", good.error());
    for (const auto& [name, sources] : entry.files)
      if (auto good = check(sources, files); !good) return prefix("files: " + name, good.error());
    return {};
  }

 private:
  bool holds(std::string_view loader) const {
    return std::find(loaders_.begin(), loaders_.end(), loader) != loaders_.end();
  }

  Result<void> check(const FileSources& sources, const Manifest* tree) const {
    for (const auto& [platform, text] : sources) {
      const auto source = file_source(text);
      if (!source) continue;  // the release itself is refused for it
      if (source->in == FileSource::In::image) {
        if (tree == nullptr) continue;
        if (const auto found = find(*tree, source->path); !found)
          return fail(Errc::invalid, "image/{}", found.error().what);
        continue;
      }
      const bool there = source->in == FileSource::In::assets
                             ? assets_.find(source->path) != nullptr
                             : holds(source->path);
      if (!there) return fail(Errc::invalid, "{}: is not there", printable(text));
    }
    return {};
  }

  const Release& release_;
  const Manifest& assets_;
  const std::vector<std::string>& loaders_;
  const std::map<std::string, Manifest>& trees_;
};

}  // namespace

std::vector<std::string> images_looked_into(const Release& release) {
  std::set<std::string> images;
  for (const BootEntry& entry : release.entries)
    if (release.image(entry.image) != nullptr && looks_into_image(entry))
      images.insert(entry.image);
  return {images.begin(), images.end()};
}

Result<void> check_entry_needs(const Release& release, const Manifest& assets,
                               const std::vector<std::string>& loaders,
                               const std::map<std::string, Manifest>& trees) {
  const EntryNeeds needs(release, assets, loaders, trees);
  for (const BootEntry& entry : release.entries) {
    const auto good = needs.check(entry);
    if (!good) return prefix(fmt::format("entry {}", entry.name), good.error());
  }
  return {};
}

}  // namespace farboot
