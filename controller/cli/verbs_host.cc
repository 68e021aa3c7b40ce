// farboot host list|set|install
#include <CLI/CLI.hpp>

#include "controller/cli/session.h"
#include "controller/cli/verb_tables.h"

namespace farboot {
namespace {

using Stub = v1::FleetService::Stub;

Exit list_hosts(Session& session, const std::string& site) {
  v1::ListHostsRequest request;
  request.set_site(site);
  v1::ListHostsResponse answer;
  const auto done = session.call(&Stub::ListHosts, request, answer);
  if (!done) return session.report(done.error());
  return session.print(answer, [&]() -> std::string {
    if (answer.hosts().empty())
      return "no hosts yet; write them in sites/NAME.yaml and `farboot apply`\n";
    return host_table(session.terminal(), answer.hosts());
  });
}

Exit set(Session& session, const v1::SetHostRequest& request) {
  v1::HostRecord host;
  const auto done = session.call(&Stub::SetHost, request, host);
  if (!done) return session.report(done.error());
  session.note("note: the next `farboot apply` puts back what the fleet directory says\n");
  return session.print(host, [&] {
    return fmt::format("set {}/{}: entry {}, macs {}\n", host.site(), host.name(),
                       host.entry().empty() ? "(menu)" : host.entry(),
                       join({host.macs().begin(), host.macs().end()}, ", "));
  });
}

Exit install(Session& session, const std::string& name) {
  v1::InstallHostRequest request;
  request.set_host(name);
  v1::HostRecord host;
  const auto done = session.call(&Stub::InstallHost, request, host);
  if (!done) return session.report(done.error());
  return session.print(host, [&] {
    return fmt::format(
        "ordered install {} of {}/{} ({}): it installs once, at its next network "
        "boot\n",
        host.install_order(), host.site(), host.name(), host.entry());
  });
}

std::string key_value(const std::string& text) {
  const std::size_t equals = text.find('=');
  return equals == std::string::npos || equals == 0 ? "want NAME=VALUE" : "";
}

}  // namespace

void add_host_verbs(CLI::App& app, Session& session) {
  CLI::App& host = add_noun(app, "host", "the machines");
  {
    auto site = std::make_shared<std::string>();
    CLI::App& verb = add_verb(host, "list", "all machines and how their installs stand",
                              "farboot host list --site lyon");
    verb.add_option("--site", *site, "only of this site");
    verb.callback([&session, site] { session.exit = list_hosts(session, *site); });
  }
  {
    auto name = std::make_shared<std::string>(), entry = std::make_shared<std::string>(),
         uuid = std::make_shared<std::string>(), serial = std::make_shared<std::string>();
    auto macs = std::make_shared<std::vector<std::string>>(),
         variables = std::make_shared<std::vector<std::string>>(),
         unset = std::make_shared<std::vector<std::string>>();
    CLI::App& verb = add_verb(host, "set", "change or add a machine now, until the next apply",
                              "farboot host set lyon/web1 --entry centos7 --var ip=10.0.0.9");
    verb.add_option("host", *name, "SITE/HOST")->required();
    CLI::Option* const with_entry =
        verb.add_option("--entry", *entry, "what it boots; \"\" for the menu");
    CLI::Option* const with_uuid = verb.add_option("--uuid", *uuid, "SMBIOS UUID");
    CLI::Option* const with_serial = verb.add_option("--serial", *serial, "SMBIOS serial number");
    verb.add_option("--mac", *macs, "MAC addresses, in place of those it has")->type_name("MAC");
    verb.add_option("--var", *variables, "set a variable")
        ->type_name("NAME=VALUE")
        ->check(key_value);
    verb.add_option("--unset", *unset, "take a variable away")->type_name("NAME");
    verb.callback([=, &session] {
      v1::SetHostRequest request;
      request.set_host(*name);
      if (with_entry->count() > 0) request.set_entry(*entry);
      if (with_uuid->count() > 0) request.set_uuid(*uuid);
      if (with_serial->count() > 0) request.set_serial(*serial);
      for (const std::string& mac : *macs) request.add_macs(mac);
      for (const std::string& pair : *variables)
        (*request.mutable_variables())[pair.substr(0, pair.find('='))] =
            pair.substr(pair.find('=') + 1);
      for (const std::string& variable : *unset) request.add_remove_variables(variable);
      session.exit = set(session, request);
    });
  }
  auto name = std::make_shared<std::string>();
  CLI::App& verb = add_verb(host, "install", "order one more install of a machine",
                            "farboot host install lyon/web1");
  verb.add_option("host", *name, "SITE/HOST")->required();
  verb.callback([&session, name] { session.exit = install(session, *name); });
}

}  // namespace farboot
