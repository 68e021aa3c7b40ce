#include "controller/import/tree_info.h"

#include <utility>

namespace farboot {
namespace {

constexpr std::size_t kLineBytesMax = 16 * 1024;

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.emplace_back(trimmed(text.substr(0, end)));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return lines;
}

std::string value_of(const IniFile& ini, const std::string& section, const std::string& key) {
  const auto at = ini.find(section);
  if (at == ini.end()) return {};
  const auto value = at->second.find(key);
  return value == at->second.end() ? std::string() : value->second;
}

std::string first_of(std::initializer_list<std::string> values) {
  for (const std::string& value : values)
    if (!value.empty()) return value;
  return {};
}

/// RHEL 6 names the metadata's folder instead of the repository's.
std::string without_repodata(std::string path) {
  while (path.ends_with('/')) path.pop_back();
  if (path == "repodata") return ".";
  if (path.ends_with("/repodata")) path.resize(path.size() - 9);
  return path;
}

void read_images(const IniFile& ini, TreeInfo& info) {
  const auto take = [&info](const std::map<std::string, std::string>& section) {
    for (const auto& [key, path] : section)
      if (!path.empty()) info.images.push_back(path);
  };
  if (const auto stage2 = ini.find("stage2"); stage2 != ini.end()) take(stage2->second);
  for (const auto& [section, keys] : ini)
    if (section.starts_with("images-")) take(keys);
  const auto choose = [&](const std::string& section) {
    info.kernel = first_of({info.kernel, value_of(ini, section, "kernel")});
    info.initrd = first_of({info.initrd, value_of(ini, section, "initrd")});
  };
  choose("images-" + info.arch);
  for (const auto& [section, keys] : ini)
    if (section.starts_with("images-") && section != "images-xen") choose(section);
  info.stage2 =
      first_of({value_of(ini, "stage2", "mainimage"), value_of(ini, "stage2", "instimage")});
}

Result<void> read_checksums(const IniFile& ini, TreeInfo& info) {
  const auto section = ini.find("checksums");
  if (section == ini.end()) return {};
  for (const auto& [path, value] : section->second) {
    const std::size_t colon = value.find(':');
    auto checksum = Checksum::make(value.substr(0, colon),
                                   colon == std::string::npos ? "" : value.substr(colon + 1));
    if (!checksum)
      return prefix(fmt::format(".treeinfo: [checksums] {}", printable(path)), checksum.error());
    info.checksums.emplace_back(path, std::move(*checksum));
  }
  return {};
}

}  // namespace

Result<IniFile> parse_ini(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  IniFile ini;
  std::string section;
  std::size_t number = 0;
  for (const std::string& line : lines_of(text)) {
    ++number;
    if (line.empty() || line.front() == ';' || line.front() == '#') continue;
    if (line.size() > kLineBytesMax || !is_utf8(line))
      return fail(Errc::invalid, "line {}: too long, or not UTF-8", number);
    if (line.front() == '[') {
      if (line.back() != ']')
        return fail(Errc::invalid, "line {}: '{}': no closing bracket", number, printable(line));
      section = trimmed(std::string_view(line).substr(1, line.size() - 2));
      ini[section];
      continue;
    }
    const std::size_t equals = line.find_first_of("=:");
    if (equals == std::string::npos || section.empty())
      return fail(Errc::invalid, "line {}: '{}': neither a section nor key = value", number,
                  printable(line));
    const std::string key(trimmed(std::string_view(line).substr(0, equals)));
    ini[section][key] = trimmed(std::string_view(line).substr(equals + 1));
  }
  return ini;
}

Result<TreeInfo> parse_tree_info(std::string_view text) {
  auto ini = parse_ini(text);
  if (!ini) return prefix(".treeinfo", ini.error());
  TreeInfo info;
  info.distro = first_of({value_of(*ini, "release", "name"), value_of(*ini, "product", "name"),
                          value_of(*ini, "general", "family"), value_of(*ini, "general", "name")});
  info.version =
      first_of({value_of(*ini, "release", "version"), value_of(*ini, "product", "version"),
                value_of(*ini, "general", "version")});
  info.arch = first_of({value_of(*ini, "tree", "arch"), value_of(*ini, "general", "arch")});
  read_images(*ini, info);
  for (const auto& [section, keys] : *ini) {
    const std::string repository = value_of(*ini, section, "repository");
    if (repository.empty()) continue;
    const std::string type = value_of(*ini, section, "type");
    if (section.starts_with("variant-") && type != "optional" && type != "addon")
      info.repositories.push_back(without_repodata(repository));
    else if (section.starts_with("variant-") || section.starts_with("addon-"))
      info.addon_repositories.push_back(without_repodata(repository));
  }
  if (auto ok = read_checksums(*ini, info); !ok) return ok.error();
  return info;
}

}  // namespace farboot
