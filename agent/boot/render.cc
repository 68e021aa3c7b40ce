#include "agent/boot/render.h"

#include <algorithm>

#include <fmt/format.h>

namespace farboot {
namespace {

constexpr std::string_view kFirstLine = "#!ipxe\n";
constexpr int kWaitsMax = 6;                     ///< of about ten seconds
constexpr std::string_view kOwnLocal = "LOCAL";  ///< label of the disk; no entry's name can be so

bool is_drive(std::string_view text) {
  if (text.starts_with("0x")) text.remove_prefix(2);
  return !text.empty() && text.size() <= 4 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
}

/// The lines that end in the local disk. `exit 1` on UEFI: some boards stop after status 0.
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

/// Asks `url` a few times; falls through to what follows.
std::string ask_lines(std::string_view url) {
  std::string out;
  for (const int pause : {2, 5, 10})
    out += fmt::format("chain --replace --autofree {} ||\necho Farboot does not answer\nsleep {}\n",
                       url, pause);
  return out + fmt::format("chain --replace --autofree {} ||\n", url);
}

std::string head(const ScriptFrame& frame, std::string_view what) {
  return fmt::format("{}# Farboot: {}, for {}\n", kFirstLine, script_line(what), frame.facts.mac);
}

/// Image name of an initrd: the last part of its path, where that needs no escapes.
std::string initrd_name(std::string_view url) {
  const std::string_view name = url.substr(url.rfind('/') + 1);
  const bool plain = !name.empty() && name.find('%') == std::string_view::npos;
  return plain ? std::string(name) : "initrd.img";
}

std::string menu_item(const MenuPage::Line& line) {
  const std::string text = script_line(line.text);
  if (line.entry == nullptr)
    return text.empty() ? "item --gap\n" : fmt::format("item --gap -- {}\n", text);
  const std::string& key = line.entry->key;
  const bool has_key = key.size() == 1 && key[0] > ' ' && key[0] <= '~';
  const std::string option =
      has_key ? fmt::format("--key {:#04x} ", static_cast<unsigned>(key[0])) : std::string();
  return fmt::format("item {}{} {}\n", option, line.entry->name,
                     text.empty() ? line.entry->name : text);
}

std::string chosen_lines(const ScriptFrame& frame, const BootEntry& entry) {
  std::string out = fmt::format(":{}\n", entry.name);
  switch (entry.kind) {
    case EntryKind::shell: return out + "shell ||\ngoto MENU\n";
    case EntryKind::local: return out + "goto LOCAL\n";
    case EntryKind::install:
    case EntryKind::tool:
    case EntryKind::winpe: break;
  }
  return out + fmt::format("chain --replace --autofree {}&entry={} || goto FAILED\n",
                           machine_url(frame), url_value(entry.name));
}

/// The disk: the operator's entry, or ours if the menu offers none.
std::string_view disk_of(const MenuPage& page) {
  for (const MenuPage::Line& line : page.lines)
    if (line.entry != nullptr && line.entry->kind == EntryKind::local) return line.entry->name;
  return kOwnLocal;
}

/// What the timer takes, or where the cursor stands. A timer installs only what `default` names: an
/// entry that merely stands first, or takes the place of one that this machine is not shown, was
/// chosen by nobody.
std::string_view start_of(const MenuPage& page) {
  const bool timer = page.timeout_ms > 0;
  for (const MenuPage::Line& line : page.lines) {
    if (line.entry == nullptr) continue;
    const bool named = line.entry->name == page.default_entry;
    if (!named && !page.default_entry.empty()) continue;
    const bool may_install = !page.default_local && (named || !timer);
    return may_install || !installs(line.entry->kind) ? std::string_view(line.entry->name)
                                                      : disk_of(page);
  }
  return disk_of(page);
}

}  // namespace

Result<LocalBoot> parse_local_boot(std::string_view text) {
  LocalBoot local;
  const std::size_t blank = text.find(' ');
  const std::string_view word = text.substr(0, blank);
  const std::string_view rest =
      blank == std::string_view::npos ? std::string_view() : text.substr(blank + 1);
  if (text.empty() || text == "auto") return local;
  if (text == "exit") {
    local.way = LocalBoot::Way::exit;
    return local;
  }
  if (text == "exit 1") {
    local.way = LocalBoot::Way::exit_failure;
    return local;
  }
  if (word == "sanboot" && (rest.empty() || is_drive(rest))) {
    local.way = LocalBoot::Way::sanboot;
    if (!rest.empty()) local.drive = rest;
    return local;
  }
  if (word == "efi" && (rest.empty() || (rest.starts_with('\\') && script_line(rest) == rest &&
                                         rest.find(' ') == std::string_view::npos))) {
    local.way = LocalBoot::Way::efi_file;
    if (!rest.empty()) local.file = rest;
    return local;
  }
  return fail(Errc::invalid,
              "local_boot '{}': auto, exit, exit 1, sanboot [DRIVE] or efi [\\FILE] expected",
              printable(text, 60));
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
  // A few of the oldest builds start scripts before they have an address.
  return fmt::format(
      "{}# Farboot: tells who this machine is and asks what to boot\n"
      "isset ${{ip}} || dhcp ||\n"
      "{}"
      "prompt --key s --timeout 10000 Press S for a shell, or wait for the local disk "
      "&& shell ||\n"
      "{}",
      kFirstLine, ask_lines(url), local_lines({.server = {}, .facts = {}, .local = local}));
}

std::string local_script(const ScriptFrame& frame, std::string_view why) {
  return fmt::format("{}echo Farboot: booting from the local disk: {}\n{}",
                     head(frame, "the local disk"), script_line(why), local_lines(frame));
}

std::string wait_script(const ScriptFrame& frame, std::string_view url, std::string_view why,
                        bool patient) {
  std::string out = head(frame, "wait");
  if (!patient) {
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
                   script_line(why), ask_lines(url), local_lines(frame));
}

std::string shell_script(const ScriptFrame& frame) {
  return head(frame, "a shell") + "shell ||\n" + ask_lines(machine_url(frame)) + local_lines(frame);
}

std::string trouble_script(const ScriptFrame& frame, std::string_view what) {
  return fmt::format(
      "{}echo Farboot: {}\n"
      "prompt --key s --timeout 30000 Press S for a shell, or wait for the local disk "
      "&& shell ||\n{}",
      head(frame, "trouble"), script_line(what), local_lines(frame));
}

std::string confirm_script(const ScriptFrame& frame, const BootEntry& entry,
                           std::string_view again_url) {
  return fmt::format(
      "{}echo Farboot: this machine was installed from here before\n"
      "prompt --key y --timeout 30000 Press Y to install {} over what is on its disk "
      "&& goto INSTALL ||\n"
      "{}"
      ":INSTALL\n"
      "{}"
      "{}",
      head(frame, "a question"), script_line(entry.title.empty() ? entry.name : entry.title),
      local_lines(frame), ask_lines(again_url), local_lines(frame));
}

std::string menu_script(const ScriptFrame& frame, const MenuPage& page) {
  std::string out = head(frame, fmt::format("menu of release r{}", page.release));
  if (!page.picture_url.empty())
    out += fmt::format("console --x 1024 --y 768 --picture {} ||\n", page.picture_url);
  out += ":MENU\n";
  const std::string title = script_line(page.title);
  out += fmt::format("menu {} || goto FAILED\n", title.empty() ? "Farboot" : title);

  const std::string_view start = start_of(page);
  for (const MenuPage::Line& line : page.lines) out += menu_item(line);
  if (start == kOwnLocal) out += fmt::format("item {} Boot from the local disk\n", kOwnLocal);
  out += fmt::format("choose --default {} ", start);
  if (page.timeout_ms > 0) out += fmt::format("--timeout {} ", page.timeout_ms);
  out += "target && goto ${target} || goto CANCEL\n";
  for (const MenuPage::Line& line : page.lines)
    if (line.entry != nullptr) out += chosen_lines(frame, *line.entry);
  return out + fmt::format(
                   ":FAILED\n"
                   "echo Farboot: that did not work\n"
                   ":CANCEL\n"
                   "prompt --key m --timeout 10000 Press M for the menu, or wait for the local "
                   "disk && goto MENU ||\n"
                   ":{}\n{}",
                   kOwnLocal, local_lines(frame));
}

std::string load_script(const ScriptFrame& frame, const LoadPlan& plan) {
  std::string out = head(frame, plan.headline);
  out += fmt::format("echo Farboot: {}\nimgfree ||\n", script_line(plan.headline));
  std::string arguments;
  std::string initrd;
  if (!plan.initrd_url.empty()) {
    const std::string name = initrd_name(plan.initrd_url);
    const bool renamed = !plan.initrd_url.ends_with("/" + name);
    arguments = " initrd=" + name;
    initrd =
        fmt::format("initrd {}{} || goto FAILED\n",
                    renamed ? fmt::format("--name {} ", name) : std::string(), plan.initrd_url);
  }
  const std::string given = script_line(plan.arguments);
  if (!given.empty()) arguments += " " + given;
  out += fmt::format("kernel {}{} || goto FAILED\n{}", plan.kernel_url, arguments, initrd);
  for (const LoadPlan::Extra& extra : plan.extras)
    out += fmt::format("initrd {} {} || goto FAILED\n", extra.url, extra.name);
  return out + fmt::format(
                   "boot ||\n"
                   ":FAILED\n"
                   "echo Farboot: could not start it, asking again\n"
                   "imgfree ||\n"
                   "sleep 10\n"
                   "{}{}",
                   ask_lines(machine_url(frame)), local_lines(frame));
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
