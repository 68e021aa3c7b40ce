// Which orders are used up, as the agents report it: what keeps an agent without a memory, or the
// second one of a site, from installing a finished machine once more.
#include <algorithm>
#include <utility>

#include "common/base/log.h"
#include "controller/fleet/fleet.h"

namespace farboot {
namespace {

/// Names of one site's machines that are remembered: those it has, and as many that it had.
constexpr std::size_t kNamesMax = 2 * kHostsPerSiteMax;

}  // namespace

void Fleet::on_report(const AgentReport& report) {
  on_hosts(report.site, report.hosts);
  reports_.on_report(report);
}

void Fleet::on_hosts(const std::string& site, const std::vector<HostReport>& hosts) {
  used_.with([&](Used& used) {
    const auto& written = used.written[site];
    auto& due = used.due[site];
    for (const HostReport& host : hosts) {
      if (host.install_used == 0) continue;
      const auto known = written.find(host.host);
      if (known != written.end() && known->second >= host.install_used) continue;
      if (written.size() + due.size() >= kNamesMax && !due.contains(host.host)) continue;
      due[host.host] = std::max(due[host.host], host.install_used);
    }
    if (due.empty()) used.due.erase(site);
  });
}

void Fleet::on_hello(const std::string& agent, const std::string& site, std::uint64_t held) {
  const auto last = reports_.agent(agent);
  if (!last || last->report.site != site || held >= last->report.desired_number) return;
  orders_lost(last->report, held);
}

void Fleet::forget_agent(const std::string& agent) {
  if (const auto last = reports_.agent(agent)) orders_lost(last->report, 0);
  reports_.forget(agent);
}

void Fleet::orders_lost(const AgentReport& report, std::uint64_t held) {
  std::vector<HostReport> taken = report.hosts;
  std::size_t open = 0;
  for (HostReport& host : taken) {
    open += host.install_order > host.install_used ? 1 : 0;
    host.install_used = std::max(host.install_used, host.install_order);
  }
  log::warn("fleet.agent_forgot", log::kv("agent", report.agent), log::kv("held", held),
            log::kv("reported", report.desired_number), log::kv("orders", open));
  on_hosts(report.site, taken);
  static_cast<void>(settle_orders());  // logged; tried again with the next look
}

Result<void> Fleet::settle_orders() {
  const UsedOrders due =
      used_.with([](Used& used) { return std::exchange(used.due, UsedOrders{}); });
  std::optional<Error> first;
  for (const auto& [site, hosts] : due) {
    const auto settled = settle_site(site, hosts);
    used_.with([&](Used& used) {
      auto& kept = settled ? used.written[site] : used.due[site];
      for (const auto& [host, order] : hosts) kept[host] = std::max(kept[host], order);
    });
    if (!settled && !first) first = prefix("site " + site, settled.error());
  }
  if (!first) return {};
  log::error("fleet.orders_not_kept", log::kv("error", first->what));
  return *first;
}

}  // namespace farboot
