#include "controller/fleet/fleet_diff.h"

#include <fmt/format.h>

#include "controller/fleet/text_diff.h"

namespace farboot {
namespace {

/// Lines `name: value`, empty values left out.
class Lines {
 public:
  Lines& add(std::string_view name, std::string_view value) {
    if (!value.empty()) text_ += fmt::format("{}: {}\n", name, value);
    return *this;
  }
  Lines& add(std::string_view name, std::uint64_t value) {
    return value == 0 ? *this : add(name, std::string_view(fmt::to_string(value)));
  }
  Lines& add(std::string_view name, const std::vector<std::string>& values) {
    for (const std::string& value : values) text_ += fmt::format("{} - {}\n", name, value);
    return *this;
  }
  /// Lines of a menu in a menu stand two blanks further in.
  Lines& add(std::string_view name, const std::vector<MenuItem>& items, std::size_t depth = 0) {
    for (const MenuItem& item : items) {
      text_ += fmt::format("{} {:{}}- ", name, "", 2 * depth);
      switch (item.kind) {
        case MenuItem::Kind::entry: text_ += item.name; break;
        case MenuItem::Kind::gap: text_ += item.title.empty() ? "-" : "- " + item.title; break;
        case MenuItem::Kind::menu:
          text_ += "menu " + item.name;
          if (!item.title.empty()) text_ += ": " + item.title;
          if (!item.key.empty()) text_ += fmt::format(" (key {})", item.key);
          break;
      }
      text_ += '\n';
      add(name, item.items, depth + 1);
    }
    return *this;
  }
  Lines& add(std::string_view name, const Variables& values) {
    for (const auto& [key, value] : values) text_ += fmt::format("{}.{}: {}\n", name, key, value);
    return *this;
  }
  Lines& add(std::string_view name, const std::map<std::string, FileSources>& files) {
    for (const auto& [file, sources] : files) add(fmt::format("{} {}", name, file), sources);
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

std::string entry_text(const BootEntry& entry) {
  return Lines()
      .add("kind", entry_kind_name(entry.kind))
      .add("title", entry.title)
      .add("image", entry.image)
      .add("kickstart", entry.kickstart)
      .add("args", entry.args)
      .add("args_style", entry.args_style)
      .add("key", entry.key)
      .add("variables", entry.variables)
      .add("boot", entry.boot)
      .add("file", entry.files)
      .text();
}

std::string menu_text(const Menu& menu) {
  return Lines()
      .add("title", menu.title)
      .add("timeout", static_cast<std::uint64_t>(menu.timeout.count()))
      .add("default", menu.default_entry)
      .add("picture", menu.picture)
      .add("template", menu.template_name)
      .add("entries", menu.entries)
      .text();
}

std::string site_text(const Site& site) {
  return Lines()
      .add("labels", site.labels)
      .add("variables", site.variables)
      .add("wan_bytes_per_second", site.limits.wan_bytes_per_second)
      .add("installs_at_once_max", site.limits.installs_at_once_max)
      .text();
}

std::string host_text(const HostSpec& host) {
  return Lines()
      .add("macs", host.macs)
      .add("uuid", host.uuid)
      .add("serial", host.serial)
      .add("entry", host.entry)
      .add("installs ordered", host.install_order)
      .add("variables", host.variables)
      .text();
}

void add_texts(Items& items, const std::string& what,
               const std::map<std::string, std::string>& texts) {
  for (const auto& [name, text] : texts) items[{what, name}] = text;
}

}  // namespace

Items release_items(const Release& release, const Manifest* assets) {
  Items items;
  if (!release.variables.empty())
    items[{"variables", ""}] = Lines().add("variables", release.variables).text();
  items[{"menu", ""}] = menu_text(release.menu);
  for (const BootEntry& entry : release.entries) items[{"entry", entry.name}] = entry_text(entry);
  for (const Image& image : release.images)
    items[{"image", image.name + "@" + image.tag}] =
        Lines().add("manifest", image.manifest.hex()).text();
  add_texts(items, "kickstart", release.kickstarts);
  add_texts(items, "menu template", release.menus);
  add_texts(items, "snippet", release.snippets);
  if (release.loaders)
    items[{"loaders", ""}] = Lines().add("manifest", release.loaders->hex()).text();
  if (assets != nullptr)
    for (const FileEntry& file : assets->files)
      items[{"asset", file.path}] =
          Lines().add("sha256", file.sha256.hex()).add("size_bytes", file.size_bytes).text();
  return items;
}

Items site_items(const std::vector<Site>& sites) {
  Items items;
  for (const Site& site : sites) {
    items[{"site", site.name}] = site_text(site);
    for (const HostSpec& host : site.hosts)
      items[{"host", site.name + "/" + host.name}] = host_text(host);
  }
  return items;
}

std::vector<Change> compare(const Items& before, const Items& after) {
  std::vector<Change> out;
  auto old = before.begin();
  auto fresh = after.begin();
  while (old != before.end() || fresh != after.end()) {
    if (fresh == after.end() || (old != before.end() && old->first < fresh->first)) {
      out.push_back({Change::Kind::removed, old->first.first, old->first.second, {}});
      ++old;
    } else if (old == before.end() || fresh->first < old->first) {
      out.push_back({Change::Kind::added, fresh->first.first, fresh->first.second, {}});
      ++fresh;
    } else {
      if (old->second != fresh->second)
        out.push_back({Change::Kind::changed, old->first.first, old->first.second,
                       text_diff(old->second, fresh->second)});
      ++old, ++fresh;
    }
  }
  return out;
}

}  // namespace farboot
