#include "agent/boot/render_grub.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "common/content/desired_state.h"
#include "common/content/release.h"

namespace farboot {
namespace {

constexpr int kTriesMax = 6;                    ///< of five seconds, while nobody answers
constexpr int kRoundsMax = 7;                   ///< of ten seconds, of a wait that is not patient
constexpr std::string_view kOwnDisk = "LOCAL";  ///< no entry's name can be so
constexpr unsigned kFirstDrive = 0x80;

/// An EFI program is started as such: only iPXE gives it files.
bool chainloads(const MachineFacts& facts, const LoadPlan& plan) {
  return facts.platform == "efi" && plan.kernel.ends_with(".efi");
}

/// GRUB's word for a processor in iPXE's, which decide.cc knows.
std::string_view ipxe_name_of(std::string_view grub_cpu) {
  if (grub_cpu == "arm") return "arm32";
  if (grub_cpu == "loongarch64") return "loong64";
  return grub_cpu;
}

/// One word, whatever stands in it: within single quotes GRUB reads nothing but their end.
std::string word(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'')
      out += "'\\''";
    else
      out += static_cast<unsigned char>(c) < ' ' || c == '\x7f' ? ' ' : c;
  }
  return out + "'";
}

/// Words of an argument line, each quoted: `ds=nocloud;s=…` would end the command at the `;`.
std::string words(std::string_view line) {
  std::string out;
  const auto blank = [](char c) { return static_cast<unsigned char>(c) <= ' '; };
  for (std::size_t at = 0; at < line.size();) {
    const std::size_t begin = at;
    while (at < line.size() && !blank(line[at])) ++at;
    if (at > begin) out += " " + word(line.substr(begin, at - begin));
    while (at < line.size() && blank(line[at])) ++at;
  }
  return out;
}

std::string say(std::string_view text) { return fmt::format("echo {}\n", word(text)); }

std::string file(std::string_view path, GrubRoot root) {
  return "\"${farboot_root}\"" +
         word("/" + (root == GrubRoot::http ? url_path(path) : std::string(path)));
}

std::string ask(std::string_view entry) {
  return "\"${farboot_dir}\"" + word(fmt::format("/{}.grub", entry));
}

/// As at the start; but whoever came from the menu finds it where it was: a second answer with a
/// menu in it would only add its lines to the first one's.
std::string ask_anew() {
  return "if [ \"${farboot_top}\" = y ]; then set farboot_next=\"${farboot_dir}.grub\"; fi\n";
}

/// `0x81` is GRUB's hd1. nullopt: no hard disk.
std::optional<unsigned> disk_number(std::string_view drive) {
  if (drive.starts_with("0x")) drive.remove_prefix(2);
  unsigned number = 0;
  const auto [end, error] = std::from_chars(drive.data(), drive.data() + drive.size(), number, 16);
  const bool good = error == std::errc() && end == drive.data() + drive.size();
  return good && number >= kFirstDrive ? std::optional(number - kFirstDrive) : std::nullopt;
}

std::string first_sector_of(std::string_view drive) {
  const auto number = disk_number(drive);
  if (!number) return "exit\n";
  return fmt::format("if chainloader '(hd{})+1'; then boot; fi\nexit\n", *number);
}

/// The lines that end in the local disk. Firmware that is not known is taken for UEFI, where GRUB's
/// `exit` is no trap.
std::string disk_lines(const LocalBoot& local, bool bios) {
  switch (local.way) {
    case LocalBoot::Way::exit: return "exit\n";
    case LocalBoot::Way::exit_failure: return "exit 1\n";
    case LocalBoot::Way::sanboot: return bios ? first_sector_of(local.drive) : "exit 1\n";
    case LocalBoot::Way::efi_file: {
      std::string path = local.file;
      std::replace(path.begin(), path.end(), '\\', '/');
      return fmt::format(
          "search --no-floppy --set=farboot_disk --file {}\n"
          "if chainloader \"(${{farboot_disk}})\"{}; then boot; fi\nexit 1\n",
          word(path), word(path));
    }
    case LocalBoot::Way::automatic: break;
  }
  return bios ? first_sector_of(local.drive) : "exit 1\n";
}

std::string disk_lines(const ScriptFrame& frame) {
  return disk_lines(frame.local, frame.facts.platform == "pcbios");
}

class Grub {
 public:
  Grub(const ScriptFrame& frame, GrubRoot root) : frame_(frame), root_(root) {}

  std::string operator()(const LocalAnswer& local) const {
    return head("the local disk") + say("Farboot: booting from the local disk: " + local.why) +
           disk_lines(frame_);
  }

  std::string operator()(const WaitAnswer& wait) const {
    std::string out = head("wait") + say("Farboot: " + wait.why);
    if (!wait.patient)
      out += fmt::format(
          "set farboot_waited=\"x${{farboot_waited}}\"\n"
          "if [ \"${{farboot_waited}}\" = {} ]; then\n{}fi\n",
          std::string(kRoundsMax, 'x'), disk_lines(frame_));
    return out + say("Press Escape for the local disk") +
           fmt::format("if sleep --interruptible 10; then\n{}else\n{}fi\n",
                       wait.entry.empty() ? ask_anew()
                                          : fmt::format("set farboot_next={}\n", ask(wait.entry)),
                       disk_lines(frame_));
  }

  /// With no menu there GRUB shows its command line by itself.
  std::string operator()(const ShellAnswer&) const { return head("a shell"); }

  std::string operator()(const TroubleAnswer& trouble) const {
    return head("trouble") + trouble_lines(trouble.what);
  }

  /// Only if the menu did not ask: the machine was installed since it was shown.
  std::string operator()(const ConfirmAnswer& question) const {
    return head("a question") +
           trouble_lines(fmt::format("this machine was installed from here before; to install {} "
                                     "over that, start it again and choose once more",
                                     question.title.empty() ? question.entry : question.title));
  }

  std::string operator()(const LoadPlan& plan) const {
    std::string out = head("an entry") + say("Farboot: " + plan.headline);
    if (!grub_starts(frame_.facts, plan)) return out + trouble_lines(kBeyondGrub);
    const bool efi = chainloads(frame_.facts, plan);
    const std::string load = fmt::format("if {} {}{}; then\n", efi ? "chainloader" : "linux",
                                         file(plan.kernel, root_), words(plan.arguments));
    std::string initrds;
    if (!plan.initrd.empty()) initrds += " " + file(plan.initrd, root_);
    for (const LoadPlan::Extra& extra : plan.extras)
      initrds += fmt::format(
          " {}{}", word(fmt::format("newc:{}:", extra.name.substr(0, extra.name.find(' ')))),
          file(extra.path, root_));
    out += load +
           (initrds.empty() ? "boot\n" : fmt::format("if initrd{}; then\nboot\nfi\n", initrds)) +
           "fi\n";
    // The host book counts how often, and ends that.
    return out + say("Farboot: could not start it, asking again") + "sleep 10\n" + ask_anew();
  }

  std::string operator()(const MenuPage& page) const {
    const MenuPage::Line* start = start_of(page);
    std::string out = head(fmt::format("menu of release r{}", page.release));
    // GRUB counts seconds; a timer shorter than one is still a timer.
    out += page.timeout_ms == 0 ? "set timeout=-1\n"
                                : fmt::format("set timeout={}\n",
                                              std::max<std::uint64_t>(1, page.timeout_ms / 1000));
    out += fmt::format("set default={}\n", word(start == nullptr ? kOwnDisk : start->name));
    lines(page, page.lines, out);
    if (start == nullptr)
      out += entry("Boot from the local disk", kOwnDisk, "", disk_lines(frame_));
    return out;
  }

 private:
  /// `what`: never an operator's or a machine's text, for nothing quotes a comment.
  std::string head(std::string_view what) const {
    return fmt::format("# Farboot: {}, for {}\nset farboot_told=y\n", what, frame_.facts.mac);
  }

  std::string trouble_lines(std::string_view what) const {
    return say(fmt::format("Farboot: {}", what)) + say("Press Escape for the command line") +
           fmt::format("if sleep --interruptible 30; then\n{}fi\n", disk_lines(frame_));
  }

  static std::string options(std::string_view id, std::string_view key) {
    std::string out;
    if (!id.empty()) out += " --id " + word(id);
    if (key.size() == 1 && key[0] > ' ' && key[0] <= '~') out += " --hotkey " + word(key);
    return out;
  }

  static std::string entry(std::string_view text, std::string_view id, std::string_view key,
                           std::string_view body) {
    return fmt::format("menuentry {}{} {{\n{}}}\n", word(text), options(id, key), body);
  }

  void lines(const MenuPage& page, const std::vector<MenuPage::Line>& all, std::string& out) const {
    for (const MenuPage::Line& line : all) {
      const std::string& text = line.text.empty() ? line.name : line.text;
      switch (line.kind) {
        case MenuPage::Line::Kind::gap:
          // GRUB has no lines that cannot be chosen: this one does nothing.
          out += entry(line.text.empty() ? " " : "-- " + line.text, "", "", "true\n");
          break;
        case MenuPage::Line::Kind::menu:
          out += fmt::format("submenu {}{} {{\n", word(text), options(line.name, line.key));
          lines(page, line.lines, out);
          out += "}\n";
          break;
        case MenuPage::Line::Kind::entry: entry_line(page, line, text, out); break;
      }
    }
  }

  void entry_line(const MenuPage& page, const MenuPage::Line& line, const std::string& text,
                  std::string& out) const {
    switch (line.boots) {
      case EntryKind::local: out += entry(text, line.name, line.key, disk_lines(frame_)); return;
      case EntryKind::shell:
        out +=
            entry(text, line.name, line.key,
                  say("Press C in the menu for the command line") + "sleep --interruptible 10\n");
        return;
      case EntryKind::install:
      case EntryKind::winpe:
        if (page.asks_first) {
          out += fmt::format("submenu {}{} {{\n", word(text), options(line.name, line.key));
          out += entry("Boot from the local disk", "", "", disk_lines(frame_));
          out += entry(fmt::format("Install {} over what is on the disk", text), "", "",
                       fmt::format("farboot_ask {}\n", ask(line.name + std::string(kAgain))));
          out += "}\n";
          return;
        }
        break;
      case EntryKind::tool: break;
    }
    out += entry(text, line.name, line.key, fmt::format("farboot_ask {}\n", ask(line.name)));
  }

  const ScriptFrame& frame_;
  GrubRoot root_;
};

/// `10.4.0.2` or `10.4.0.2:8080` of a base URL.
std::string_view authority(std::string_view server) {
  const std::size_t at = server.find("//");
  return at == std::string_view::npos ? server : server.substr(at + 2);
}

}  // namespace

/// `-s` opens the file; `-e` and `-f` look for it in a listing of its folder, which no network
/// gives. GRUB writes paths as they are: a serial number that would need to be escaped is not told.
std::string grub_first_script(std::string_view server, const LocalBoot& local) {
  const std::string_view address = authority(server);
  return fmt::format(
      "# Farboot: tells who this machine is and asks what to boot\n"
      "set farboot_uuid=none\n"
      "smbios --type 1 --get-uuid 8 --set farboot_uuid\n"
      "set farboot_serial=\n"
      "smbios --type 1 --get-string 7 --set farboot_serial\n"
      "if regexp --set 1:farboot_serial '^ *([0-9A-Za-z._-]{{1,64}}) *$' \"${{farboot_serial}}\"; "
      "then\n"
      "set farboot_uuid=\"${{farboot_uuid}}~${{farboot_serial}}\"\n"
      "fi\n"
      "set farboot_root={http}\n"
      "if [ ! -s \"${{farboot_root}}/boot.ipxe\" ]; then set farboot_root={tftp}; fi\n"
      "set farboot_dir=\"${{farboot_root}}/boot/${{net_default_mac}}/${{farboot_uuid}}/"
      "${{grub_cpu}}-${{grub_platform}}\"\n"
      "export farboot_root\n"
      "export farboot_dir\n"
      "function farboot_ask {{\n"
      "set farboot_next=\"$1\"\n"
      "set farboot_tries=\n"
      "while [ -n \"${{farboot_next}}\" ]; do\n"
      "set farboot_now=\"${{farboot_next}}\"\n"
      "set farboot_next=\n"
      "set farboot_told=n\n"
      "source \"${{farboot_now}}\"\n"
      "if [ \"${{farboot_told}}\" = n ]; then\n"
      "echo 'Farboot does not answer'\n"
      "set farboot_tries=\"x${{farboot_tries}}\"\n"
      "if [ \"${{farboot_tries}}\" != {tries} ]; then\n"
      "sleep --interruptible 5\n"
      "set farboot_next=\"${{farboot_now}}\"\n"
      "fi\n"
      "fi\n"
      "done\n"
      "}}\n"
      "set farboot_top=y\n"
      "farboot_ask \"${{farboot_dir}}.grub\"\n"
      "set farboot_top=n\n"
      "if [ \"${{farboot_told}}\" = n ]; then\n"
      "if [ \"${{grub_platform}}\" = pc ]; then\n"
      "{bios}"
      "fi\n"
      "{uefi}"
      "fi\n",
      fmt::arg("http", word(fmt::format("(http,{})", address))),
      fmt::arg("tftp", word(fmt::format("(tftp,{})", address.substr(0, address.find(':'))))),
      fmt::arg("tries", std::string(kTriesMax, 'x')), fmt::arg("bios", disk_lines(local, true)),
      fmt::arg("uefi", disk_lines(local, false)));
}

bool grub_starts(const MachineFacts& facts, const LoadPlan& plan) {
  return !plan.winpe && plan.disc.empty() && !(chainloads(facts, plan) && !plan.extras.empty());
}

std::string render_grub(const ScriptFrame& frame, const BootAnswer& answer, GrubRoot root) {
  return std::visit(Grub(frame, root), answer);
}

bool is_grub_config(std::string_view path) {
  constexpr std::string_view kName = "grub.cfg";
  if (!path.ends_with(kName)) return false;
  path.remove_suffix(kName.size());
  if (path.empty()) return true;
  if (path.back() != '/') return false;
  path.remove_suffix(1);
  const std::string_view folder = path.substr(path.rfind('/') + 1);
  return !folder.ends_with("-efi") && !folder.ends_with("-pc");
}

std::optional<GrubAsk> parse_grub_path(std::string_view path) {
  constexpr std::string_view kSuffix = ".grub";
  constexpr std::string_view kFolder = "boot/";
  if (!path.starts_with(kFolder) || !path.ends_with(kSuffix)) return std::nullopt;
  path.remove_prefix(kFolder.size());
  path.remove_suffix(kSuffix.size());
  const auto take = [&path] {
    const std::size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    return part;
  };
  auto mac = normalise_mac(take());
  std::string_view uuid = take();
  std::string_view serial;
  if (const std::size_t tilde = uuid.find('~'); tilde != std::string_view::npos) {
    serial = uuid.substr(tilde + 1);
    uuid = uuid.substr(0, tilde);
  }
  const std::string_view machine = take();
  const std::size_t dash = machine.find('-');
  if (!mac || uuid.empty() || dash == std::string_view::npos) return std::nullopt;
  if (path.find('/') != std::string_view::npos) return std::nullopt;
  GrubAsk asked;
  asked.facts.mac = *mac;
  if (uuid != "none") asked.facts.uuid = uuid;
  asked.facts.serial = serial;
  asked.facts.buildarch = ipxe_name_of(machine.substr(0, dash));
  const std::string_view platform = machine.substr(dash + 1);
  asked.facts.platform = platform == "pc" ? "pcbios" : platform;
  asked.entry = path;
  return asked;
}

}  // namespace farboot
