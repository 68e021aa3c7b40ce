#include <algorithm>

#include "controller/api/convert.h"

namespace farboot {
namespace {

constexpr std::size_t kEntriesMax = 10'000;
constexpr std::size_t kAssetsMax = 50'000;
constexpr std::size_t kCommentBytesMax = 4096;

template <class Map>
std::map<std::string, std::string> texts(const Map& map) {
  return {map.begin(), map.end()};
}

Result<EntryKind> from_proto(v1::EntryKind kind) {
  switch (kind) {
    case v1::ENTRY_KIND_INSTALL: return EntryKind::install;
    case v1::ENTRY_KIND_TOOL: return EntryKind::tool;
    case v1::ENTRY_KIND_WINPE: return EntryKind::winpe;
    case v1::ENTRY_KIND_SHELL: return EntryKind::shell;
    case v1::ENTRY_KIND_LOCAL: return EntryKind::local;
    default: return fail(Errc::invalid, "kind {}: not known", static_cast<int>(kind));
  }
}

/// What the text says is judged with the whole release.
Result<std::vector<MenuItem>> menu_items(
    const google::protobuf::RepeatedPtrField<v1::MenuItem>& items, std::size_t depth = 0) {
  std::vector<MenuItem> out;
  if (depth > kMenuDepthMax)
    return fail(Errc::invalid, "menu: menus in menus over {} deep", kMenuDepthMax);
  for (const v1::MenuItem& item : items) {
    MenuItem& made = out.emplace_back();
    switch (item.line_case()) {
      case v1::MenuItem::kEntry: made.name = item.entry(); break;
      case v1::MenuItem::kGap:
        made.kind = MenuItem::Kind::gap;
        made.title = item.gap();
        break;
      case v1::MenuItem::kMenu: {
        auto within = menu_items(item.menu().items(), depth + 1);
        if (!within) return within.error();
        made = MenuItem::menu(item.menu().name(), item.menu().title(), std::move(*within),
                              item.menu().key());
        break;
      }
      case v1::MenuItem::LINE_NOT_SET:
        return fail(Errc::invalid, "menu: a line is neither entry, gap nor menu");
    }
  }
  return out;
}

Result<Menu> from_proto(const v1::MenuSpec& spec) {
  Menu out;
  out.title = spec.title();
  out.timeout = Seconds(spec.timeout_seconds());
  out.default_entry = spec.default_entry();
  out.picture = spec.picture();
  out.template_name = spec.template_name();
  if (spec.items().empty()) {
    out.entries = {spec.entries().begin(), spec.entries().end()};
    return out;
  }
  auto items = menu_items(spec.items());
  if (!items) return items.error();
  out.entries = std::move(*items);
  return out;
}

Result<BootEntry> from_proto(const v1::EntrySpec& spec) {
  BootEntry out;
  out.name = spec.name();
  out.title = spec.title();
  const auto kind = from_proto(spec.kind());
  if (!kind) return prefix(fmt::format("entry {}", printable(spec.name())), kind.error());
  out.kind = *kind;
  out.image = spec.image();
  out.kickstart = spec.kickstart();
  out.args = spec.args();
  out.args_style = spec.args_style();
  out.key = spec.key();
  out.variables = texts(spec.variables());
  out.boot = texts(spec.boot().by_platform());
  for (const auto& [name, sources] : spec.files()) out.files[name] = texts(sources.by_platform());
  return out;
}

Result<FileEntry> from_proto(const v1::AssetSpec& spec) {
  FileEntry out;
  out.path = spec.path();
  out.mode = spec.mode() & 0777;
  out.size_bytes = spec.size_bytes();
  const auto digest = Digest::from_hex(spec.sha256());
  if (!digest) return digest.error();
  out.sha256 = *digest;
  for (const v1::AssetChunk& chunk : spec.chunks()) {
    const auto id = Digest::from_hex(chunk.sha256());
    if (!id) return id.error();
    out.chunks.push_back({*id, chunk.size_bytes()});
  }
  return out;
}

Result<Manifest> assets_from(const v1::FleetSpec& spec) {
  Manifest out;
  if (spec.assets_size() > static_cast<int>(kAssetsMax))
    return fail(Errc::invalid, "{} assets, at most {} are possible", spec.assets_size(),
                kAssetsMax);
  for (const v1::AssetSpec& asset : spec.assets()) {
    auto file = from_proto(asset);
    if (!file) return prefix(fmt::format("asset {}", printable(asset.path())), file.error());
    out.files.push_back(std::move(*file));
  }
  std::sort(out.files.begin(), out.files.end(),
            [](const FileEntry& a, const FileEntry& b) { return a.path < b.path; });
  // Checks paths, sizes and that none is there twice.
  const auto sound = encode_manifest(out);
  if (!sound) return prefix("assets", sound.error());
  return out;
}

/// What this controller would have to leave out is refused: nobody may believe in a limit that does
/// not hold.
Result<void> check_obeyed(const v1::SiteLimitsSpec& limits) {
  if (limits.wan_windows_size() > 0 || !limits.time_zone().empty())
    return fail(Errc::invalid,
                "limits: time windows are not obeyed by this version; leave wan_windows and "
                "time_zone out");
  return {};
}

Result<void> check_obeyed(const v1::RolloutPolicy& policy) {
  if (policy.self_boot_required())
    return fail(Errc::invalid,
                "policy: self_boot_required: is not obeyed by this version; leave it out");
  if (policy.has_install_failures_max())
    return fail(Errc::invalid,
                "policy: install_failures_max: is not obeyed by this version; leave it out");
  return {};
}

Result<SiteWish> from_proto(const v1::SiteSpec& spec) {
  const auto obeyed = check_obeyed(spec.limits());
  if (!obeyed) return prefix(fmt::format("site {}", printable(spec.name())), obeyed.error());
  SiteWish out;
  out.name = spec.name();
  out.labels = texts(spec.labels());
  out.variables = texts(spec.variables());
  out.limits = {spec.limits().wan_bytes_per_second(), spec.limits().installs_at_once_max()};
  for (const v1::HostSpec& host : spec.hosts()) {
    HostWish wish;
    wish.host.name = host.name();
    wish.host.macs = {host.macs().begin(), host.macs().end()};
    wish.host.uuid = host.uuid();
    wish.host.serial = host.serial();
    wish.host.entry = host.entry();
    wish.host.variables = texts(host.variables());
    wish.install = host.install();
    out.hosts.push_back(std::move(wish));
  }
  return out;
}

Seconds seconds_or(std::uint32_t seconds, Seconds otherwise) {
  return seconds == 0 ? otherwise : Seconds(seconds);
}

}  // namespace

Result<FleetWish> from_proto(const v1::FleetSpec& spec) {
  FleetWish out;
  if (spec.comment().size() > kCommentBytesMax)
    return fail(Errc::invalid, "comment: at most {} bytes", kCommentBytesMax);
  out.comment = spec.comment();
  out.variables = texts(spec.variables());
  auto menu = from_proto(spec.menu());
  if (!menu) return menu.error();
  out.menu = std::move(*menu);
  if (spec.entries_size() > static_cast<int>(kEntriesMax))
    return fail(Errc::invalid, "{} entries, at most {} are possible", spec.entries_size(),
                kEntriesMax);
  for (const v1::EntrySpec& entry : spec.entries()) {
    auto made = from_proto(entry);
    if (!made) return made.error();
    out.entries.push_back(std::move(*made));
  }
  out.kickstarts = texts(spec.kickstarts());
  out.menus = texts(spec.menus());
  out.snippets = texts(spec.snippets());
  auto assets = assets_from(spec);
  if (!assets) return assets.error();
  out.assets = std::move(*assets);
  const bool drawn = out.menu.picture.empty() || out.assets.find(out.menu.picture) != nullptr;
  if (!drawn)
    return fail(Errc::invalid, "menu: picture {}: is not among the assets",
                printable(out.menu.picture));
  for (const v1::SiteSpec& site : spec.sites()) {
    auto made = from_proto(site);
    if (!made) return made.error();
    out.sites.push_back(std::move(*made));
  }
  return out;
}

Result<RolloutWish> from_proto(const v1::StartRolloutRequest& request,
                               const std::string& started_by) {
  RolloutWish out;
  if (request.comment().size() > kCommentBytesMax)
    return fail(Errc::invalid, "comment: at most {} bytes", kCommentBytesMax);
  out.release = request.release();
  out.comment = request.comment();
  out.started_by = started_by;
  for (const v1::WaveSpec& wave : request.waves()) {
    RolloutWave made;
    made.name = wave.name().empty() ? fmt::format("wave{}", out.waves.size() + 1) : wave.name();
    if (!is_name(made.name))
      return fail(Errc::invalid, "wave {}: not a name", printable(made.name));
    made.selectors = {wave.selectors().begin(), wave.selectors().end()};
    made.soak = Seconds(wave.soak_seconds());
    out.waves.push_back(std::move(made));
  }
  const v1::RolloutPolicy& policy = request.policy();
  const auto obeyed = check_obeyed(policy);
  if (!obeyed) return obeyed.error();
  const RolloutPolicy usual;
  out.policy.sites_at_once_max =
      policy.sites_at_once_max() == 0 ? usual.sites_at_once_max : policy.sites_at_once_max();
  out.policy.failures_max = policy.failures_max();
  out.policy.offline =
      policy.offline() == v1::OFFLINE_POLICY_WAIT ? OfflinePolicy::wait : OfflinePolicy::skip;
  out.policy.on_failure =
      policy.on_failure() == v1::FAILURE_POLICY_RETURN ? FailurePolicy::back : FailurePolicy::hold;
  out.policy.offline_grace = seconds_or(policy.offline_grace_seconds(), usual.offline_grace);
  out.policy.stall = seconds_or(policy.stall_seconds(), usual.stall);
  out.policy.activate = seconds_or(policy.activate_seconds(), usual.activate);
  out.policy.error_grace = seconds_or(policy.error_grace_seconds(), usual.error_grace);
  return out;
}

}  // namespace farboot
