// The names a template may use without the operator defining them, and how free variables are
// found. `apply` checks templates against this; the agent fills it in at render time: one list for
// both.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "common/content/release.h"
#include "common/template/template.h"

namespace farboot {

struct BuiltinVariable {
  std::string_view name;
  std::string_view meaning;
  bool in_menu;       ///< known when a menu is rendered
  bool in_kickstart;  ///< known when a kickstart or an entry's arguments are rendered
};

/// server.url, site.name, release.number, host.name, host.mac, host.uuid, host.serial; in menus
/// menu.url and entry.url; in kickstarts and arguments entry.name, entry.title, image.name,
/// image.tag, image.version, image.arch, image.url (immutable tree URL), image.repo (URL of the
/// repository), image.kernel, image.initrd, image.args, ks.url, event.url (phone-home: append
/// `?event=installed`).
std::span<const BuiltinVariable> builtin_variables();

/// Free variables by precedence host > site > entry > fleet.
TemplateValues merge_variables(const Variables& fleet, const Variables& entry,
                               const Variables& site, const Variables& host);

}  // namespace farboot
