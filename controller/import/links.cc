#include "controller/import/links.h"

#include <algorithm>
#include <set>
#include <vector>

#include "common/content/manifest.h"

namespace farboot {
namespace {

constexpr std::size_t kHopsMax = 40;   ///< as Linux: links met while one path is walked
constexpr std::size_t kNestedMax = 8;  ///< directory links inside directory links
/// Links met inside directory links: a few hundred in real trees, but every directory linked to
/// every other makes n^8 of them.
constexpr std::size_t kInnerLinksMax = 50'000;
constexpr std::size_t kNamesMax = 2 * kManifestFilesMax;  ///< also those that repeat

std::string parent_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? "" : path.substr(0, slash));
}

std::string joined_path(std::string_view directory, std::string_view rest) {
  if (directory.empty()) return std::string(rest);
  return rest.empty() ? std::string(directory) : fmt::format("{}/{}", directory, rest);
}

class Resolver {
 public:
  Resolver(const Listing& listing, const std::function<Result<void>()>& tick) : tick_(tick) {
    for (const SourceFile& file : listing.files) files_.insert(file.path);
    for (const SourceLink& link : listing.links) links_.emplace(link.path, &link);
  }

  Result<std::map<std::string, std::string>> run() {
    for (const auto& [path, link] : links_) {
      auto ok = add(path, path, {});
      if (!ok) return ok.error();
    }
    return std::move(aliases_);
  }

 private:
  bool is_directory(const std::string& path) const {
    if (path.empty()) return true;
    const std::string prefix = path + "/";
    const auto file = files_.lower_bound(prefix);
    if (file != files_.end() && file->starts_with(prefix)) return true;
    const auto link = links_.lower_bound(prefix);
    return link != links_.end() && link->first.starts_with(prefix);
  }

  /// The real path of `path`, every link on the way followed.
  Result<std::string> real_path(std::string path, const std::string& of, std::size_t hops) const {
    std::size_t end = 0;
    while (end != std::string::npos) {
      end = path.find('/', end == 0 ? 0 : end + 1);
      const std::string head = path.substr(0, end);
      const auto link = links_.find(head);
      if (link == links_.end()) continue;
      if (++hops > kHopsMax) return fail(Errc::invalid, "link {}: runs in circles", printable(of));
      const std::string rest = end == std::string::npos ? "" : path.substr(end + 1);
      const SourceLink& via = *link->second;
      auto target = via.kind == SourceLink::Kind::hard
                        ? Result<std::string>(via.target)
                        : join_tree_path(parent_of(via.path), via.target);
      if (!target)
        return fail(Errc::invalid, "link {}: leaves the tree (to '{}')", printable(of),
                    printable(via.target));
      return real_path(joined_path(*target, rest), of, hops);
    }
    return path;
  }

  /// Adds what the link at `link` stands for under the name `alias`.
  Result<void> add(const std::string& alias, const std::string& link,
                   std::vector<std::string> inside) {
    if (!inside.empty() && ++inner_links_ > kInnerLinksMax)
      return fail(Errc::exhausted, "link {}: directory links lie in each other over {} times",
                  printable(link), kInnerLinksMax);
    if (tick_) {
      auto ok = tick_();
      if (!ok) return ok.error();
    }
    auto target = real_path(link, link, 0);
    if (!target) return target.error();
    if (files_.contains(*target)) return add_file(alias, *target);
    if (!is_directory(*target))
      return fail(Errc::invalid, "link {}: points to '{}', which is not in the tree",
                  printable(link), printable(*target));
    const bool looping = std::find(inside.begin(), inside.end(), *target) != inside.end();
    if (looping || inside.size() >= kNestedMax) return {};
    inside.push_back(*target);
    const std::string prefix = target->empty() ? "" : *target + "/";
    for (auto file = files_.lower_bound(prefix); file != files_.end() && file->starts_with(prefix);
         ++file) {
      auto ok = add_file(joined_path(alias, file->substr(prefix.size())), *file);
      if (!ok) return ok.error();
    }
    for (auto each = links_.lower_bound(prefix);
         each != links_.end() && each->first.starts_with(prefix); ++each) {
      auto ok = add(joined_path(alias, each->first.substr(prefix.size())), each->first, inside);
      if (!ok) return ok.error();
    }
    return {};
  }

  Result<void> add_file(const std::string& alias, const std::string& file) {
    if (!is_tree_path(alias))
      return fail(Errc::invalid, "link {}: not a path a tree may hold", printable(alias));
    aliases_.emplace(alias, file);
    if (aliases_.size() > kManifestFilesMax || ++names_ > kNamesMax)
      return fail(Errc::exhausted, "links stand for more than {} files", kManifestFilesMax);
    return {};
  }

  std::set<std::string> files_;
  std::map<std::string, const SourceLink*> links_;
  std::map<std::string, std::string> aliases_;
  const std::function<Result<void>()>& tick_;
  std::size_t inner_links_ = 0;
  std::size_t names_ = 0;
};

}  // namespace

Result<std::map<std::string, std::string>> resolve_links(
    const Listing& listing, const std::function<Result<void>()>& tick) {
  return Resolver(listing, tick).run();
}

Result<std::string> join_tree_path(std::string_view base, std::string_view path) {
  if (path.starts_with('/') || path.size() > kPathBytesMax)
    return fail(Errc::invalid, "path '{}': leaves the tree", printable(path));
  std::vector<std::string_view> parts;
  for (std::string_view rest : {base, path}) {
    while (!rest.empty()) {
      const std::string_view part = rest.substr(0, rest.find('/'));
      rest.remove_prefix(std::min(rest.size(), part.size() + 1));
      if (part.empty() || part == ".") continue;
      if (part != "..") {
        parts.push_back(part);
      } else if (parts.empty()) {
        return fail(Errc::invalid, "path '{}': leaves the tree", printable(path));
      } else {
        parts.pop_back();
      }
    }
  }
  std::string joined;
  for (const std::string_view part : parts) joined = joined_path(joined, part);
  return joined;
}

}  // namespace farboot
