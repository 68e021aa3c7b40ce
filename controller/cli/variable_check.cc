// Variables that agents read themselves: a mistake in them would only be told in a site's log.
#include <algorithm>

#include "common/wire/boot_loaders.h"
#include "controller/cli/fleet_check.h"

namespace farboot {
namespace {

constexpr const char* kImport = "import it with farboot loader import, or name another one";

class VariableCheck {
 public:
  VariableCheck(const KnownContent& known, Findings& findings)
      : known_(known), findings_(findings) {}

  void check(const FleetVariables& variables) {
    // An empty one turns off what another level says.
    const auto said = [&](const char* name) {
      const auto found = variables.values.find(name);
      return found == variables.values.end() || found->second.empty() ? variables.values.end()
                                                                      : found;
    };
    if (const auto loader = said("loader"); loader != variables.values.end())
      check_loader(loader->second, variables.places.at("loader"));
    if (const auto reply = said("uefi_reply"); reply != variables.values.end())
      if (const auto read = dhcp::parse_reply_style(reply->second); !read)
        findings_.error(variables.places.at("uefi_reply"), "uefi_reply: " + read.error().what,
                        "agents read this variable; rename one of your own");
  }

 private:
  void check_loader(const std::string& text, const Place& place) {
    const auto read = dhcp::parse_loaders(text);
    if (!read) {
      findings_.error(place, "loader: " + read.error().what,
                      "agents read this variable; rename one of your own");
      return;
    }
    if (!known_.loaders) return;
    const auto held = [this](const dhcp::ArchLoader& loader) {
      return std::find(known_.loaders->begin(), known_.loaders->end(), loader.name) !=
             known_.loaders->end();
    };
    if (std::none_of(read->begin(), read->end(), held))
      findings_.warning(place,
                        fmt::format("loader: {}: no such file among the boot loaders, machines get "
                                    "the usual one",
                                    printable(text)),
                        kImport);
  }

  const KnownContent& known_;
  Findings& findings_;
};

}  // namespace

void check_variables(const FleetDirectory& fleet, const KnownContent& known, Findings& findings) {
  VariableCheck variables(known, findings);
  variables.check(fleet.variables);
  for (const FleetSite& site : fleet.sites) {
    variables.check(site.variables);
    for (const FleetHost& host : site.hosts) variables.check(host.variables);
  }
}

}  // namespace farboot
