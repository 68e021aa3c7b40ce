#include "controller/cli/fleet_directory.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>
#include <sstream>

#include "common/content/manifest.h"
#include "common/template/template.h"

namespace farboot {
namespace {

namespace fs = std::filesystem;

std::optional<std::string> read_text(const fs::path& path, const std::string& file,
                                     std::uintmax_t bytes_max, Findings& findings) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (in) text << in.rdbuf();
  if (!in && text.str().empty() && fs::file_size(path) != 0) {
    findings.error({file, 0}, "cannot be read");
    return std::nullopt;
  }
  std::string out = text.str();
  if (out.size() <= bytes_max) return out;
  findings.error({file, 0},
                 fmt::format("{} bytes, at most {} are possible", out.size(), bytes_max));
  return std::nullopt;
}

/// `line 7: bad thing` → 7 and `bad thing`.
std::pair<std::size_t, std::string> split_line(const std::string& what) {
  std::size_t line = 0;
  if (!what.starts_with("line ")) return {0, what};
  const auto [end, error] = std::from_chars(what.data() + 5, what.data() + what.size(), line);
  const auto used = static_cast<std::size_t>(end - what.data());
  if (error != std::errc() || what.compare(used, 2, ": ") != 0) return {0, what};
  return {line, what.substr(used + 2)};
}

std::optional<YamlNode> read_yaml(const fs::path& path, const std::string& file,
                                  Findings& findings) {
  const auto text = read_text(path, file, kYamlBytesMax, findings);
  if (!text) return std::nullopt;
  auto root = parse_yaml(*text);
  if (root) return std::move(*root);
  auto [line, what] = split_line(root.error().what);
  findings.error({file, line}, "is not YAML: " + what);
  return std::nullopt;
}

/// A folder that is not there is one that is not needed. Any other trouble must not look like that:
/// a `sites` that cannot be read is no fleet without sites.
void report_unreadable(const std::error_code& error, const std::string& folder,
                       Findings& findings) {
  if (!error || error == std::errc::no_such_file_or_directory) return;
  findings.error({folder, 0}, "cannot be read: " + error.message());
}

/// The folder's entries by name, hidden ones left out. `name`: what it is called in findings.
std::vector<fs::path> listing(const fs::path& folder, const std::string& name, Findings& findings) {
  std::vector<fs::path> out;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    if (!it->path().filename().string().starts_with(".")) out.push_back(it->path());
  report_unreadable(error, name, findings);
  std::sort(out.begin(), out.end());
  return out;
}

class Reader {
 public:
  Reader(const fs::path& folder, Findings& findings) : folder_(folder), findings_(findings) {}

  FleetDirectory read() {
    if (const auto root = read_yaml(folder_ / "fleet.yaml", "fleet.yaml", findings_))
      read_fleet_yaml(*root, "fleet.yaml", fleet_, findings_);
    check_top();
    read_sites();
    fleet_.kickstarts = read_texts("kickstarts", ".ks");
    fleet_.menus = read_texts("menus", ".ipxe");
    fleet_.snippets = read_texts("snippets", "");
    read_assets();
    return std::move(fleet_);
  }

 private:
  void check_top() {
    const std::vector<std::string> known{"fleet.yaml", "sites",    "kickstarts",
                                         "menus",      "snippets", "assets"};
    for (const fs::path& path : listing(folder_, ".", findings_)) {
      const std::string name = path.filename().string();
      if (std::find(known.begin(), known.end(), name) != known.end()) continue;
      const std::string guess = did_you_mean(name, known);
      if (!guess.empty()) findings_.warning({name, 0}, "is not read", guess);
    }
  }

  bool is_file(const fs::path& path, const std::string& file) {
    std::error_code error;
    if (fs::is_regular_file(path, error)) return true;
    findings_.warning({file, 0}, "is not a file, so it is not read");
    return false;
  }

  void read_sites() {
    for (const fs::path& path : listing(folder_ / "sites", "sites", findings_)) {
      const std::string file = "sites/" + path.filename().string();
      if (!is_file(path, file)) continue;
      const std::string extension = path.extension().string();
      if (extension != ".yaml" && extension != ".yml") {
        findings_.warning({file, 0}, "is not read: the file of a site ends in .yaml");
        continue;
      }
      const std::string name = path.stem().string();
      if (!is_name(name)) {
        findings_.error({file, 0}, fmt::format("\"{}\" is not a name for a site", name),
                        "names are lower-case letters, digits, dots, dashes, underscores");
        continue;
      }
      const auto same = [&](const FleetSite& site) { return site.name == name; };
      if (std::any_of(fleet_.sites.begin(), fleet_.sites.end(), same)) {
        findings_.error({file, 0}, fmt::format("site {} has two files", name));
        continue;
      }
      if (const auto root = read_yaml(path, file, findings_))
        fleet_.sites.push_back(read_site_yaml(*root, name, file, findings_));
    }
    std::sort(fleet_.sites.begin(), fleet_.sites.end(),
              [](const FleetSite& a, const FleetSite& b) { return a.name < b.name; });
  }

  std::map<std::string, FleetText> read_texts(const std::string& folder,
                                              const std::string& extension) {
    std::map<std::string, FleetText> out;
    for (const fs::path& path : listing(folder_ / folder, folder, findings_)) {
      const std::string file = folder + "/" + path.filename().string();
      if (!is_file(path, file)) continue;
      if (!extension.empty() && path.extension() != extension) {
        findings_.warning({file, 0}, "is not read: files here end in " + extension);
        continue;
      }
      const std::string name = extension.empty() ? path.filename().string() : path.stem().string();
      if (!is_name(name)) {
        findings_.error({file, 0}, fmt::format("\"{}\" is not a name", name),
                        "names are lower-case letters, digits, dots, dashes, underscores");
        continue;
      }
      auto text = read_text(path, file, kTemplateBytesMax, findings_);
      if (!text) continue;
      if (!is_utf8(*text)) {
        findings_.error({file, 0}, "is not UTF-8");
        continue;
      }
      out[name] = {std::move(*text), file};
    }
    return out;
  }

  void read_assets() {
    const fs::path top = folder_ / "assets";
    std::uintmax_t total = 0;
    std::error_code error;
    for (fs::recursive_directory_iterator it(top, error), end; !error && it != end;
         it.increment(error)) {
      const std::string name = it->path().filename().string();
      if (name.starts_with(".")) {
        it.disable_recursion_pending();
        continue;
      }
      std::error_code not_there;  // a link to nowhere ends nothing
      if (!it->is_regular_file(not_there)) continue;
      const std::string path = it->path().lexically_relative(top).generic_string();
      const Place place{"assets/" + path, 0};
      if (!is_tree_path(path) || path.find(' ') != std::string::npos) {
        findings_.error(place, "cannot be part of a URL as it is named",
                        "no blanks and no control characters, please");
        continue;
      }
      const std::uintmax_t size = it->file_size(error);
      total += size;
      fleet_.assets[path] = {it->path(), size};
      if (fleet_.assets.size() > kFleetFilesMax) break;
    }
    report_unreadable(error, "assets", findings_);
    if (total > kAssetsBytesMax)
      findings_.error({"assets", 0}, fmt::format("{} bytes together, at most {} are possible",
                                                 total, kAssetsBytesMax));
    if (fleet_.assets.size() > kFleetFilesMax)
      findings_.error({"assets", 0}, fmt::format("more than {} files", kFleetFilesMax));
  }

  const fs::path& folder_;
  Findings& findings_;
  FleetDirectory fleet_;
};

}  // namespace

const FleetEntry* FleetDirectory::entry(std::string_view name) const {
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const FleetEntry& each) { return each.entry.name == name; });
  return found == entries.end() ? nullptr : &*found;
}

std::vector<std::string> FleetDirectory::entry_names() const {
  std::vector<std::string> out;
  for (const FleetEntry& each : entries) out.push_back(each.entry.name);
  return out;
}

FleetDirectory read_fleet(const fs::path& folder, Findings& findings) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    findings.error({folder.string(), 0}, "is not a directory");
    return {};
  }
  if (!fs::is_regular_file(folder / "fleet.yaml", error)) {
    findings.error({"fleet.yaml", 0}, "is missing",
                   fmt::format("is {} a fleet directory?", folder.string()));
    return {};
  }
  return Reader(folder, findings).read();
}

}  // namespace farboot
