#include "agent/doctor/self_boot.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include "agent/boot/decide.h"
#include "agent/boot/machine.h"
#include "agent/doctor/machine.h"

namespace farboot::doctor {
namespace {

constexpr std::size_t kEntriesMax = 32;  ///< asked for by HEAD, for each kind of machine
constexpr std::uint32_t kXid = 0x66620001;
constexpr std::string_view kNoSuchFile = "farboot-doctor-asks-who-is-there";

std::string_view buildarch(Client client) {
  switch (client) {
    case Client::plain:
    case Client::ipxe:
    case Client::bios:
    case Client::uefi_ia32: return "i386";
    case Client::uefi_x64:
    case Client::http_x64: return "x86_64";
    case Client::uefi_arm64: return "arm64";
  }
  return "i386";
}

/// A kernel for machines of this kind. An image of no known architecture is for PCs.
bool suits(const Image& image, Client client) {
  if (image.facts.kernel.empty() || image.facts.initrd.empty()) return false;
  const std::string_view known = image.facts.arch;
  const std::string_view arch = known.empty() ? "x86_64" : known;
  return runs_on(arch, buildarch(client));
}

bool wanted(const Release& release, Client client) {
  if (client == Client::uefi_ia32) return false;  // hardly a machine left: not missed
  return std::any_of(release.entries.begin(), release.entries.end(), [&](const BootEntry& entry) {
    const Image* image = release.image(entry.image);
    return image != nullptr && suits(*image, client);
  });
}

class Walker {
 public:
  Walker(const SelfBoot& boot, const std::stop_token& stop)
      : boot_(boot),
        policy_(boot.policy),
        loaders_(boot.release.get()),
        wire_(boot.servers, boot.patience, stop),
        mac_(made_up_mac(boot.servers.address)) {
    policy_.denied = {};
    policy_.allowed = {};
    policy_.elsewhere = {};
  }

  SelfBootResult run();

 private:
  void check(std::string name, const Result<void>& answered);
  void check_ports();
  std::string loader_of(Client client) const;
  Result<std::string> boot_file(const Played& machine) const;
  Result<void> firmware(Client client, std::string& reached);
  Result<void> scripts(Client client, std::string& reached);
  Result<void> entries(Client client, std::string& reached);
  Result<void> content(const Image& image);
  Result<void> same(const Result<Fetched>& got, const FileEntry& wanted) const;
  Result<std::string> path_of(const std::string& url) const;

  const SelfBoot& boot_;
  dhcp::Policy policy_;
  ReleaseLoaders loaders_;
  WireClient wire_;
  Mac mac_;
  SelfBootResult result_;
  std::map<std::string, Result<void>> fetched_;  ///< by path: each file once
};

Error at(std::string_view step, const Error& error) { return prefix(step, error); }

/// A port that answers, if only by refusing, is open.
bool answers(const Error& error) {
  return error.code == Errc::not_found || error.code == Errc::unavailable;
}

void Walker::check(std::string name, const Result<void>& answered) {
  result_.ports.push_back({std::move(name), answered ? std::string() : answered.error().what});
}

void Walker::check_ports() {
  const auto tftp = wire_.tftp(std::string(kNoSuchFile));
  const bool tftp_answers = tftp || answers(tftp.error());
  check(fmt::format("TFTP, UDP port {}", boot_.servers.tftp_port),
        tftp_answers ? Result<void>() : tftp.error());
  const auto http = wire_.http_head("/v1/health");
  // Not even a connection is no answer.
  const bool http_answers = http || http.error().what.starts_with("status ");
  check(fmt::format("HTTP, TCP port {}", boot_.servers.http_port),
        http_answers ? Result<void>() : http.error());
  if (!boot_.asks_4011) return;
  const auto pxe =
      wire_.boot_server(boot_request(played(Client::ipxe, mac_), kXid, boot_.servers.address));
  check(fmt::format("PXE, UDP port {}", boot_.servers.pxe_port),
        pxe ? Result<void>() : pxe.error());
}

/// What proxyDHCP tells this machine: the offer's word, and that of port 4011 where it is asked.
Result<std::string> Walker::boot_file(const Played& machine) const {
  const dhcp::Arrival arrival{.port = dhcp::Port::dhcp,
                              .our_address = boot_.servers.address,
                              .source = {},
                              .source_port = 0};
  const auto decision = dhcp::decide(discover(machine, kXid), arrival, policy_, loaders_);
  if (const auto* silence = std::get_if<dhcp::Silence>(&decision))
    return fail(Errc::not_found, "DHCP: we would not answer: {}", dhcp::to_string(silence->why));
  const std::string offered = std::get<dhcp::Reply>(decision).boot_file;
  if (!boot_.asks_4011 || machine.client == Client::http_x64) return offered;
  const auto ack = wire_.boot_server(boot_request(machine, kXid + 1, boot_.servers.address));
  if (!ack) return at("port 4011", ack.error());
  if (ack->file != offered || ack->siaddr != boot_.servers.address)
    return fail(Errc::mismatch, "port 4011: names {} at {}, the offer {}", printable(ack->file),
                ack->siaddr.to_string(), offered);
  return offered;
}

Result<std::string> Walker::path_of(const std::string& url) const {
  const std::string host = "http://" + boot_.servers.address.to_string();
  const auto slash = url.find('/', host.size());
  if (!url.starts_with(host) || slash == std::string::npos)
    return fail(Errc::mismatch, "{}: is not ours", printable(url));
  return url.substr(slash);
}

Result<void> Walker::same(const Result<Fetched>& got, const FileEntry& file) const {
  if (!got) return got.error();
  if (got->size_bytes != file.size_bytes || got->sha256 != file.sha256)
    return fail(Errc::mismatch, "{} bytes came, which are not those of the release",
                got->size_bytes);
  return {};
}

Result<void> Walker::firmware(Client client, std::string& reached) {
  const auto named = boot_file(played(client, mac_));
  if (!named) return named.error();
  const bool by_http = client == Client::http_x64;
  const auto path = by_http ? path_of(*named) : named;
  if (!path) return at("HTTP", path.error());
  const std::string name = by_http ? path->substr(1) : *path;
  const FileEntry* file = loaders_.file(name);
  if (file == nullptr) return fail(Errc::not_found, "{}: is not in the release", printable(name));
  const std::string step = fmt::format("{} {}", by_http ? "HTTP" : "TFTP", name);
  const auto good = same(by_http ? wire_.http_get(*path) : wire_.tftp(name), *file);
  if (!good) return at(step, good.error());
  reached = fmt::format("{} by {}", name, by_http ? "HTTP" : "TFTP");
  return {};
}

Result<void> Walker::scripts(Client client, std::string& reached) {
  Played machine = played(Client::ipxe, mac_);
  machine.arch = client == Client::http_x64 ? architecture(Client::uefi_x64) : architecture(client);
  const auto url = boot_file(machine);
  if (!url) return at("iPXE", url.error());
  const auto path = path_of(*url);
  if (!path) return at("iPXE", path.error());
  const auto first = wire_.http_get(*path);
  if (!first) return at("HTTP " + *path, first.error());
  if (!first->beginning.starts_with("#!ipxe"))
    return fail(Errc::invalid, "HTTP {}: is not a script of iPXE's", *path);
  const std::string platform = client == Client::bios ? "pcbios" : "efi";
  const std::string own = fmt::format("/boot/{}.ipxe?buildarch={}&platform={}", mac_.to_string(),
                                      buildarch(client), platform);
  if (auto script = wire_.http_head(own); !script) return at("HTTP " + own, script.error());
  reached += ", " + path->substr(1) + ", menu";
  const Release& release = boot_.release->release;
  std::size_t asked = 0;
  for (const BootEntry& entry : release.entries) {
    const Image* image = release.image(entry.image);
    if (image == nullptr || !suits(*image, client) || ++asked > kEntriesMax) continue;
    const std::string chosen = own + "&entry=" + url_value(entry.name);
    if (auto script = wire_.http_head(chosen); !script) return at("HTTP " + chosen, script.error());
  }
  return {};
}

Result<void> Walker::content(const Image& image) {
  for (const std::string& path : {image.facts.kernel, image.facts.initrd}) {
    const CatalogFile file = boot_.release->find(image.manifest, path);
    if (file.entry == nullptr)
      return fail(Errc::not_found, "{}: is not in the release", printable(path));
    const std::string url = fmt::format("/t/{}/{}", image.manifest.hex(), url_path(path));
    auto known = fetched_.find(url);
    if (known == fetched_.end())
      known = fetched_.emplace(url, same(wire_.http_get(url), *file.entry)).first;
    if (!known->second) return at("HTTP " + path, known->second.error());
  }
  return {};
}

/// Every byte of the first image that suits; of the others that they are there.
Result<void> Walker::entries(Client client, std::string& reached) {
  std::set<Digest> seen;
  const Release& release = boot_.release->release;
  for (const BootEntry& entry : release.entries) {
    const Image* image = release.image(entry.image);
    if (image == nullptr || !suits(*image, client) || seen.size() > kEntriesMax ||
        !seen.insert(image->manifest).second)
      continue;
    if (seen.size() == 1) {
      if (auto good = content(*image); !good) return at(entry.image, good.error());
      reached += fmt::format(", kernel and initrd of {}", entry.image);
      continue;
    }
    for (const std::string& path : {image->facts.kernel, image->facts.initrd}) {
      const auto there =
          wire_.http_head(fmt::format("/t/{}/{}", image->manifest.hex(), url_path(path)));
      if (!there) return at(entry.image, at("HTTP " + path, there.error()));
    }
  }
  return {};
}

std::string Walker::loader_of(Client client) const {
  const dhcp::Arrival arrival{.port = dhcp::Port::dhcp,
                              .our_address = boot_.servers.address,
                              .source = {},
                              .source_port = 0};
  const auto decision =
      dhcp::decide(discover(played(client, mac_), kXid), arrival, policy_, loaders_);
  const auto* reply = std::get_if<dhcp::Reply>(&decision);
  return reply == nullptr ? std::string() : reply->boot_file;
}

SelfBootResult Walker::run() {
  check_ports();
  if (!boot_.release) return std::move(result_);
  for (const Client client :
       {Client::bios, Client::uefi_ia32, Client::uefi_x64, Client::uefi_arm64})
    result_.loaders.push_back({client, loader_of(client), wanted(boot_.release->release, client)});
  // What no port answers is waited for once, not by every machine.
  const auto silent = std::find_if(result_.ports.begin(), result_.ports.end(),
                                   [](const PortCheck& port) { return !port.trouble.empty(); });
  for (const Client client : kClients) {
    if (!is_firmware(client) || loader_of(client).empty()) continue;
    Walk walk;
    walk.client = client;
    if (silent != result_.ports.end()) {
      walk.stopped = silent->name + ": " + silent->trouble;
    } else {
      auto done = firmware(client, walk.reached);
      if (done) done = scripts(client, walk.reached);
      if (done) done = entries(client, walk.reached);
      if (!done) walk.stopped = done.error().what;
    }
    result_.walks.push_back(std::move(walk));
  }
  return std::move(result_);
}

}  // namespace

const FileEntry* ReleaseLoaders::file(std::string_view name) const {
  if (release_ == nullptr || !release_->release.loaders) return nullptr;
  return release_->find(*release_->release.loaders, name).entry;
}

std::vector<std::string> ReleaseLoaders::names() const {
  std::vector<std::string> all;
  if (release_ == nullptr || !release_->release.loaders) return all;
  const auto tree = release_->trees.find(*release_->release.loaders);
  if (tree == release_->trees.end()) return all;
  for (const FileEntry& file : tree->second->files) all.push_back(file.path);
  return all;
}

SelfBootResult self_boot(const SelfBoot& boot, const std::stop_token& stop) {
  return Walker(boot, stop).run();
}

}  // namespace farboot::doctor
