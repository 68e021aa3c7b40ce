// The boot entries: that each has what its kind needs.
#include <algorithm>
#include <cstdlib>
#include <map>

#include "controller/cli/fleet_check.h"

namespace farboot {
namespace {

constexpr int kLegacyUntil = 8;  ///< major version of the last that reads ks= and repo=

std::string id_of(const KnownImage& image) { return image.name + "@" + image.tag; }

/// Finds the image an entry names, fills in its tag, or says what is wrong.
const KnownImage* check_image(FleetEntry& entry, const std::vector<KnownImage>& images,
                              Findings& findings) {
  std::vector<std::string> all, tags;
  const KnownImage* only = nullptr;
  for (const KnownImage& image : images) {
    const std::string id = id_of(image);
    all.push_back(id);
    if (id == entry.entry.image) return &image;
    if (image.name != entry.entry.image) continue;
    tags.push_back(id);
    only = &image;
  }
  if (tags.size() == 1) {
    entry.entry.image = tags.front();
    return only;
  }
  if (tags.size() > 1) {
    findings.error(entry.image, fmt::format("image {} has several tags", entry.entry.image),
                   or_list({}, tags, "say which"));
    return nullptr;
  }
  std::vector<std::string> names = all;
  for (const KnownImage& image : images) names.push_back(image.name);
  findings.error(entry.image, fmt::format("image {} is not imported", printable(entry.entry.image)),
                 all.empty() ? "there are no images yet; `farboot image import`"
                             : or_list(did_you_mean(entry.entry.image, names), all, "images"));
  return nullptr;
}

bool is_bare(EntryKind kind) { return kind == EntryKind::shell || kind == EntryKind::local; }

/// Whether the image is of the sort that the entry's kind boots.
void check_family(const FleetEntry& entry, const KnownImage& image, Findings& findings) {
  const bool windows = image.family == "windows";
  const EntryKind kind = entry.entry.kind;
  if (kind == EntryKind::winpe && !windows)
    findings.error(entry.image, fmt::format("image {} holds no Windows", id_of(image)),
                   "kind: winpe boots sources/boot.wim; for anything else leave the kind out");
  if (kind != EntryKind::winpe && windows && entry.entry.boot.empty())
    findings.error(entry.image,
                   fmt::format("image {} holds Windows, which has no Linux kernel", id_of(image)),
                   "say kind: winpe");
  if (entry.entry.args_style != "legacy") return;
  const int major = std::atoi(image.version.c_str());
  if (image.family == "redhat" && major > kLegacyUntil)
    findings.warning(
        entry.args_style,
        fmt::format("the installer of {} {} ignores ks= and repo= of args_style legacy", image.name,
                    image.version),
        "leave args_style out: inst.ks= and inst.repo= are understood since CentOS 7");
}

class FileCheck {
 public:
  FileCheck(const FleetDirectory& fleet, const KnownContent& known, Findings& findings)
      : fleet_(fleet), known_(known), findings_(findings) {}

  void check(const FleetEntry& entry) {
    for (const auto& [platform, text] : entry.boot.values)
      check_source(entry, text, entry.boot.places.at(platform));
    for (const auto& [name, sources] : entry.files)
      for (const auto& [platform, text] : sources.values)
        check_source(entry, text, sources.places.at(platform));
  }

  void need_wimboot(const FleetEntry& entry) {
    if (!known_.loaders || holds("wimboot")) return;
    findings_.error(entry.kind, "kind: winpe needs wimboot, which is not among the boot loaders",
                    "get it from ipxe.org/wimboot, put it into a folder on the controller, and "
                    "`farboot loader import FOLDER --add`");
  }

 private:
  bool holds(std::string_view loader) const {
    return std::find(known_.loaders->begin(), known_.loaders->end(), loader) !=
           known_.loaders->end();
  }

  void check_source(const FleetEntry& entry, const std::string& text, const Place& place) {
    const auto source = file_source(text);
    if (!source) return;  // reported already
    switch (source->in) {
      case FileSource::In::assets:
        if (!fleet_.assets.contains(source->path)) {
          const auto assets = keys_of(fleet_.assets);
          findings_.error(place, fmt::format("there is no assets/{}", printable(source->path)),
                          or_list(did_you_mean(source->path, assets), assets, "assets"));
        }
        break;
      case FileSource::In::loaders:
        if (known_.loaders && !holds(source->path))
          findings_.error(place, fmt::format("there is no boot loader {}", printable(source->path)),
                          or_list(did_you_mean(source->path, *known_.loaders), *known_.loaders,
                                  "boot loaders"));
        break;
      case FileSource::In::image:
        if (entry.entry.image.empty())
          findings_.error(place, fmt::format("entry {} has no image", entry.entry.name),
                          "name one, or take the file from assets/");
        break;
    }
  }

  const FleetDirectory& fleet_;
  const KnownContent& known_;
  Findings& findings_;
};

/// A shell and the local disk need nothing, and have nothing.
void check_bare(const FleetEntry& entry, Findings& findings) {
  const BootEntry& spec = entry.entry;
  if (!spec.image.empty()) findings.error(entry.image, "image: a shell or the local disk has none");
  if (!spec.kickstart.empty())
    findings.error(entry.kickstart, "kickstart: a shell or the local disk has none");
}

/// `boot` and `files` where they say nothing.
void check_fields(const FleetEntry& entry, Findings& findings) {
  const EntryKind kind = entry.entry.kind;
  if (!entry.boot.places.empty() && kind != EntryKind::tool)
    findings.error(entry.boot.places.begin()->second,
                   "boot: an entry that is no tool boots what its image has",
                   "say kind: tool, or leave it out");
  if (!entry.files.empty() && kind != EntryKind::tool && kind != EntryKind::winpe)
    for (const auto& [name, sources] : entry.files)
      if (!sources.places.empty())
        findings.error(sources.places.begin()->second,
                       "files: only kind: tool and kind: winpe take further files");
}

}  // namespace

void check_entries(FleetDirectory& fleet, const KnownContent& known, Findings& findings) {
  std::map<std::string, Place> keys_seen;
  FileCheck files(fleet, known, findings);
  for (FleetEntry& entry : fleet.entries) {
    const BootEntry& spec = entry.entry;
    if (!spec.key.empty()) check_menu_key(spec.key, entry.key, keys_seen, findings);
    if (!spec.kickstart.empty() && !fleet.kickstarts.contains(spec.kickstart)) {
      const auto names = keys_of(fleet.kickstarts);
      findings.error(entry.kickstart,
                     fmt::format("kickstart {} does not exist: there is no kickstarts/{}.ks",
                                 printable(spec.kickstart), printable(spec.kickstart)),
                     or_list(did_you_mean(spec.kickstart, names), names, "kickstarts"));
    }
    if (entry.kind_known) check_fields(entry, findings);
    if (entry.kind_known && is_bare(spec.kind)) {
      check_bare(entry, findings);
      continue;
    }
    files.check(entry);
    if (entry.kind_known && spec.kind == EntryKind::winpe) files.need_wimboot(entry);
    if (!spec.image.empty() && known.images) {
      const KnownImage* image = check_image(entry, *known.images, findings);
      if (image != nullptr && entry.kind_known) check_family(entry, *image, findings);
    } else if (spec.image.empty() && entry.kind_known && spec.boot.empty()) {
      findings.error(entry.place, fmt::format("entry {} has no image", spec.name),
                     spec.kind == EntryKind::tool
                         ? "name an image, or what to boot: boot: assets/memtest.efi"
                         : "name an image, or say kind: shell or kind: local");
    }
  }
}

}  // namespace farboot
