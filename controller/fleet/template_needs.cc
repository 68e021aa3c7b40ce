#include "controller/fleet/template_needs.h"

#include <algorithm>

#include "common/template/variables.h"

namespace farboot {
namespace {

/// What the machine would see; nullopt: nothing is wrong.
std::optional<std::string> fault_of(const std::string& text, TemplateValues values,
                                    const Release& release) {
  for (const char* const builtin : {"x", ""}) {
    for (const BuiltinVariable& variable : builtin_variables())
      if (variable.in_kickstart) values[std::string(variable.name)] = builtin;
    const auto rendered = render_template(text, values, release.snippets);
    if (!rendered) return rendered.error().what;
  }
  return std::nullopt;
}

class Collector {
 public:
  Collector(const Release& release, const Site& before, const Site& after)
      : release_(release), before_(before), after_(after) {}

  std::vector<BrokenTemplate> run() {
    for (const BootEntry& entry : release_.entries) {
      if (release_.menu.shows(entry.name))
        compare(entry, before_.name.empty() ? nullptr : &kNobody, kNobody);
      for (const HostSpec& host : after_.hosts) {
        if (host.entry != entry.name) continue;
        const HostSpec* const was = before_.host(host.name);
        compare(entry, was != nullptr && was->entry == entry.name ? was : nullptr, host);
      }
    }
    return std::move(found_);
  }

 private:
  inline static const HostSpec kNobody{};

  void compare(const BootEntry& entry, const HostSpec* was, const HostSpec& host) {
    const auto now = fault(entry, after_, host);
    if (!now) return;
    const bool broken_before = was != nullptr && fault(entry, before_, *was).has_value();
    if (!broken_before) found_.push_back({host.name, entry.name, *now, was == nullptr});
  }

  std::optional<std::string> fault(const BootEntry& entry, const Site& site,
                                   const HostSpec& host) const {
    const TemplateValues values =
        merge_variables(release_.variables, entry.variables, site.variables, host.variables);
    if (const auto wrong = fault_of(entry.args, values, release_))
      return fmt::format("entry {}: args: {}", entry.name, *wrong);
    const auto kickstart = release_.kickstarts.find(entry.kickstart);
    if (kickstart == release_.kickstarts.end()) return std::nullopt;
    if (const auto wrong = fault_of(kickstart->second, values, release_))
      return fmt::format("kickstart {}: {}", kickstart->first, *wrong);
    return std::nullopt;
  }

  const Release& release_;
  const Site& before_;
  const Site& after_;
  std::vector<BrokenTemplate> found_;
};

}  // namespace

std::vector<BrokenTemplate> newly_broken(const Release& release, const Site& before,
                                         const Site& after) {
  return Collector(release, before, after).run();
}

std::string to_string(const BrokenTemplate& broken, const Release& release) {
  return fmt::format("{}: r{}: {}",
                     broken.host.empty() ? "menu entry " + broken.entry : "host " + broken.host,
                     release.number, broken.what);
}

}  // namespace farboot
