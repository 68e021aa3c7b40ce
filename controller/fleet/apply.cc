#include "controller/fleet/apply.h"

#include <algorithm>

#include "common/base/log.h"
#include "controller/fleet/entry_needs.h"
#include "controller/fleet/release_notes.h"
#include "controller/fleet/removed_site.h"
#include "controller/fleet/template_needs.h"

namespace farboot {

struct Applier::Candidate {
  Release release;
  std::optional<StoredRelease> newest;
  std::vector<ImageRecord> images;  ///< the release's
  std::vector<Site> sites;          ///< all there will be
  std::vector<Site> removed;
  FleetDiff diff;
};

namespace {

constexpr std::size_t kBrokenShownMax = 10;

/// Puts the full name@tag into the entries and collects the images they name.
Result<std::vector<ImageRecord>> resolve_images(const ImageBook& book, Release& release) {
  std::map<std::string, ImageRecord> used;
  for (BootEntry& entry : release.entries) {
    if (entry.image.empty()) continue;
    auto record = book.find(entry.image);
    if (!record) return prefix(fmt::format("entry {}", entry.name), record.error());
    entry.image = record->id();
    used.emplace(record->id(), std::move(*record));
  }
  std::vector<ImageRecord> out;
  for (auto& [id, record] : used) {
    release.images.push_back(record.image);
    out.push_back(std::move(record));
  }
  return out;
}

Result<std::map<std::string, Manifest>> trees_of(const ContentStore& content,
                                                 const Release& release,
                                                 const std::vector<std::string>& images) {
  std::map<std::string, Manifest> trees;
  for (const std::string& image : images) {
    auto tree = get_manifest(content, release.image(image)->manifest);
    if (!tree) return prefix("image " + image, tree.error());
    trees.emplace(image, std::move(*tree));
  }
  return trees;
}

Result<std::vector<Site>> merge_sites(const StateStore& state, const std::vector<Site>& before,
                                      const FleetWish& wish) {
  if (wish.sites.size() > kSitesMax)
    return fail(Errc::invalid, "{} sites, at most {} are possible", wish.sites.size(), kSitesMax);
  std::vector<Site> out;
  std::set<std::string> names;
  std::map<std::string, std::string> macs;
  for (SiteWish wanted : wish.sites) {
    const auto good = normalise_site(wanted);
    if (!good) return good.error();
    if (!names.insert(wanted.name).second)
      return fail(Errc::invalid, "site {}: named twice", wanted.name);
    for (const HostWish& host : wanted.hosts) {
      const std::string id = wanted.name + "/" + host.host.name;
      for (const std::string& mac : host.host.macs) {
        const auto [other, fresh] = macs.emplace(mac, id);
        if (!fresh)
          return fail(Errc::invalid, "host {}: mac {} is {}'s already", id, mac, other->second);
      }
      const std::string& entry = host.host.entry;
      const auto named = [&](const BootEntry& each) { return each.name == entry; };
      if (!entry.empty() && std::none_of(wish.entries.begin(), wish.entries.end(), named))
        return fail(Errc::invalid, "host {}: entry {}: does not exist", id, entry);
    }
    const auto same = [&](const Site& each) { return each.name == wanted.name; };
    const auto old = std::find_if(before.begin(), before.end(), same);
    const auto known = old == before.end() ? removed_site(state, wanted.name) : Result<Site>(*old);
    if (!known) return known.error();
    out.push_back(merge_site(*known, wanted));
  }
  std::sort(out.begin(), out.end(), [](const Site& a, const Site& b) { return a.name < b.name; });
  return out;
}

}  // namespace

Result<Applier::Candidate> Applier::candidate(const FleetWish& wish,
                                              const std::set<std::string>& occupied) const {
  Candidate made;
  Release& release = made.release;
  release.comment = wish.comment;
  release.entries = wish.entries;
  release.menu = wish.menu;
  release.variables = wish.variables;
  release.kickstarts = wish.kickstarts;
  release.menus = wish.menus;
  release.snippets = wish.snippets;
  const auto variables = check_variables("fleet", wish.variables);
  if (!variables) return variables.error();
  auto images = resolve_images(parts_.images, release);
  if (!images) return images.error();
  made.images = std::move(*images);
  const auto loaders = parts_.images.loaders();
  if (!loaders) return loaders.error();
  if (*loaders)
    release.loaders = (*loaders)->manifest;
  else
    made.diff.notes.emplace_back(
        "no boot loaders are imported yet: machines cannot boot from this release; "
        "run `farboot loader import`, then apply again");
  if (!wish.assets.files.empty()) {
    const auto stored = to_stored(wish.assets);
    if (!stored) return prefix("assets", stored.error());
    release.assets = stored->digest;
  }
  std::vector<std::string> loader_paths;
  if (*loaders)
    for (const LoaderFile& file : (*loaders)->files) loader_paths.push_back(file.path);
  const auto trees = trees_of(parts_.content, release, images_looked_into(release));
  if (!trees) return trees.error();
  const auto needs = check_entry_needs(release, wish.assets, loader_paths, *trees);
  if (!needs) return needs.error();

  auto newest = parts_.releases.newest();
  if (!newest) return newest.error();
  made.newest = std::move(*newest);
  // Signed into nothing: finds whatever does not hold together before anything is stored.
  Transaction unused;
  auto sound = parts_.releases.prepare(release, made.newest, parts_.clock.wall(), unused);
  if (!sound) return sound.error();
  release = std::move(sound->release);

  const auto before = parts_.fleet.sites();
  if (!before) return before.error();
  auto sites = merge_sites(parts_.state, *before, wish);
  if (!sites) return sites.error();
  made.sites = std::move(*sites);
  for (std::string& note : release_notes(release, made.sites, parts_.fleet.reports().agents()))
    made.diff.notes.push_back(std::move(note));
  const auto served = check_served(*before, made);
  if (!served) return served.error();
  for (const Site& old : *before) {
    const auto same = [&](const Site& each) { return each.name == old.name; };
    if (std::any_of(made.sites.begin(), made.sites.end(), same)) continue;
    if (occupied.contains(old.name))
      return fail(Errc::conflict,
                  "site {}: is no longer in the fleet directory, but has enrolled agents; put its "
                  "file back, or first run `farboot agent revoke` for each of them",
                  old.name);
    made.removed.push_back(old);
  }

  std::optional<Manifest> old_assets;
  if (made.newest && made.newest->release.assets) {
    auto read = get_manifest(parts_.content, *made.newest->release.assets);
    if (read) old_assets = std::move(*read);
  }
  const Items old_items =
      made.newest ? release_items(made.newest->release, old_assets ? &*old_assets : nullptr)
                  : Items{};
  made.diff.release = compare(old_items, release_items(release, &wish.assets));
  made.diff.sites = compare(site_items(*before), site_items(made.sites));
  made.diff.newest_release = made.newest ? made.newest->release.number : 0;
  return made;
}

/// Variables of sites and hosts take effect at once, templates with a rollout: what is served until
/// then must go on with the new variables. A new host's trouble is only noted.
Result<void> Applier::check_served(const std::vector<Site>& before, Candidate& made) const {
  std::vector<std::string> lost;
  for (const Site& site : made.sites) {
    const auto same = [&](const Site& each) { return each.name == site.name; };
    const auto old = std::find_if(before.begin(), before.end(), same);
    if (old == before.end() || (old->variables == site.variables && old->hosts == site.hosts))
      continue;
    const auto desired = parts_.fleet.desired(site.name);
    if (!desired) return desired.error();
    std::set<Digest> held;
    for (const auto& release : {desired->serve, desired->stage})
      if (release) held.insert(*release);
    for (const Digest& digest : held) {
      const auto release = parts_.releases.find(digest);
      if (!release) return release.error();
      for (const BrokenTemplate& broken : newly_broken(release->release, *old, site)) {
        const std::string line =
            fmt::format("sites/{}.yaml: {}", site.name, to_string(broken, release->release));
        if (broken.fresh)
          made.diff.notes.push_back(line + "; it cannot be installed before the next rollout");
        else
          lost.push_back(line);
      }
    }
  }
  if (lost.empty()) return {};
  std::string what;
  for (std::size_t i = 0; i < lost.size() && i < kBrokenShownMax; ++i) what += lost[i] + "\n";
  return fail(Errc::conflict,
              "{}{} what is served now would no longer install: variables of sites and hosts take "
              "effect at once, templates with a rollout. Keep the old name beside the new one "
              "until the new release is rolled out",
              what,
              lost.size() > kBrokenShownMax
                  ? fmt::format("and {} more:", lost.size() - kBrokenShownMax)
                  : "so");
}

Result<FleetDiff> Applier::diff(const FleetWish& wish,
                                const std::set<std::string>& occupied) const {
  auto made = candidate(wish, occupied);
  if (!made) return made.error();
  return std::move(made->diff);
}

Result<Applied> Applier::apply(const FleetWish& wish, const std::set<std::string>& occupied) {
  for (int attempt = 0; attempt < kCommitAttemptsMax; ++attempt) {
    auto made = candidate(wish, occupied);
    if (!made) return made.error();
    auto applied = commit(wish, std::move(*made));
    if (!applied) return applied.error();
    if (*applied) return std::move(**applied);
  }
  return fail(Errc::conflict, "others keep changing the fleet; try again");
}

/// nullopt: somebody else committed in between.
Result<std::optional<Applied>> Applier::commit(const FleetWish& wish, Candidate made) {
  if (!wish.assets.files.empty()) {
    std::vector<Digest> chunks;
    for (const FileEntry& file : wish.assets.files)
      for (const ChunkRef& chunk : file.chunks) chunks.push_back(chunk.id);
    const auto missing = parts_.content.missing(chunks);
    if (!missing) return missing.error();
    if (!missing->empty())
      return fail(Errc::not_found, "assets: chunk {}: was not sent", missing->front().short_hex());
    const auto put = put_manifest(parts_.content, wish.assets);
    if (!put) return prefix("assets", put.error());
  }
  Transaction transaction;
  Applied applied;
  applied.diff = std::move(made.diff);
  applied.new_release = !made.newest || !same_content(made.release, made.newest->release);
  if (applied.new_release) {
    auto stored =
        parts_.releases.prepare(made.release, made.newest, parts_.clock.wall(), transaction);
    if (!stored) return stored.error();
    applied.release = std::move(*stored);
    for (const ImageRecord& record : made.images) ImageBook::touch(transaction, record);
  } else {
    applied.release = std::move(*made.newest);
  }
  for (const Site& site : made.sites) {
    const auto put = parts_.fleet.put_site(transaction, site);
    if (!put) return put.error();
  }
  for (const Site& site : made.removed) {
    const auto removed = parts_.fleet.remove_site(transaction, site);
    if (!removed) return removed.error();
  }
  if (!transaction.writes.empty()) {
    const auto done = parts_.state.commit(transaction);
    if (!done && done.error().code == Errc::conflict) return std::optional<Applied>();
    if (!done) return done.error();
    parts_.fleet.changed().notify();
  }
  log::info("fleet.applied", log::kv("release", applied.release.release.number),
            log::kv("new_release", applied.new_release),
            log::kv("release_changes", applied.diff.release.size()),
            log::kv("site_changes", applied.diff.sites.size()));
  return std::optional(std::move(applied));
}

}  // namespace farboot
