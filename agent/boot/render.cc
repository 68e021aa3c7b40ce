#include "agent/boot/render.h"

#include <algorithm>

#include <fmt/format.h>

#include "agent/boot/render_lines.h"

namespace farboot {
namespace {

constexpr std::string_view kFirstLine = "#!ipxe\n";
constexpr int kWaitsMax = 6;  ///< of about ten seconds

/// Asks `url` a few times; falls through to what follows.
std::string ask_lines(std::string_view url) {
  std::string out;
  for (const int pause : {2, 5, 10})
    out += fmt::format("chain --replace --autofree {} ||\necho Farboot does not answer\nsleep {}\n",
                       url, pause);
  return out + fmt::format("chain --replace --autofree {} ||\n", url);
}

std::string url_of(const ScriptFrame& frame, std::string_view path) {
  return fmt::format("{}/{}", frame.server, url_path(path));
}

std::string entry_url(const ScriptFrame& frame, std::string_view entry) {
  return entry.empty() ? machine_url(frame) : fmt::format("{}&entry={}", machine_url(frame), entry);
}

std::string script_of(const ScriptFrame& frame, const LocalAnswer& local) {
  return fmt::format("{}echo Farboot: booting from the local disk: {}\n{}",
                     script_head(frame, "the local disk"), script_line(local.why),
                     local_lines(frame));
}

std::string script_of(const ScriptFrame& frame, const WaitAnswer& wait) {
  std::string out = script_head(frame, "wait");
  if (!wait.patient) {
    // Settings outlive a script: each round adds one x.
    out += fmt::format("iseq x${{farboot-waited}} {} && goto LOCAL ||\n",
                       std::string(kWaitsMax + 1, 'x'));
    out += "set farboot-waited ${farboot-waited}x\n";
  }
  return out + fmt::format(
                   "echo Farboot: {}\n"
                   "prompt --key l --timeout 5000 Press L for the local disk && goto LOCAL ||\n"
                   "sleep 5\n"
                   "{}"
                   ":LOCAL\n{}",
                   script_line(wait.why), ask_lines(entry_url(frame, wait.entry)),
                   local_lines(frame));
}

std::string script_of(const ScriptFrame& frame, const ShellAnswer&) {
  return script_head(frame, "a shell") + "shell ||\n" + ask_lines(machine_url(frame)) +
         local_lines(frame);
}

std::string script_of(const ScriptFrame& frame, const TroubleAnswer& trouble) {
  return fmt::format(
      "{}echo Farboot: {}\n"
      "prompt --key s --timeout 30000 Press S for a shell, or wait for the local disk "
      "&& shell ||\n{}",
      script_head(frame, "trouble"), script_line(trouble.what), local_lines(frame));
}

std::string script_of(const ScriptFrame& frame, const ConfirmAnswer& question) {
  return fmt::format(
      "{}echo Farboot: this machine was installed from here before\n"
      "prompt --key y --timeout 30000 Press Y to install {} over what is on its disk "
      "&& goto INSTALL ||\n"
      "{}"
      ":INSTALL\n"
      "{}"
      "{}",
      script_head(frame, "a question"),
      script_line(question.title.empty() ? question.entry : question.title), local_lines(frame),
      ask_lines(entry_url(frame, question.entry + std::string(kAgain))), local_lines(frame));
}

/// The lines that load what the plan names.
std::string load_lines(const ScriptFrame& frame, const LoadPlan& plan) {
  if (!plan.disc.empty())
    return fmt::format("sanboot --no-describe {} || goto FAILED\n", url_of(frame, plan.disc));
  std::string arguments;
  std::string initrd;
  if (!plan.initrd.empty()) {
    // The kernel knows it by the last part of its path, where that needs no escapes.
    const std::string last = plan.initrd.substr(plan.initrd.rfind('/') + 1);
    const bool plain = url_path(last) == last;
    const std::string name = plain ? last : "initrd.img";
    arguments = " initrd=" + name;
    initrd = fmt::format("initrd {}{} || goto FAILED\n", plain ? "" : "--name " + name + " ",
                         url_of(frame, plan.initrd));
  }
  const std::string given = script_line(plan.arguments);
  if (!given.empty()) arguments += " " + given;
  std::string out =
      fmt::format("kernel {}{} || goto FAILED\n{}", url_of(frame, plan.kernel), arguments, initrd);
  for (const LoadPlan::Extra& extra : plan.extras)
    out += fmt::format("initrd {} {} || goto FAILED\n", url_of(frame, extra.path), extra.name);
  return out + "boot ||\n";
}

/// If it cannot be loaded the machine asks again: the host book counts and ends that.
std::string script_of(const ScriptFrame& frame, const LoadPlan& plan) {
  return fmt::format(
      "{}echo Farboot: {}\nimgfree ||\n"
      "{}"
      ":FAILED\n"
      "echo Farboot: could not start it, asking again\n"
      "imgfree ||\n"
      "sleep 10\n"
      "{}{}",
      script_head(frame, plan.headline), script_line(plan.headline), load_lines(frame, plan),
      ask_lines(machine_url(frame)), local_lines(frame));
}

std::string script_of(const ScriptFrame& frame, const MenuPage& page) {
  return page.own_script.empty() ? menu_script(frame, page) : page.own_script;
}

}  // namespace

std::string render_ipxe(const ScriptFrame& frame, const BootAnswer& answer) {
  return std::visit([&](const auto& each) { return script_of(frame, each); }, answer);
}

/// `exit 1` on UEFI: some boards stop after status 0.
std::string local_lines(const ScriptFrame& frame) {
  const LocalBoot& local = frame.local;
  std::string sanboot = fmt::format("sanboot --no-describe --drive {} || exit\n", local.drive);
  switch (local.way) {
    case LocalBoot::Way::exit: return "exit\n";
    case LocalBoot::Way::exit_failure: return "exit 1\n";
    case LocalBoot::Way::sanboot: return sanboot;
    case LocalBoot::Way::efi_file:
      return fmt::format("sanboot --no-describe --drive 0 --filename {} || exit 1\n", local.file);
    case LocalBoot::Way::automatic: break;
  }
  if (frame.facts.platform == "efi") return "exit 1\n";
  if (frame.facts.platform == "pcbios") return sanboot;
  return "iseq ${platform} efi && exit 1 ||\n" + sanboot;
}

std::string script_head(const ScriptFrame& frame, std::string_view what) {
  return fmt::format("{}# Farboot: {}, for {}\n", kFirstLine, script_line(what), frame.facts.mac);
}

std::string machine_url(const ScriptFrame& frame) {
  std::string mac = frame.facts.mac;
  std::replace(mac.begin(), mac.end(), ':', '-');
  const MachineFacts& facts = frame.facts;
  std::string url =
      fmt::format("{}/boot/{}.ipxe?uuid={}", frame.server, mac, url_value(facts.uuid));
  const auto add = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) url += fmt::format("&{}={}", name, url_value(value));
  };
  add("serial", facts.serial);
  add("buildarch", facts.buildarch);
  add("platform", facts.platform);
  add("manufacturer", facts.manufacturer);
  add("product", facts.product);
  add("asset", facts.asset);
  return url;
}

std::string first_script(std::string_view server, const LocalBoot& local) {
  const std::string url = fmt::format(
      "{}/boot/${{mac:hexhyp}}.ipxe?uuid=${{uuid}}&serial=${{serial:uristring}}"
      "&buildarch=${{buildarch}}&platform=${{platform}}&manufacturer=${{manufacturer:uristring}}"
      "&product=${{product:uristring}}&asset=${{asset:uristring}}",
      server);
  // A few of the oldest builds start scripts before they have an address. Those of 2025 know the
  // firmware's, but have their network card shut. netX, for another card that is opened would be
  // `${mac}` from then on; where none is open yet, asking DHCP opens the right one.
  return fmt::format(
      "{}# Farboot: tells who this machine is and asks what to boot\n"
      "isset ${{ip}} && ifopen netX || dhcp ||\n"
      "{}"
      "prompt --key s --timeout 10000 Press S for a shell, or wait for the local disk "
      "&& shell ||\n"
      "{}",
      kFirstLine, ask_lines(url), local_lines({.server = {}, .facts = {}, .local = local}));
}

std::string as_kickstart(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  std::string out;
  out.reserve(text.size() + 1);
  for (std::size_t i = 0; i < text.size(); ++i)
    if (text[i] != '\r' || (i + 1 < text.size() && text[i + 1] != '\n')) out += text[i];
  if (!out.empty() && out.back() != '\n') out += '\n';
  return out;
}

}  // namespace farboot
