#include "agent/boot/values.h"

#include "agent/boot/arguments.h"
#include "common/template/variables.h"

namespace farboot {
namespace {

std::string value_of(const TemplateValues& values, std::string_view name) {
  const auto found = values.find(name);
  return found == values.end() ? std::string() : found->second;
}

void add_builtins(TemplateValues& values, const ValueSource& source, const Release& release) {
  values["server.url"] = source.server;
  values["site.name"] = source.site.name;
  values["release.number"] = std::to_string(release.number);
  values["host.name"] = source.host.name;
  values["host.mac"] = source.mac;
  values["host.uuid"] = source.uuid;
  values["host.serial"] = tame(source.serial);
}

}  // namespace

TemplatePartials partials_of(const Release& release) {
  return {release.snippets.begin(), release.snippets.end()};
}

std::string tree_url(std::string_view server, const Digest& manifest) {
  return fmt::format("{}/t/{}", server, manifest);
}

TemplateValues menu_values(const ValueSource& source, const Release& release) {
  TemplateValues values =
      merge_variables(release.variables, {}, source.site.variables, source.host.variables);
  add_builtins(values, source, release);
  return values;
}

TemplateValues entry_values(const ValueSource& source, const Release& release,
                            const BootEntry& entry, std::string_view token, bool tree_described) {
  TemplateValues values = merge_variables(release.variables, entry.variables, source.site.variables,
                                          source.host.variables);
  add_builtins(values, source, release);
  values["entry.name"] = entry.name;
  values["entry.title"] = entry.title;
  const bool has_kickstart = !entry.kickstart.empty() && !token.empty();
  values["ks.url"] = has_kickstart ? fmt::format("{}/ks/{}", source.server, token) : std::string();
  values["event.url"] =
      token.empty() ? std::string() : fmt::format("{}/v1/event/{}", source.server, token);
  const Image* image = release.image(entry.image);
  const Image none;
  const Image& shown = image == nullptr ? none : *image;
  const std::string url =
      image == nullptr ? std::string() : tree_url(source.server, shown.manifest);
  const auto below = [&](const std::string& path) {
    return path.empty() || url.empty() ? url : url + "/" + url_path(path);
  };
  values["image.name"] = shown.name;
  values["image.tag"] = shown.tag;
  values["image.version"] = shown.facts.version;
  values["image.arch"] = shown.facts.arch;
  values["image.url"] = url;
  values["image.repo"] = below(shown.facts.repo);
  values["image.kernel"] = shown.facts.kernel.empty() ? std::string() : below(shown.facts.kernel);
  values["image.initrd"] = shown.facts.initrd.empty() ? std::string() : below(shown.facts.initrd);
  const ArgumentFacts facts{url,
                            values["ks.url"],
                            std::string(source.mac),
                            source.host.name,
                            value_of(values, "domain"),
                            tree_described};
  values["image.args"] =
      image == nullptr ? std::string() : family_arguments(shown, entry.args_style, facts, {});
  return values;
}

}  // namespace farboot
