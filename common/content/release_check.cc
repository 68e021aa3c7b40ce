#include "common/content/release_check.h"

#include <set>

namespace farboot {
namespace {

std::string image_key(const Image& image) { return image.name + "@" + image.tag; }

void check_sources(const Release& release, const BootEntry& entry, const FileSources& sources,
                   const std::string& path, json::Fault& fault) {
  for (const auto& [platform, text] : sources) {
    const auto source = file_source(text);
    if (!source) continue;  // said where it was read
    switch (source->in) {
      case FileSource::In::assets:
        if (!release.assets) fault.set(path, "'{}': this release has no assets", printable(text));
        break;
      case FileSource::In::loaders:
        if (!release.loaders) fault.set(path, "'{}': this release has no loaders", printable(text));
        break;
      case FileSource::In::image:
        if (entry.image.empty()) fault.set(path, "'{}': the entry has no image", printable(text));
        break;
    }
  }
}

void check_entry(const Release& release, const BootEntry& entry, const std::string& path,
                 json::Fault& fault) {
  const std::string_view kind = entry_kind_name(entry.kind);
  const bool bare = entry.kind == EntryKind::shell || entry.kind == EntryKind::local;
  if (installs(entry.kind) && entry.image.empty())
    fault.set(path + ".image", "an entry of kind {} needs an image", kind);
  if (bare && !entry.image.empty())
    fault.set(path + ".image", "an entry of kind {} has no image", kind);
  if (!entry.image.empty() && release.image(entry.image) == nullptr)
    fault.set(path + ".image", "'{}': no such image in this release", printable(entry.image));
  if (!entry.kickstart.empty() && !release.kickstarts.contains(entry.kickstart))
    fault.set(path + ".kickstart", "'{}': no such kickstart in this release", entry.kickstart);
  if (!entry.boot.empty() && entry.kind != EntryKind::tool)
    fault.set(path + ".boot", "an entry of kind {} boots its own", kind);
  if (!entry.files.empty() && entry.kind != EntryKind::tool && entry.kind != EntryKind::winpe)
    fault.set(path + ".files", "an entry of kind {} takes no files", kind);
  check_sources(release, entry, entry.boot, path + ".boot", fault);
  for (const auto& [name, sources] : entry.files)
    check_sources(release, entry, sources, fmt::format("{}.files.{}", path, name), fault);
}

/// The menus of a release, one in the other.
class MenuCheck {
 public:
  MenuCheck(const Release& release, json::Fault& fault) : release_(release), fault_(fault) {}

  void run(const std::vector<MenuItem>& items, const std::string& path) {
    for (std::size_t i = 0; i < items.size() && !fault_.any(); ++i) {
      const MenuItem& item = items[i];
      const std::string here = fmt::format("{}[{}]", path, i);
      if (++lines_ > kMenuLinesMax) fault_.set(here, "more than {} lines", kMenuLinesMax);
      if (item.kind == MenuItem::Kind::entry && release_.entry(item.name) == nullptr)
        fault_.set(here, "'{}': no such entry in this release", printable(item.name));
      if (item.kind != MenuItem::Kind::menu) continue;
      if (release_.entry(item.name) != nullptr)
        fault_.set(here, "'{}': an entry has this name", item.name);
      if (!names_.insert(item.name).second) fault_.set(here, "'{}': there twice", item.name);
      run(item.items, here + ".items");
    }
  }

 private:
  const Release& release_;
  json::Fault& fault_;
  std::set<std::string> names_;
  std::size_t lines_ = 0;
};

void check_menu(const Release& release, json::Fault& fault) {
  const Menu& menu = release.menu;
  if (!menu.default_entry.empty() && release.entry(menu.default_entry) == nullptr)
    fault.set("$.menu.default_entry", "'{}': no such entry in this release", menu.default_entry);
  if (!menu.template_name.empty() && !release.menus.contains(menu.template_name))
    fault.set("$.menu.template", "'{}': no such menu template in this release", menu.template_name);
  if (!menu.picture.empty() && !release.assets)
    fault.set("$.menu.picture", "'{}': this release has no assets", printable(menu.picture));
  MenuCheck(release, fault)
      .run(menu.entries, has_menus(menu.entries) ? "$.menu.items" : "$.menu.entries");
}

}  // namespace

void check_references(const Release& release, json::Fault& fault) {
  std::set<std::string> images;
  for (std::size_t i = 0; i < release.images.size(); ++i)
    if (!images.insert(image_key(release.images[i])).second)
      fault.set(fmt::format("$.images[{}]", i), "{}: there twice", image_key(release.images[i]));
  std::set<std::string> entries;
  for (std::size_t i = 0; i < release.entries.size(); ++i) {
    const std::string path = fmt::format("$.entries[{}]", i);
    if (!entries.insert(release.entries[i].name).second)
      fault.set(path, "{}: there twice", release.entries[i].name);
    check_entry(release, release.entries[i], path, fault);
  }
  check_menu(release, fault);
}

}  // namespace farboot
