#include "common/template/variables.h"

namespace farboot {
namespace {

// Known everywhere; known where one machine's boot is rendered; known where an install is.
constexpr bool kYes = true, kNo = false;

constexpr BuiltinVariable kVariables[] = {
    {"server.url", "this agent, as the machine reached it: http://10.4.0.2", kYes, kYes},
    {"site.name", "name of the site", kYes, kYes},
    {"release.number", "number of the release: 7", kYes, kYes},
    {"host.name", "name of the machine; empty if nobody named it", kYes, kYes},
    {"host.mac", "address of the card it booted from: 52:54:00:12:34:56", kYes, kYes},
    {"host.uuid", "SMBIOS UUID, lower case, or empty", kYes, kYes},
    {"host.serial", "SMBIOS serial number, or empty", kYes, kYes},
    {"menu.url", "address of your own menus, for this machine: append a NAME of menus/", kYes, kNo},
    {"entry.url", "address that boots an entry, for this machine: append its name", kYes, kNo},
    {"entry.name", "name of the boot entry", kNo, kYes},
    {"entry.title", "its title", kNo, kYes},
    {"image.name", "name of the entry's image: centos7", kNo, kYes},
    {"image.tag", "its tag: 1708", kNo, kYes},
    {"image.version", "version as the tree says it: 7", kNo, kYes},
    {"image.arch", "architecture as the kernel says it: x86_64", kNo, kYes},
    {"image.url", "URL of the tree, the same for ever, no slash at the end", kNo, kYes},
    {"image.repo", "URL of the directory that holds repodata, no slash at the end", kNo, kYes},
    {"image.kernel", "URL of the kernel", kNo, kYes},
    {"image.initrd", "URL of the initrd", kNo, kYes},
    {"image.args", "kernel arguments of the image's family", kNo, kYes},
    {"ks.url", "URL of this attempt's kickstart; empty if the entry has none", kNo, kYes},
    {"event.url", "where this attempt reports: append ?event=installed", kNo, kYes},
};

}  // namespace

std::span<const BuiltinVariable> builtin_variables() { return kVariables; }

TemplateValues merge_variables(const Variables& fleet, const Variables& entry,
                               const Variables& site, const Variables& host) {
  TemplateValues merged;
  for (const Variables* weaker_first : {&fleet, &entry, &site, &host})
    for (const auto& [name, value] : *weaker_first) merged[name] = value;
  return merged;
}

}  // namespace farboot
