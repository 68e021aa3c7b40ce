// Which orders are used up, as the agents report it, and which agent of a site carries them out:
// what keeps an agent without a memory, or the second one of a site, from installing a finished
// machine once more.
#include <algorithm>
#include <set>
#include <utility>

#include "common/base/log.h"
#include "controller/fleet/fleet.h"
#include "controller/pki/enrol.h"

namespace farboot {
namespace {

/// Names of one site's machines that are remembered: those it has, and as many that it had.
constexpr std::size_t kNamesMax = 2 * kHostsPerSiteMax;

/// Names of the site's agents that may come, in the order they were enrolled.
Result<std::vector<std::string>> agents_of(const StateStore& state, const std::string& site) {
  auto agents = enrolled_agents(state, site + "/");
  if (!agents) return agents.error();
  std::vector<std::pair<WallTime, std::string>> enrolled;
  for (AgentRecord& agent : *agents)
    if (!agent.revoked) enrolled.emplace_back(agent.enrolled, std::move(agent.name));
  std::sort(enrolled.begin(), enrolled.end());
  std::vector<std::string> names;
  names.reserve(enrolled.size());
  for (auto& [time, name] : enrolled) names.push_back(std::move(name));
  return names;
}

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

void Fleet::on_hello(const std::string& agent, const std::string& site, const HeldState& held) {
  const auto last = reports_.agent(agent);
  if (last && last->report.site == site && held.number < last->report.desired_number)
    static_cast<void>(orders_lost(last->report, held.number));  // tried again with the next look
  const auto above = sign_above(agent, site, held);
  if (!above)
    log::error("fleet.not_signed_above", log::kv("agent", agent),
               log::kv("error", above.error().what));
  look_at_orders_agent(site);
}

void Fleet::forget_agent(const std::string& agent) {
  static_cast<void>(forget_report(agent));  // logged; choosing an owner tries it again
  look_at_orders_agent(agent.substr(0, agent.find('/')));
}

/// The report is all that is known of what the agent had taken: it goes once that is written down.
Result<void> Fleet::forget_report(const std::string& agent) {
  if (const auto last = reports_.agent(agent)) {
    auto settled = orders_lost(last->report, 0);
    if (!settled) return settled;
  }
  reports_.forget(agent);
  return {};
}

void Fleet::look_at_orders_agent(const std::string& site) {
  const auto chosen = choose_orders_agent(site);
  if (!chosen)
    log::error("fleet.orders_agent_not_kept", log::kv("site", site),
               log::kv("error", chosen.error().what));
}

/// The one it has, as long as that may come; else the oldest of the others. What the former one
/// had taken is used up before the next one hears that the orders are its own.
Result<void> Fleet::choose_orders_agent(const std::string& site) {
  for (int attempt = 0; attempt < kCommitAttemptsMax; ++attempt) {
    const auto agents = agents_of(state_, site);
    if (!agents) return agents.error();
    auto before = load_desired(site);
    if (!before) return before.error();
    const std::string former = before->state.orders_agent;
    const bool stays = std::find(agents->begin(), agents->end(), former) != agents->end();
    if (before->revision == 0 || agents->empty() || stays) return {};
    const std::string id = fmt::format("{}/{}", site, former);
    if (reports_.agent(id)) {
      if (auto gone = forget_report(id); !gone) return gone;
      continue;
    }
    if (const auto settled = settle_orders(); !settled) return settled.error();
    before = load_desired(site);
    if (!before) return before.error();
    DesiredState next = before->state;
    next.orders_agent = agents->front();
    Transaction transaction;
    const auto put = put_desired(transaction, *before, std::move(next));
    if (!put) return put.error();
    const auto done = state_.commit(transaction);
    if (!done && done.error().code != Errc::conflict) return done.error();
    if (!done) continue;
    log::info("fleet.orders_agent", log::kv("site", site), log::kv("agent", agents->front()),
              log::kv("former", former));
    changed_.notify();
    return {};
  }
  return fail(Errc::conflict, "site {}: others keep changing it", site);
}

/// Also of a machine that its report does not list: it had heard of every order in the desired
/// state it held, if it was the one to carry them out.
Result<void> Fleet::orders_lost(const AgentReport& report, std::uint64_t held) {
  std::vector<HostReport> taken = report.hosts;
  std::set<std::string> open;
  for (HostReport& host : taken) {
    if (host.install_order > host.install_used) open.insert(host.host);
    host.install_used = std::max(host.install_used, host.install_order);
  }
  const auto site = this->site(report.site);
  const auto desired = this->desired(report.site);
  const bool owner = desired && (desired->orders_agent.empty() ||
                                 report.site + "/" + desired->orders_agent == report.agent);
  if (site && owner) {
    for (const HostSpec& host : site->hosts) {
      const auto number = site->ordered_in.find(host.name);
      if (number != site->ordered_in.end() && number->second > report.desired_number) continue;
      if (host.install_order <= host.install_done.value_or(0)) continue;
      open.insert(host.name);
      taken.push_back({.host = host.name, .install_used = host.install_order});
    }
  }
  log::warn("fleet.agent_forgot", log::kv("agent", report.agent), log::kv("held", held),
            log::kv("reported", report.desired_number), log::kv("orders", open.size()));
  on_hosts(report.site, taken);
  return settle_orders();  // a failure is logged
}

Result<void> Fleet::settle_orders() {
  const UsedOrders due =
      used_.with([](Used& used) { return std::exchange(used.due, UsedOrders{}); });
  std::optional<Error> first;
  for (const auto& part : due) {
    const std::string& site = part.first;
    const auto& hosts = part.second;
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
