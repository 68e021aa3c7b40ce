#include "agent/boot/plan.h"

#include <algorithm>
#include <array>
#include <utility>

#include "agent/boot/arguments.h"
#include "agent/boot/decide.h"
#include "agent/boot/render.h"
#include "agent/boot/values.h"
#include "agent/catalog/any_case.h"
#include "common/content/spelling.h"
#include "common/template/template.h"

namespace farboot {
namespace {

ValueSource source_of(const PlanFrame& frame) {
  return {frame.server,    frame.site,       frame.host,
          frame.facts.mac, frame.facts.uuid, frame.facts.serial};
}

std::string below(const Digest& manifest, std::string_view path) {
  return fmt::format("t/{}/{}", manifest, path);
}

/// WinPE's files by the names wimboot knows them by, and where discs have them; only boot.wim is a
/// must.
struct WinFile {
  std::string_view name;
  std::array<std::string_view, 2> paths;
};
constexpr std::array<WinFile, 3> kWinFiles{{
    {"BCD", {"boot/bcd", "efi/microsoft/boot/bcd"}},
    {"boot.sdi", {"boot/boot.sdi", "boot/boot.sdi"}},
    {"boot.wim", {"sources/boot.wim", "boot.wim"}},
}};

/// What an entry loads, on one machine.
class Planner {
 public:
  Planner(const PlanFrame& frame, const Release& release, const BootEntry& entry,
          const Manifest* tree)
      : frame_(frame), release_(release), entry_(entry), tree_(tree) {
    plan_.headline = fmt::format("{} of release r{}", entry.name, release.number);
  }

  Result<LoadPlan> run(std::string_view token) {
    const Image* image = release_.image(entry_.image);
    const bool described = tree_ != nullptr && (tree_->find(".treeinfo") != nullptr ||
                                                tree_->find("treeinfo") != nullptr);
    const TemplateValues values =
        entry_values(source_of(frame_), release_, entry_, token, described);
    auto own = render_template(entry_.args, values, partials_of(release_));
    if (!own) return prefix(fmt::format("entry {}: args", entry_.name), own.error());
    plan_.arguments = *own;
    auto done = !entry_.boot.empty()              ? program()
                : entry_.kind == EntryKind::winpe ? windows(image)
                : image == nullptr                ? wrong("has no image")
                : image->facts.kernel.empty()     ? wrong("its image has no kernel")
                                                  : linux(*image, values, described);
    if (!done) return done.error();
    auto files = extra_files();
    if (!files) return files.error();
    return std::move(plan_);
  }

 private:
  Error wrong(std::string_view what) const {
    return fail(Errc::invalid, "entry {}: {}", entry_.name, what);
  }

  /// Where a file of the entry lies on this server.
  Result<std::string> place(const FileSource& source) const {
    switch (source.in) {
      case FileSource::In::assets:
        if (release_.assets) return below(*release_.assets, source.path);
        break;
      case FileSource::In::loaders:
        if (release_.loaders) return below(*release_.loaders, source.path);
        break;
      case FileSource::In::image: {
        const Image* image = release_.image(entry_.image);
        if (image == nullptr || tree_ == nullptr) break;
        const AnyCase found = find_in_any_case(*tree_, source.path);
        const FileEntry* file = found.file;
        if (file == nullptr) return lacks(found, source.path);
        return below(image->manifest, file->path);
      }
    }
    return wrong(fmt::format("{}: is not in this release", printable(source.path)));
  }

  Result<void> program() {
    const auto source = source_for(entry_.boot, platform_of(frame_.facts));
    if (!source) return wrong("has nothing to boot on a machine of this kind");
    auto path = place(*source);
    if (!path) return path.error();
    const bool disc = path->ends_with(".iso") || path->ends_with(".img");
    (disc ? plan_.disc : plan_.kernel) = std::move(*path);
    return {};
  }

  Error lacks(const AnyCase& found, std::string_view path) const {
    if (found.between.second == nullptr)
      return wrong(fmt::format("its image has no {}", printable(path)));
    return wrong(fmt::format("its image has {} and {}: which is meant?",
                             printable(found.between.first->path),
                             printable(found.between.second->path)));
  }

  Result<void> windows(const Image* image) {
    if (image == nullptr || tree_ == nullptr) return wrong("has no image");
    plan_.winpe = true;
    plan_.kernel = "wimboot";
    for (const WinFile& file : kWinFiles) {
      if (has_own(file.name)) continue;
      AnyCase found;
      for (const std::string_view path : file.paths) {
        const AnyCase here = find_in_any_case(*tree_, path);
        if (here.file != nullptr || found.between.second == nullptr) found = here;
        if (found.file != nullptr) break;
      }
      if (found.file != nullptr)
        plan_.extras.push_back({below(image->manifest, found.file->path), std::string(file.name)});
      else if (file.name == "boot.wim")
        return lacks(found, "sources/boot.wim");
    }
    return {};
  }

  bool has_own(std::string_view name) const {
    return std::any_of(entry_.files.begin(), entry_.files.end(),
                       [&](const auto& file) { return same_folded(file.first, name); });
  }

  Result<void> linux(const Image& image, const TemplateValues& values, bool described) {
    plan_.kernel = below(image.manifest, image.facts.kernel);
    if (!image.facts.initrd.empty()) plan_.initrd = below(image.manifest, image.facts.initrd);
    if (entry_.kind != EntryKind::install) return {};
    const std::string& own = plan_.arguments;
    const auto domain = values.find("domain");
    const std::string family = family_arguments(
        image, entry_.args_style,
        {values.find("image.url")->second, values.find("ks.url")->second, frame_.facts.mac,
         frame_.host.name, domain == values.end() ? "" : domain->second, described},
        script_line(own));
    plan_.arguments = family.empty() || own.empty() ? family + own : family + " " + own;
    return {};
  }

  Result<void> extra_files() {
    for (const auto& [name, sources] : entry_.files) {
      const auto source = source_for(sources, platform_of(frame_.facts));
      if (!source) continue;  // only on other platforms
      auto path = place(*source);
      if (!path) return path.error();
      plan_.extras.push_back({std::move(*path), name});
    }
    return {};
  }

  const PlanFrame& frame_;
  const Release& release_;
  const BootEntry& entry_;
  const Manifest* tree_;
  LoadPlan plan_;
};

bool is_shown(const PlanFrame& frame, const Release& release, const BootEntry& entry) {
  if (!entry.boot.empty() && !source_for(entry.boot, platform_of(frame.facts))) return false;
  const Image* image = release.image(entry.image);
  return image == nullptr || runs_on(image->facts.arch, frame.facts.buildarch);
}

std::vector<MenuPage::Line> shown_lines(const PlanFrame& frame, const Release& release,
                                        const std::vector<MenuItem>& items) {
  using Kind = MenuPage::Line::Kind;
  std::vector<MenuPage::Line> lines;
  for (const MenuItem& item : items) {
    MenuPage::Line line{.name = item.name, .text = item.title, .key = item.key};
    switch (item.kind) {
      case MenuItem::Kind::gap: line.kind = Kind::gap; break;
      case MenuItem::Kind::menu:
        line.kind = Kind::menu;
        line.lines = shown_lines(frame, release, item.items);
        if (std::all_of(line.lines.begin(), line.lines.end(),
                        [](const MenuPage::Line& each) { return each.kind == Kind::gap; }))
          continue;  // nothing in it is for this machine
        break;
      case MenuItem::Kind::entry: {
        const BootEntry* entry = release.entry(item.name);
        if (entry == nullptr || !is_shown(frame, release, *entry)) continue;
        line.text = entry->title;
        line.key = entry->key;
        line.boots = entry->kind;
        break;
      }
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

/// menu_values(), and the addresses that need the machine's facts.
TemplateValues shown_values(const PlanFrame& frame, const Release& release) {
  TemplateValues values = menu_values(source_of(frame), release);
  const std::string url = machine_url({std::string(frame.server), frame.facts, {}});
  values["menu.url"] = url + "&menu=";
  values["entry.url"] = url + "&entry=";
  return values;
}

}  // namespace

std::string_view platform_of(const MachineFacts& facts) {
  if (facts.platform == "pcbios") return "bios";
  if (facts.platform != "efi") return "any";
  if (facts.buildarch == "x86_64") return "efi";
  if (facts.buildarch == "i386") return "efi32";
  return facts.buildarch == "arm64" ? "arm64" : "any";
}

Result<LoadPlan> plan_load(const PlanFrame& frame, const Release& release, const BootEntry& entry,
                           const Manifest* tree, std::string_view token) {
  return Planner(frame, release, entry, tree).run(token);
}

MenuPage plan_menu(const PlanFrame& frame, const Release& release,
                   const std::function<void(std::string_view, const Error&)>& trouble) {
  const Menu& menu = release.menu;
  MenuPage page;
  auto title = render_template(menu.title, shown_values(frame, release), partials_of(release));
  if (!title) trouble("menu", title.error());
  page.title = title ? *title : menu.title;
  page.release = release.number;
  page.timeout_ms = static_cast<std::uint64_t>(
      std::max<std::int64_t>(0, std::chrono::duration_cast<Milliseconds>(menu.timeout).count()));
  page.default_entry = menu.default_entry;
  if (!menu.picture.empty()) page.picture = "a/" + menu.picture;
  page.lines = shown_lines(frame, release, menu.entries);
  if (menu.template_name.empty()) return page;
  auto own = own_menu(frame, release, menu.template_name);
  if (!own)
    trouble(menu.template_name, own.error());
  else
    page.own_script = std::move(*own);
  return page;
}

Result<std::string> own_menu(const PlanFrame& frame, const Release& release,
                             const std::string& name) {
  const auto own = release.menus.find(name);
  if (own == release.menus.end())
    return fail(Errc::not_found, "menu {}: not in release r{}", printable(name, 64),
                release.number);
  auto text = render_template(own->second, shown_values(frame, release), partials_of(release));
  if (!text) return prefix(fmt::format("menu {}", name), text.error());
  return text->starts_with("#!ipxe") ? std::move(*text) : "#!ipxe\n" + *text;
}

}  // namespace farboot
