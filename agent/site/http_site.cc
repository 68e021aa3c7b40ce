#include "agent/site/http_site.h"

#include <utility>

namespace farboot {
namespace {

MachineFacts to_facts(ScriptRequest request) {
  return {.mac = std::move(request.mac),
          .uuid = std::move(request.uuid),
          .serial = std::move(request.serial),
          .manufacturer = std::move(request.manufacturer),
          .product = std::move(request.product),
          .asset = std::move(request.asset),
          .buildarch = std::move(request.buildarch),
          .platform = std::move(request.platform),
          .client = std::move(request.client)};
}

InstallRow to_row(const HostStatus& status) {
  InstallRow row;
  row.host = status.host;
  row.entry = status.entry;
  row.state = to_string(status.phase);
  row.percent = status.percent;
  row.since = status.since;
  return row;
}

}  // namespace

HttpSite::HttpSite(BootService& boot, const HostBook& hosts,
                   std::function<LinkStatus()> link_status, Others others)
    : boot_(boot),
      hosts_(hosts),
      link_status_(std::move(link_status)),
      others_(std::move(others)) {}

std::string HttpSite::boot_first(std::string_view server) const {
  return boot_.first_script(server);
}

Task<std::string> HttpSite::boot_script(ScriptRequest request) {
  std::string server = request.server;
  const Asking asking = request.head ? Asking::head : Asking::get;
  MachineFacts facts = to_facts(std::move(request));
  co_return co_await boot_.boot_script(std::move(facts), std::move(server), asking);
}

Task<Result<std::string>> HttpSite::entry_script(ScriptRequest request, std::string entry) {
  std::string server = request.server;
  const Asking asking = request.head ? Asking::head : Asking::get;
  MachineFacts facts = to_facts(std::move(request));
  co_return co_await boot_.entry_script(std::move(facts), std::move(entry), std::move(server),
                                        asking);
}

std::string HttpSite::grub_first(std::string_view server) const { return boot_.grub_first(server); }

Task<Result<std::string>> HttpSite::grub_script(GrubRequest request) {
  auto asked = parse_grub_path(request.path);
  if (!asked) co_return fail(Errc::not_found, "{}: no machine asks so", printable(request.path));
  co_return co_await boot_.grub_script(std::move(*asked), std::move(request.client),
                                       std::move(request.server), GrubRoot::http,
                                       request.head ? Asking::head : Asking::get);
}

Result<std::string> HttpSite::menu_script(ScriptRequest request, const std::string& menu) const {
  std::string server = request.server;
  return boot_.menu_script(to_facts(std::move(request)), menu, std::move(server));
}

Task<Result<std::string>> HttpSite::kickstart(KickstartRequest request) {
  KickstartAsk ask;
  ask.token = std::move(request.token);
  ask.client = std::move(request.client);
  ask.macs = std::move(request.macs);
  ask.serial = std::move(request.serial);
  const Asking asking = request.head ? Asking::head : Asking::get;
  co_return co_await boot_.kickstart(std::move(ask), std::move(request.server), asking);
}

Task<Result<void>> HttpSite::event(EventRequest request) {
  MachineEvent event;
  event.token = std::move(request.token);
  event.event = std::move(request.event);
  event.detail = std::move(request.detail);
  co_return co_await boot_.on_event(std::move(event));
}

void HttpSite::fetched(std::string_view client, const CatalogFile& file) {
  boot_.on_fetched(client, file);
}

SiteStatus HttpSite::status() const {
  const LinkStatus link = link_status_();
  SiteStatus status;
  status.site = hosts_.site().name;
  status.agent = link.agent;
  status.connected = link.connected;
  status.last_contact = link.last_contact;
  if (others_.troubles) status.troubles = others_.troubles();
  const auto clients = hosts_.clients();
  for (const HostStatus& host : hosts_.hosts()) {
    if (host.phase == InstallPhase::idle) continue;
    InstallRow row = to_row(host);
    if (const auto at = clients.find(host.mac); at != clients.end()) row.client = at->second;
    status.installs.push_back(std::move(row));
  }
  return status;
}

void HttpSite::count() {
  if (others_.count) others_.count();
}

}  // namespace farboot
