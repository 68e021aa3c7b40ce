#include "agent/site/site_doctor.h"

#include <algorithm>
#include <utility>

#include "agent/doctor/machine.h"
#include "agent/doctor/snippets.h"
#include "agent/net/interfaces.h"
#include "agent/site/site_files.h"

namespace farboot {

std::vector<doctor::OwnInterface> answering_interfaces(const std::vector<std::string>& chosen) {
  std::vector<doctor::OwnInterface> found;
  const auto table = scan_interfaces();
  if (!table) return found;
  for (const Interface& interface : table->all()) {
    const bool named = std::find(chosen.begin(), chosen.end(), interface.name) != chosen.end();
    const bool answers = chosen.empty() ? interface.up && !interface.loopback : named;
    const auto address = interface.address_for({});
    if (answers && address) found.push_back({interface.name, *address});
  }
  return found;
}

doctor::Question SiteDoctor::question(std::uint16_t http_port) const {
  doctor::Question question;
  doctor::Observations& own = question.own;
  own.mode = parts_.mode;
  own.script_for_ipxe = parts_.script_for_ipxe;
  own.interfaces = answering_interfaces(parts_.interfaces);
  own.dhcp_trouble = parts_.dhcp.trouble();
  own.only_some_machines = !parts_.policy.allowed.empty() || !parts_.policy.denied.empty();
  question.boot.release = parts_.catalog.active();
  if (question.boot.release) own.release = question.boot.release->release.number;
  own.loader_files = doctor::ReleaseLoaders(question.boot.release.get()).names();
  if (own.interfaces.empty()) return question;
  const Ipv4 us = own.interfaces.front().address;
  own.http_url = server_url(us, http_port);
  question.lan.interfaces = own.interfaces;
  question.boot.servers = {.address = us,
                           .pxe_port = parts_.dhcp.pxe_port(),
                           .tftp_port = parts_.tftp.port(),
                           .http_port = http_port};
  dhcp::Policy policy = parts_.policy;
  // The walk has a thread of its own, where the host book may not be asked: what the fleet wants
  // for the machine played there is asked here.
  if (policy.wish)
    policy.wish = [wish = policy.wish(doctor::made_up_mac(us), {})](
                      const Mac&, const std::string&) { return wish; };
  question.boot.policy = std::move(policy);
  // The machine played there is none of the site's: lists may leave it out.
  question.boot.asks_4011 =
      parts_.mode == DhcpMode::proxy && own.dhcp_trouble.empty() && !own.only_some_machines;
  return question;
}

Result<std::string> SiteDoctor::snippet(const std::string& kind) const {
  const auto active = parts_.catalog.active();
  const doctor::ReleaseLoaders loaders(active.get());
  const bool any = active && active->release.loaders;
  return make_snippet(kind, parts_.interfaces, parts_.policy, any ? &loaders : nullptr);
}

Result<std::string> make_snippet(const std::string& kind,
                                 const std::vector<std::string>& interfaces,
                                 const dhcp::Policy& policy, const dhcp::LoaderSet* loaders) {
  const auto own = answering_interfaces(interfaces);
  const Ipv4 us = own.empty() ? Ipv4{} : own.front().address;
  auto text = doctor::snippet(kind, doctor::snippet_facts(us, policy, loaders));
  if (text && own.empty())
    return fail(Errc::unavailable, "no interface that answers machines has an IPv4 address");
  return text;
}

}  // namespace farboot
