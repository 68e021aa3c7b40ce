// What the names in menus, kickstarts and arguments stand for (common/template/variables.h). Pure.
#pragma once

#include <string>
#include <string_view>

#include "agent/boot/machine.h"
#include "agent/host/attempt.h"
#include "agent/host/host_book.h"
#include "common/content/desired_state.h"
#include "common/content/release.h"
#include "common/template/template.h"

namespace farboot {

/// Where a machine reached us, and whom it is for.
struct ValueSource {
  std::string_view server;  ///< base URL, no slash at the end
  const SiteFacts& site;
  const HostSpec& host;  ///< of an unknown machine: empty but for its MAC
  std::string_view mac, uuid, serial;
};

/// For a menu. `host.serial` is what the machine said, tamed.
TemplateValues menu_values(const ValueSource& source, const Release& release);

/// For the arguments and the kickstart of an entry. `token`: of its attempt; empty if it has none.
/// `tree_described`: see ArgumentFacts.
TemplateValues entry_values(const ValueSource& source, const Release& release,
                            const BootEntry& entry, std::string_view token, bool tree_described);

/// The snippets that every template may include.
TemplatePartials partials_of(const Release& release);

/// `<server>/t/<manifest>`.
std::string tree_url(std::string_view server, const Digest& manifest);

}  // namespace farboot
