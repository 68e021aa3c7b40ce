#include "common/content/release.h"

#include <algorithm>
#include <utility>

#include "common/content/json_fields.h"
#include "common/content/manifest.h"
#include "common/content/release_check.h"

namespace farboot {
namespace {

constexpr std::size_t kImagesMax = 1000;
constexpr std::size_t kEntriesMax = 1000;
constexpr std::size_t kFilesMax = 100;  ///< of an entry
constexpr std::size_t kTemplatesMax = 1000;
constexpr std::size_t kTemplateBytesMax = 1u << 20;
constexpr std::size_t kLineBytesMax = 512;  ///< titles and other short text
constexpr std::size_t kCommentBytesMax = 4096;
constexpr std::size_t kArgsBytesMax = 4096;
constexpr std::uint64_t kMenuTimeoutSecondsMax = 24 * 3600;

json::Value to_json(const std::optional<Digest>& digest) {
  return digest ? json::Value(digest->hex()) : json::Value();
}

json::Value to_json(const Image& image) {
  const ImageFacts& facts = image.facts;
  json::Value value;
  value["name"] = image.name;
  value["tag"] = image.tag;
  value["manifest"] = image.manifest.hex();
  value["size_bytes"] = image.size_bytes;
  value["facts"] = {{"family", facts.family}, {"distro", facts.distro}, {"version", facts.version},
                    {"arch", facts.arch},     {"kernel", facts.kernel}, {"initrd", facts.initrd},
                    {"stage2", facts.stage2}, {"repo", facts.repo}};
  return value;
}

json::Value to_json(const BootEntry& entry) {
  json::Value value;
  value["name"] = entry.name;
  value["title"] = entry.title;
  value["kind"] = entry_kind_name(entry.kind);
  value["image"] = entry.image;
  value["kickstart"] = entry.kickstart;
  value["args"] = entry.args;
  value["args_style"] = entry.args_style;
  value["key"] = entry.key;
  value["variables"] = entry.variables;
  // Only where they are: what needs neither has the bytes it had before there were any.
  if (!entry.boot.empty()) value["boot"] = entry.boot;
  if (!entry.files.empty()) value["files"] = entry.files;
  return value;
}

json::Value to_json(const std::vector<MenuItem>& items) {
  json::Value array = json::Value::array();
  for (const MenuItem& item : items) {
    json::Value value;
    switch (item.kind) {
      case MenuItem::Kind::entry: value["entry"] = item.name; break;
      case MenuItem::Kind::gap: value["gap"] = item.title; break;
      case MenuItem::Kind::menu:
        value["menu"] = item.name;
        value["title"] = item.title;
        value["key"] = item.key;
        value["items"] = to_json(item.items);
        break;
    }
    array.push_back(std::move(value));
  }
  return array;
}

json::Value to_json(const Menu& menu) {
  json::Value value;
  value["title"] = menu.title;
  value["timeout_seconds"] = menu.timeout.count();
  value["default_entry"] = menu.default_entry;
  value["picture"] = menu.picture;
  value["template"] = menu.template_name;
  // An older agent shows these; one that knows sub-menus reads `items` where they are.
  value["entries"] = flat_lines(menu.entries);
  if (has_menus(menu.entries)) value["items"] = to_json(menu.entries);
  return value;
}

Image read_image(const json::Fields& fields) {
  Image image;
  image.name = fields.name("name");
  image.tag = fields.name("tag");
  const auto manifest = fields.digest("manifest");
  if (!manifest) fields.fault().set(fields.path("manifest"), "a digest expected");
  image.manifest = manifest.value_or(Digest{});
  image.size_bytes = fields.number("size_bytes", UINT64_MAX);
  const json::Fields facts = fields.object("facts");
  image.facts.family = facts.name_or_empty("family");
  image.facts.distro = facts.line("distro", kLineBytesMax);
  image.facts.version = facts.line("version", kLineBytesMax);
  image.facts.arch = facts.line("arch", kLineBytesMax);
  image.facts.kernel = facts.tree_path_or_empty("kernel");
  image.facts.initrd = facts.tree_path_or_empty("initrd");
  image.facts.stage2 = facts.tree_path_or_empty("stage2");
  image.facts.repo = facts.tree_path_or_empty("repo");
  return image;
}

EntryKind read_kind(const json::Fields& fields) {
  const std::string name = fields.line("kind", kLineBytesMax);
  if (const auto kind = entry_kind(name)) return *kind;
  fields.fault().set(fields.path("kind"), "'{}': must be install, tool, winpe, shell or local",
                     printable(name));
  return EntryKind::install;
}

FileSources read_sources(const json::Fields& fields, const std::string& key) {
  FileSources sources = fields.variables(key);
  for (const auto& [platform, source] : sources) {
    if (!is_platform(platform))
      fields.fault().set(fields.path(key), "'{}': not a platform", printable(platform));
    if (!file_source(source))
      fields.fault().set(fields.path(key), "'{}': must be assets/PATH, loaders/PATH or image/PATH",
                         printable(source));
  }
  return sources;
}

BootEntry read_entry(const json::Fields& fields) {
  BootEntry entry;
  entry.name = fields.name("name");
  entry.title = fields.line("title", kLineBytesMax);
  entry.kind = read_kind(fields);
  entry.image = fields.line("image", 2 * 64);
  entry.kickstart = fields.name_or_empty("kickstart");
  entry.args = fields.text("args", kArgsBytesMax);
  entry.args_style = fields.name_or_empty("args_style");
  if (!entry.args_style.empty() && entry.args_style != "inst" && entry.args_style != "legacy")
    fields.fault().set(fields.path("args_style"), "'{}': must be inst or legacy", entry.args_style);
  entry.key = fields.line("key", 1);
  entry.variables = fields.variables("variables");
  entry.boot = read_sources(fields, "boot");
  fields.members("files", kFilesMax, [&](const std::string& name, const json::Fields& files) {
    if (!is_boot_file_name(name))
      fields.fault().set(fields.path("files"), "'{}': not a file's name", printable(name));
    entry.files[name] = read_sources(files, name);
  });
  return entry;
}

std::vector<MenuItem> read_items(const json::Fields& fields, std::size_t depth) {
  std::vector<MenuItem> items;
  fields.each("items", kMenuLinesMax, [&](const json::Fields& each) {
    MenuItem item;
    if (each.has("menu")) {
      item.kind = MenuItem::Kind::menu;
      item.name = each.name("menu");
      item.title = each.line("title", kLineBytesMax);
      item.key = each.line("key", 1);
      if (depth == kMenuDepthMax)
        each.fault().set(each.path("items"), "menus in menus over {} deep", kMenuDepthMax);
      else
        item.items = read_items(each, depth + 1);
    } else if (each.has("gap")) {
      item.kind = MenuItem::Kind::gap;
      item.title = each.line("gap", kLineBytesMax);
    } else if (each.has("entry")) {
      item.name = each.name("entry");
    } else {
      return;  // of a newer writer
    }
    items.push_back(std::move(item));
  });
  return items;
}

Menu read_menu(const json::Fields& fields) {
  Menu menu;
  menu.title = fields.line("title", kLineBytesMax);
  menu.timeout = Seconds(fields.number("timeout_seconds", kMenuTimeoutSecondsMax));
  menu.default_entry = fields.name_or_empty("default_entry");
  menu.picture = fields.tree_path_or_empty("picture");
  menu.template_name = fields.name_or_empty("template");
  if (fields.has("items")) {
    menu.entries = read_items(fields, 0);
  } else {
    for (const std::string& line : fields.lines("entries", kMenuLinesMax, kLineBytesMax))
      menu.entries.emplace_back(line);
  }
  return menu;
}

}  // namespace

const Image* Release::image(std::string_view name_at_tag) const {
  const std::size_t at = name_at_tag.find('@');
  if (at == std::string_view::npos) return nullptr;
  const auto found = std::find_if(images.begin(), images.end(), [&](const Image& each) {
    return each.name == name_at_tag.substr(0, at) && each.tag == name_at_tag.substr(at + 1);
  });
  return found == images.end() ? nullptr : &*found;
}

const BootEntry* Release::entry(std::string_view name) const {
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [name](const BootEntry& each) { return each.name == name; });
  return found == entries.end() ? nullptr : &*found;
}

std::vector<Digest> Release::manifests() const {
  std::vector<Digest> digests;
  const auto add = [&digests](const Digest& digest) {
    if (std::find(digests.begin(), digests.end(), digest) == digests.end())
      digests.push_back(digest);
  };
  for (const Image& each : images) add(each.manifest);
  if (loaders) add(*loaders);
  if (assets) add(*assets);
  return digests;
}

Bytes encode_release(const Release& release) {
  json::Value root;
  root["format"] = Release::kFormat;
  root["number"] = release.number;
  root["parent"] = to_json(release.parent);
  root["created_ms"] = release.created.time_since_epoch().count();
  root["comment"] = release.comment;
  root["images"] = json::Value::array();
  for (const Image& image : release.images) root["images"].push_back(to_json(image));
  root["entries"] = json::Value::array();
  for (const BootEntry& entry : release.entries) root["entries"].push_back(to_json(entry));
  root["menu"] = to_json(release.menu);
  root["variables"] = release.variables;
  root["kickstarts"] = release.kickstarts;
  root["menus"] = release.menus;
  root["snippets"] = release.snippets;
  root["loaders"] = to_json(release.loaders);
  root["assets"] = to_json(release.assets);
  return json::dump(root);
}

Result<Release> decode_release(ByteView document) {
  json::Fault fault;
  const json::Value parsed = json::parse(document, kReleaseBytesMax, fault);
  const json::Fields root(parsed, "$", fault);
  json::check_format(root, Release::kFormat);
  Release release;
  release.number = root.number("number", UINT64_MAX);
  if (release.number == 0) fault.set("$.number", "0: the first release is 1");
  release.parent = root.digest("parent");
  release.created = WallTime(Milliseconds(root.number("created_ms", json::kMillisecondsMax)));
  release.comment = root.text("comment", kCommentBytesMax);
  root.each("images", kImagesMax,
            [&](const json::Fields& each) { release.images.push_back(read_image(each)); });
  root.each("entries", kEntriesMax,
            [&](const json::Fields& each) { release.entries.push_back(read_entry(each)); });
  release.menu = read_menu(root.object("menu"));
  release.variables = root.variables("variables");
  release.kickstarts = root.templates("kickstarts", kTemplatesMax, kTemplateBytesMax);
  release.menus = root.templates("menus", kTemplatesMax, kTemplateBytesMax);
  release.snippets = root.templates("snippets", kTemplatesMax, kTemplateBytesMax);
  release.loaders = root.digest("loaders");
  release.assets = root.digest("assets");
  if (!fault.any()) check_references(release, fault);
  if (fault.any()) return prefix("release", fault.error());
  return release;
}

bool is_name(std::string_view text) {
  const auto is_head = [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9');
  };
  if (text.empty() || text.size() > 63 || !is_head(text.front())) return false;
  return std::all_of(text.begin(), text.end(), [&](char letter) {
    return is_head(letter) || letter == '.' || letter == '_' || letter == '-';
  });
}

}  // namespace farboot
