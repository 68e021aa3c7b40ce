#include "common/content/boot_entry.h"

#include <algorithm>

#include "common/content/manifest.h"

namespace farboot {
namespace {

constexpr std::size_t kFileNameCharsMax = 128;

struct KindName {
  EntryKind kind;
  std::string_view name;
};
constexpr std::array<KindName, 5> kKinds{{{EntryKind::install, "install"},
                                          {EntryKind::tool, "tool"},
                                          {EntryKind::winpe, "winpe"},
                                          {EntryKind::shell, "shell"},
                                          {EntryKind::local, "local"}}};

struct Folder {
  std::string_view prefix;
  FileSource::In in;
};
constexpr std::array<Folder, 3> kFolders{{{"assets/", FileSource::In::assets},
                                          {"loaders/", FileSource::In::loaders},
                                          {"image/", FileSource::In::image}}};

}  // namespace

std::string_view entry_kind_name(EntryKind kind) {
  const auto* row = std::find_if(kKinds.begin(), kKinds.end(),
                                 [kind](const KindName& each) { return each.kind == kind; });
  return row->name;
}

std::optional<EntryKind> entry_kind(std::string_view name) {
  for (const KindName& row : kKinds)
    if (row.name == name) return row.kind;
  return std::nullopt;
}

std::optional<FileSource> file_source(std::string_view text) {
  for (const Folder& folder : kFolders) {
    if (!text.starts_with(folder.prefix)) continue;
    const std::string_view path = text.substr(folder.prefix.size());
    if (!is_tree_path(path)) return std::nullopt;
    return FileSource{folder.in, std::string(path)};
  }
  return std::nullopt;
}

bool is_platform(std::string_view name) {
  return std::find(kPlatforms.begin(), kPlatforms.end(), name) != kPlatforms.end();
}

std::optional<FileSource> source_for(const FileSources& sources, std::string_view platform) {
  auto found = sources.find(std::string(platform));
  if (found == sources.end()) found = sources.find("any");
  return found == sources.end() ? std::nullopt : file_source(found->second);
}

bool is_boot_file_name(std::string_view text) {
  if (text.empty() || text.size() > kFileNameCharsMax) return false;
  if (text.front() == ' ' || text.back() == ' ' || text.find("  ") != std::string_view::npos)
    return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._/+=- ").find(c) != std::string_view::npos;
  });
}

}  // namespace farboot
