#include "controller/cli/fleet_spec.h"

#include <fstream>
#include <optional>

#include "common/content/digest.h"
#include "common/content/manifest.h"

namespace farboot {
namespace {

constexpr std::size_t kPartBytes = 512 * 1024;  ///< a part is sent when it is longer than this

v1::EntryKind to_proto(EntryKind kind) {
  switch (kind) {
    case EntryKind::install: return v1::ENTRY_KIND_INSTALL;
    case EntryKind::tool: return v1::ENTRY_KIND_TOOL;
    case EntryKind::winpe: return v1::ENTRY_KIND_WINPE;
    case EntryKind::shell: return v1::ENTRY_KIND_SHELL;
    case EntryKind::local: return v1::ENTRY_KIND_LOCAL;
  }
  return v1::ENTRY_KIND_UNSPECIFIED;
}

template <class Map>
void fill(const Variables& from, Map& to) {
  for (const auto& [name, value] : from) to[name] = value;
}

/// The file's bytes, at most a chunk at a time. False from `take` ends it.
Result<void> read_pieces(const FleetAsset& asset, const std::function<bool(ByteView)>& take) {
  std::ifstream in(asset.path, std::ios::binary);
  Bytes buffer(kChunkBytesMax);
  while (in) {
    in.read(reinterpret_cast<char*>(buffer.data()), static_cast<std::streamsize>(buffer.size()));
    const auto got = static_cast<std::size_t>(in.gcount());
    if (got > 0 && !take(ByteView(buffer).first(got))) return {};
  }
  if (!in.eof()) return fail(Errc::not_found, "{}: cannot be read", asset.path.string());
  return {};
}

class Sender {
 public:
  Sender(const FleetDirectory& fleet, const std::function<bool(const v1::FleetSpec&)>& send)
      : fleet_(fleet), send_(send) {}

  Result<void> run(const std::string& comment, Pieces pieces) {
    part_.set_comment(comment);
    fill(fleet_.variables.values, *part_.mutable_variables());
    menu();
    for (const FleetEntry& entry : fleet_.entries) add_entry(entry.entry);
    for (const auto& [name, text] : fleet_.kickstarts) {
      (*part_.mutable_kickstarts())[name] = text.text;
      flush(kPartBytes);
    }
    for (const auto& [name, text] : fleet_.menus) {
      (*part_.mutable_menus())[name] = text.text;
      flush(kPartBytes);
    }
    for (const auto& [name, text] : fleet_.snippets) {
      (*part_.mutable_snippets())[name] = text.text;
      flush(kPartBytes);
    }
    for (const auto& [path, asset] : fleet_.assets) {
      const auto added = add_asset(path, asset);
      if (!added) return added.error();
    }
    for (const FleetSite& site : fleet_.sites) {
      add_site(site);
      flush(kPartBytes);
    }
    flush(0);
    if (pieces == Pieces::leave_out) {
      send_held(false);
      return {};
    }
    for (const auto& [path, asset] : fleet_.assets) {
      const auto sent = read_pieces(asset, [&](ByteView piece) {
        part_.add_pieces()->set_content(std::string(as_text(piece)));
        return flush(kPartBytes);
      });
      if (!sent) return sent.error();
    }
    flush(1);
    send_held(false);
    return {};
  }

 private:
  /// Sends the part before this one if this one has more than `bytes`, and keeps it in its place.
  bool flush(std::size_t bytes) {
    if (part_.ByteSizeLong() < bytes || !listening_) return listening_;
    if (held_) send_held(true);
    held_.emplace();
    held_->Swap(&part_);
    return listening_;
  }

  /// `more`: another part follows. In a piece where there are any: an older controller takes no
  /// other field beside them.
  void send_held(bool more) {
    if (!listening_) return;
    for (v1::AssetPiece& piece : *held_->mutable_pieces()) piece.set_more(true);
    if (held_->pieces().empty())
      held_->set_more(more);
    else
      held_->mutable_pieces()->rbegin()->set_more(more);
    listening_ = send_(*held_);
  }

  void menu() {
    const Menu& menu = fleet_.menu.menu;
    v1::MenuSpec& out = *part_.mutable_menu();
    out.set_title(menu.title);
    out.set_timeout_seconds(static_cast<std::uint32_t>(menu.timeout.count()));
    out.set_default_entry(menu.default_entry);
    out.set_picture(menu.picture);
    out.set_template_name(menu.template_name);
    for (const std::string& line : flat_lines(menu.entries)) out.add_entries(line);
    if (has_menus(menu.entries))
      for (const MenuItem& item : menu.entries) fill_item(item, *out.add_items());
  }

  static void fill_item(const MenuItem& item, v1::MenuItem& out) {
    switch (item.kind) {
      case MenuItem::Kind::entry: out.set_entry(item.name); return;
      case MenuItem::Kind::gap: out.set_gap(item.title); return;
      case MenuItem::Kind::menu: break;
    }
    v1::SubMenu& menu = *out.mutable_menu();
    menu.set_name(item.name);
    menu.set_title(item.title);
    menu.set_key(item.key);
    for (const MenuItem& each : item.items) fill_item(each, *menu.add_items());
  }

  void add_entry(const BootEntry& entry) {
    v1::EntrySpec& out = *part_.add_entries();
    out.set_name(entry.name);
    out.set_title(entry.title);
    out.set_kind(to_proto(entry.kind));
    out.set_image(entry.image);
    out.set_kickstart(entry.kickstart);
    out.set_args(entry.args);
    out.set_args_style(entry.args_style);
    out.set_key(entry.key);
    fill(entry.variables, *out.mutable_variables());
    if (!entry.boot.empty()) fill(entry.boot, *out.mutable_boot()->mutable_by_platform());
    for (const auto& [name, sources] : entry.files)
      fill(sources, *(*out.mutable_files())[name].mutable_by_platform());
  }

  Result<void> add_asset(const std::string& path, const FleetAsset& asset) {
    v1::AssetSpec& out = *part_.add_assets();
    out.set_path(path);
    out.set_mode(0644);
    Sha256 whole;
    std::uint64_t size = 0;
    const auto read = read_pieces(asset, [&](ByteView piece) {
      v1::AssetChunk& chunk = *out.add_chunks();
      chunk.set_sha256(sha256(piece).hex());
      chunk.set_size_bytes(static_cast<std::uint32_t>(piece.size()));
      whole.update(piece);
      size += piece.size();
      return true;
    });
    if (!read) return read.error();
    out.set_size_bytes(size);
    out.set_sha256(whole.finish().hex());
    return {};
  }

  void add_site(const FleetSite& site) {
    v1::SiteSpec& out = *part_.add_sites();
    out.set_name(site.name);
    fill(site.labels, *out.mutable_labels());
    fill(site.variables.values, *out.mutable_variables());
    out.mutable_limits()->set_wan_bytes_per_second(site.limits.wan_bytes_per_second);
    out.mutable_limits()->set_installs_at_once_max(site.limits.installs_at_once_max);
    for (const FleetHost& host : site.hosts) {
      v1::HostSpec& made = *out.add_hosts();
      made.set_name(host.host.name);
      for (const std::string& mac : host.host.macs) made.add_macs(mac);
      made.set_uuid(host.host.uuid);
      made.set_serial(host.host.serial);
      made.set_entry(host.host.entry);
      made.set_install(host.install);
      fill(host.variables.values, *made.mutable_variables());
    }
  }

  const FleetDirectory& fleet_;
  const std::function<bool(const v1::FleetSpec&)>& send_;
  v1::FleetSpec part_;
  std::optional<v1::FleetSpec> held_;  ///< whole, and not sent before it is known what follows
  bool listening_ = true;
};

}  // namespace

Result<void> send_fleet(const FleetDirectory& fleet, const std::string& comment, Pieces pieces,
                        const std::function<bool(const v1::FleetSpec&)>& send) {
  return Sender(fleet, send).run(comment, pieces);
}

}  // namespace farboot
