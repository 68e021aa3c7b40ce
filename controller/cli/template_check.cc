// Every `{{name}}` of every template, in every place where it will be rendered: a machine must not
// be the first to find that a variable has no value.
#include <algorithm>
#include <map>
#include <set>

#include "common/template/scan.h"
#include "common/template/variables.h"
#include "controller/cli/fleet_check.h"

namespace farboot {
namespace {

constexpr std::size_t kPartialDepthMax = 16;
constexpr std::size_t kNamedContextsMax = 3;

enum class Use {
  menu,
  kickstart
};

/// One way a template will be rendered.
struct Context {
  std::string who;  ///< `site lyon`, `host lyon/web1`; empty: the fleet has no site yet
  TemplateValues values;
};

struct Template {
  Place place;  ///< of its first line
  std::string_view text;
  bool one_line = false;  ///< a value in YAML: every tag is at `place`
};

/// Collects what is missing where, so that one mistake is one finding, however many hosts have it.
class Checker {
 public:
  Checker(const FleetDirectory& fleet, Findings& findings) : fleet_(fleet), findings_(findings) {}

  void check(const Template& what, Use use, const std::vector<Context>& contexts) {
    for (const Context& context : contexts) walk(what, use, context, 0);
  }

  void report() {
    for (const auto& [at, who] : missing_) {
      const auto& [place, name] = at;
      std::string where;
      for (std::size_t i = 0; i < who.size() && i < kNamedContextsMax; ++i)
        if (!who[i].empty()) where += (where.empty() ? " for " : ", ") + who[i];
      if (who.size() > kNamedContextsMax)
        where += fmt::format(" and {} more", who.size() - kNamedContextsMax);
      findings_.error(place, fmt::format("{{{{{}}}}} is not defined{}", name, where), hint(name));
    }
    for (const auto& [place, text] : broken_) findings_.error(place, text);
    for (const auto& [name, text] : fleet_.snippets)
      if (!snippets_used_.contains(name)) {
        findings_.warning({text.file, 0}, "no template uses this snippet");
        syntax(text);
      }
  }

  /// For a template nothing renders: at least it must be one.
  void syntax(const FleetText& text) { scan({{text.file, 1}, text.text, false}); }

 private:
  const std::vector<TemplatePart>* scan(const Template& what) {
    const auto known = scanned_.find(what.text.data());
    if (known != scanned_.end()) return &known->second;
    auto parts = scan_template(what.text);
    if (parts) return &(scanned_[what.text.data()] = std::move(*parts));
    std::string text = parts.error().what;
    Place place = what.place;
    if (text.starts_with("line ")) {
      std::size_t line = 0, i = 5;
      for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i)
        line = line * 10 + static_cast<std::size_t>(text[i] - '0');
      if (!what.one_line) place.line = line;
      text = text.substr(std::min(text.size(), i + 2));
    }
    broken_.emplace(place, "template: " + text);
    return nullptr;
  }

  static Place at(const Template& what, const TemplatePart& part) {
    return what.one_line ? what.place : Place{what.place.file, part.line};
  }

  void walk(const Template& what, Use use, const Context& context, std::size_t depth) {
    const std::vector<TemplatePart>* const parts = scan(what);
    if (parts == nullptr) return;
    for (std::size_t i = 0; i < parts->size(); ++i) {
      const TemplatePart& part = (*parts)[i];
      const std::string name(part.text);
      switch (part.kind) {
        case TemplatePart::Kind::text: break;
        case TemplatePart::Kind::section:
        case TemplatePart::Kind::inverted: {
          const bool inverted = part.kind == TemplatePart::Kind::inverted;
          if (is_builtin(name, use)) break;  // known only when it is rendered: both ways count
          const auto value = context.values.find(name);
          const bool shown =
              value != context.values.end() && !value->second.empty() && value->second != "false";
          if (shown == inverted) i = part.close;
          break;
        }
        case TemplatePart::Kind::close: break;
        case TemplatePart::Kind::value:
          if (!is_builtin(name, use) && !context.values.contains(name))
            note(at(what, part), name, context.who);
          break;
        case TemplatePart::Kind::partial: partial(what, part, use, context, depth); break;
      }
    }
  }

  void partial(const Template& what, const TemplatePart& part, Use use, const Context& context,
               std::size_t depth) {
    const auto snippet = fleet_.snippets.find(std::string(part.text));
    if (snippet == fleet_.snippets.end()) {
      std::vector<std::string> names;
      for (const auto& [name, text] : fleet_.snippets) names.push_back(name);
      const std::string guess = did_you_mean(part.text, names);
      broken_.emplace(at(what, part),
                      fmt::format("{{{{> {}}}}}: there is no snippets/{}{}{}", part.text, part.text,
                                  guess.empty() ? "" : "; ", guess));
      return;
    }
    snippets_used_.insert(snippet->first);
    if (depth == kPartialDepthMax) {
      broken_.emplace(at(what, part), fmt::format("{{{{> {}}}}}: snippets are nested over {} deep",
                                                  part.text, kPartialDepthMax));
      return;
    }
    walk({{snippet->second.file, 1}, snippet->second.text, false}, use, context, depth + 1);
  }

  static bool is_builtin(std::string_view name, Use use) {
    for (const BuiltinVariable& variable : builtin_variables())
      if (variable.name == name) return use == Use::menu ? variable.in_menu : variable.in_kickstart;
    return false;
  }

  void note(const Place& place, const std::string& name, const std::string& who) {
    std::vector<std::string>& known = missing_[{place, name}];
    if (std::find(known.begin(), known.end(), who) == known.end()) known.push_back(who);
  }

  std::string hint(const std::string& name) const {
    std::vector<std::string> names;
    for (const BuiltinVariable& variable : builtin_variables()) {
      if (variable.name == name)
        return variable.in_menu ? "it is known in menus only"
                                : "it is known in kickstarts and kernel arguments only";
      names.emplace_back(variable.name);
    }
    const auto add = [&](const FleetVariables& variables) {
      for (const auto& [key, value] : variables.values) names.push_back(key);
    };
    add(fleet_.variables);
    for (const FleetEntry& entry : fleet_.entries) add(entry.variables);
    for (const FleetSite& site : fleet_.sites) {
      add(site.variables);
      for (const FleetHost& host : site.hosts) add(host.variables);
    }
    names.erase(std::remove(names.begin(), names.end(), name), names.end());
    const std::string guess = did_you_mean(name, names);
    return guess.empty() ? "set it under variables: of the host, site, entry or fleet" : guess;
  }

  const FleetDirectory& fleet_;
  Findings& findings_;
  std::map<const char*, std::vector<TemplatePart>> scanned_;
  std::map<std::pair<Place, std::string>, std::vector<std::string>> missing_;
  std::map<Place, std::string> broken_;
  std::set<std::string> snippets_used_;
};

/// The ways `entry` is rendered: for whoever chooses it in a site's menu, and for each host that is
/// assigned it.
std::vector<Context> entry_contexts(const FleetDirectory& fleet, const FleetEntry& entry) {
  const Variables& common = fleet.variables.values;
  const Variables& own = entry.variables.values;
  const bool in_menu = fleet.menu.menu.shows(entry.entry.name);
  std::vector<Context> out;
  for (const FleetSite& site : fleet.sites) {
    if (in_menu)
      out.push_back({"site " + site.name, merge_variables(common, own, site.variables.values, {})});
    for (const FleetHost& host : site.hosts)
      if (host.host.entry == entry.entry.name)
        out.push_back({"host " + site.name + "/" + host.host.name,
                       merge_variables(common, own, site.variables.values, host.variables.values)});
  }
  if (out.empty()) out.push_back({"", merge_variables(common, own, {}, {})});
  return out;
}

std::vector<Context> menu_contexts(const FleetDirectory& fleet) {
  std::vector<Context> out;
  for (const FleetSite& site : fleet.sites)
    out.push_back({"site " + site.name,
                   merge_variables(fleet.variables.values, {}, site.variables.values, {})});
  if (out.empty()) out.push_back({"", merge_variables(fleet.variables.values, {}, {}, {})});
  return out;
}

}  // namespace

void check_templates(const FleetDirectory& fleet, Findings& findings) {
  Checker checker(fleet, findings);
  std::set<std::string> used;
  for (const FleetEntry& entry : fleet.entries) {
    const std::vector<Context> contexts = entry_contexts(fleet, entry);
    checker.check({entry.args, entry.entry.args, true}, Use::kickstart, contexts);
    const auto kickstart = fleet.kickstarts.find(entry.entry.kickstart);
    if (kickstart == fleet.kickstarts.end()) continue;
    used.insert(kickstart->first);
    checker.check({{kickstart->second.file, 1}, kickstart->second.text, false}, Use::kickstart,
                  contexts);
  }
  for (const auto& [name, text] : fleet.kickstarts)
    if (!used.contains(name)) checker.syntax(text);
  const std::vector<Context> contexts = menu_contexts(fleet);
  checker.check({fleet.menu.title, fleet.menu.menu.title, true}, Use::menu, contexts);
  const MenuReach reach = reach_menus(fleet);
  for (const auto& [name, text] : fleet.menus) {
    if (reach.menus.contains(name))
      checker.check({{text.file, 1}, text.text, false}, Use::menu, contexts);
    else
      checker.syntax(text);
  }
  checker.report();
}

}  // namespace farboot
