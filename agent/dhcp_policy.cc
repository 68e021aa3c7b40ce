#include "agent/dhcp_policy.h"

#include <memory>
#include <utility>

#include "common/base/log.h"
#include "common/base/log_limit.h"

namespace farboot {
namespace {

constexpr std::string_view kLoader = "loader";
constexpr std::string_view kUefiReply = "uefi_reply";

void read_choice(const Variables& from, dhcp::Choice& choice,
                 const std::function<void(const Error&)>& complain) {
  const auto found_loader = from.find(std::string(kLoader));
  if (found_loader != from.end() && choice.loaders.empty()) {
    auto loaders = dhcp::parse_loaders(found_loader->second);
    if (loaders)
      choice.loaders = std::move(*loaders);
    else
      complain(prefix(std::string(kLoader), loaders.error()));
  }
  const auto found_style = from.find(std::string(kUefiReply));
  if (found_style == from.end() || choice.uefi_style) return;
  if (const auto style = dhcp::parse_reply_style(found_style->second))
    choice.uefi_style = *style;
  else
    complain(prefix(std::string(kUefiReply), style.error()));
}

}  // namespace

DhcpServerOptions dhcp_options(const AgentConfig& config) {
  DhcpServerOptions options;
  options.mode = config.dhcp_mode;
  options.interfaces = config.interfaces;
  options.dhcp_port = config.dhcp_port;
  options.pxe_port = config.pxe_port;
  options.relays = config.dhcp_relays;
  options.answers_per_second_max = config.dhcp_answers_per_second_max;
  options.answers_per_client_second_max = config.dhcp_answers_per_client_max;
  return options;
}

dhcp::ClientWish dhcp_wish(const Variables& host, const Variables& site, const Variables& fleet,
                           const std::function<void(const Error&)>& complain) {
  dhcp::ClientWish wish;
  read_choice(host, wish.host, complain);
  read_choice(site, wish.site, complain);
  read_choice(fleet, wish.site, complain);
  return wish;
}

dhcp::Policy dhcp_policy(const AgentConfig& config, const HostBook& hosts, const Catalog& catalog,
                         const Clock& clock) {
  dhcp::Policy policy;
  policy.uefi_style = config.uefi_reply;
  policy.raspberry_pi_roms = config.raspberry_pi_roms;
  policy.http_port = config.http_port;
  policy.denied = *client_list(config.dhcp_deny);
  policy.allowed = *client_list(config.dhcp_allow);
  policy.rules = *client_rules(config.dhcp_clients);
  policy.elsewhere = [&hosts](const Mac& mac, const std::string& uuid) {
    return hosts.look({mac.to_string(), uuid, {}}).elsewhere;
  };
  auto lines = std::make_shared<LogLimit>(10, Seconds(60));
  policy.wish = [&hosts, &catalog, &clock, lines](const Mac& mac, const std::string& uuid) {
    const auto active = catalog.active();
    const auto complain = [&](const Error& error) {
      if (const auto left_out = lines->take(clock.steady()))
        log::warn("dhcp.bad_variable", log::kv("mac", mac.to_string()),
                  log::kv("error", error.what), log::kv("left_out", *left_out));
    };
    return dhcp_wish(hosts.look({mac.to_string(), uuid, {}}).spec.variables, hosts.site().variables,
                     active ? active->release.variables : Variables(), complain);
  };
  return policy;
}

}  // namespace farboot
