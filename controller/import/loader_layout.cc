#include "controller/import/loader_layout.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace farboot {
namespace {

constexpr std::array kSuffixes = {".kpxe", ".kkpxe", ".pxe", ".efi", ".lkrn"};

enum class Kept : std::uint8_t {
  loaders,  ///< by their suffix: other files lie beside them
  all,
  none,  ///< looks like a loader, but starts no machine
};

/// `from` is the end of a path; `*` in it stands for text without a slash, and in `to` for that
/// text. The first row that fits counts.
struct Layout {
  std::string_view from;
  std::string_view to;
  Kept kept = Kept::loaders;
};

/// What Debian's packages bring, and folders they were unpacked to. The agents' tables, shim and
/// GRUB ask for these names: shim wants its second stage beside itself.
constexpr std::array kPackageLayouts = {
    Layout{"shim*.efi.signed", "shim/shim*.efi", Kept::all},
    Layout{"mm*.efi.signed", "shim/mm*.efi", Kept::all},
    // Its prefix is the installer's /debian-installer: it would not find our grub.cfg.
    Layout{"grubnet*-installer.efi.signed", "", Kept::none},
    Layout{"grubnet*.efi.signed", "shim/grub*.efi", Kept::all},
    Layout{"monolithic/grubnet*-installer.efi", "", Kept::none},
    Layout{"monolithic/grubnet*.efi", "grub/grub*.efi"},
    Layout{"monolithic/*.efi", "", Kept::none},  // for discs
    Layout{"memtest86+*.bin", "memtest/*.bin", Kept::all},
    Layout{"memtest86+*.efi", "memtest/*.efi"},
    Layout{"usr/lib/raspi-firmware/*", "rpi/*", Kept::all},
    Layout{"usr/lib/ipxe/*", "*"},
};

/// How iPXE's own build lays its files (`bin-arm64-efi/`), and how people copy them (`arm64-efi/`,
/// `arm64/`). x86_64 has no suffix: its names are the plain ones.
constexpr std::array kFolderLayouts = {
    Layout{"bin/*", "*"},
    Layout{"bin-i386-pcbios/*", "*"},
    Layout{"bin-x86_64-pcbios/*", "*"},
    Layout{"bin-x86_64-efi/*.efi", "*.efi"},
    Layout{"x86_64-efi/*.efi", "*.efi"},
    Layout{"x86_64/*.efi", "*.efi"},
    Layout{"bin-i386-efi/*.efi", "*-i386.efi"},
    Layout{"i386-efi/*.efi", "*-i386.efi"},
    Layout{"i386/*.efi", "*-i386.efi"},
    Layout{"bin-arm32-efi/*.efi", "*-arm32.efi"},
    Layout{"arm32-efi/*.efi", "*-arm32.efi"},
    Layout{"arm32/*.efi", "*-arm32.efi"},
    Layout{"bin-arm64-efi/*.efi", "*-arm64.efi"},
    Layout{"arm64-efi/*.efi", "*-arm64.efi"},
    Layout{"arm64/*.efi", "*-arm64.efi"},
    Layout{"bin-riscv32-efi/*.efi", "*-riscv32.efi"},
    Layout{"riscv32-efi/*.efi", "*-riscv32.efi"},
    Layout{"riscv32/*.efi", "*-riscv32.efi"},
    Layout{"bin-riscv64-efi/*.efi", "*-riscv64.efi"},
    Layout{"riscv64-efi/*.efi", "*-riscv64.efi"},
    Layout{"riscv64/*.efi", "*-riscv64.efi"},
    Layout{"bin-loong64-efi/*.efi", "*-loong64.efi"},
    Layout{"loong64-efi/*.efi", "*-loong64.efi"},
    Layout{"loong64/*.efi", "*-loong64.efi"},
};

/// The folder of a Raspberry Pi's own boot files: kept whole, with the folders in it.
constexpr std::string_view kPiFolder = "rpi/";

bool is_loader(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  if (name.starts_with("wimboot")) return true;
  return std::any_of(kSuffixes.begin(), kSuffixes.end(),
                     [name](std::string_view suffix) { return name.ends_with(suffix); });
}

/// As many components of `path`, from its end, as `pattern` has; empty if it has fewer.
std::string_view tail_of(std::string_view path, std::string_view pattern) {
  auto slashes = std::count(pattern.begin(), pattern.end(), '/');
  std::size_t at = path.size();
  while (at > 0) {
    const std::size_t slash = path.rfind('/', at - 1);
    if (slash == std::string_view::npos) return slashes == 0 ? path : std::string_view();
    if (slashes-- == 0) return path.substr(slash + 1);
    at = slash;
  }
  return {};
}

/// What the `*` of the row's `from` stands for in `path`.
std::optional<std::string_view> matched(const Layout& row, std::string_view path) {
  const std::string_view tail = tail_of(path, row.from);
  const std::size_t star = row.from.find('*');
  const std::string_view before = row.from.substr(0, star), after = row.from.substr(star + 1);
  if (tail.size() <= before.size() + after.size() || !tail.starts_with(before) ||
      !tail.ends_with(after))
    return std::nullopt;
  return tail.substr(before.size(), tail.size() - before.size() - after.size());
}

std::string with_text(std::string_view to, std::string_view text) {
  const std::size_t star = to.find('*');
  return fmt::format("{}{}{}", to.substr(0, star), text, to.substr(star + 1));
}

struct Named {
  bool known = false;  ///< a row fits
  std::optional<std::string> name;
};

template <class Rows>
Named by_rows(const Rows& rows, std::string_view path) {
  for (const Layout& row : rows) {
    const auto text = matched(row, path);
    if (!text) continue;
    if (row.kept == Kept::none) return {true, std::nullopt};
    if (row.kept == Kept::loaders && !is_loader(path)) continue;
    return {true, with_text(row.to, *text)};
  }
  return {};
}

/// The part of `path` after its folder `rpi/`, with that folder.
std::optional<std::string> of_a_pi(std::string_view path) {
  const std::size_t inside = path.find(std::string("/").append(kPiFolder));
  if (path.starts_with(kPiFolder)) return std::string(path);
  if (inside == std::string_view::npos) return std::nullopt;
  return std::string(path.substr(inside + 1));
}

bool contains(ByteView bytes, std::string_view text) {
  return as_text(bytes).find(text) != std::string_view::npos;
}

/// A feature's name as iPXE's banner lists it.
bool has_feature(ByteView bytes, std::string_view name) {
  std::string text(1, '\0');
  text.append(name).push_back('\0');
  return contains(bytes, text);
}

struct Machine {
  std::uint16_t number;     ///< of the PE header
  std::string_view name;    ///< for people
  std::string_view suffix;  ///< of an iPXE for it; empty: the plain name
};
constexpr std::array kMachines = {
    Machine{0x8664, "x86_64", ""},          Machine{0x014c, "i386", "-i386"},
    Machine{0x01c2, "arm32", "-arm32"},     Machine{0xaa64, "arm64", "-arm64"},
    Machine{0x5032, "riscv32", "-riscv32"}, Machine{0x5064, "riscv64", "-riscv64"},
    Machine{0x6264, "loong64", "-loong64"},
};

/// The row of the machine an EFI program is for; nullptr if it is none, or for one we do not know.
const Machine* machine_of(ByteView bytes) {
  constexpr std::size_t kHeaderAt = 0x3c;
  if (bytes.size() < kHeaderAt + 4 || !as_text(bytes).starts_with("MZ")) return nullptr;
  std::size_t at = 0;
  for (std::size_t i = 0; i < 4; ++i) at |= std::size_t{bytes[kHeaderAt + i]} << (8 * i);
  if (at > bytes.size() || bytes.size() - at < 6) return nullptr;
  if (as_text(bytes.subspan(at, 4)) != std::string_view("PE\0\0", 4)) return nullptr;
  const unsigned number = bytes[at + 4] | unsigned{bytes[at + 5]} << 8;
  const auto row = std::find_if(kMachines.begin(), kMachines.end(),
                                [number](const Machine& each) { return each.number == number; });
  return row == kMachines.end() ? nullptr : &*row;
}

/// By the names of iPXE's builds; nullptr for any other name.
const Machine* machine_named(std::string_view name) {
  for (const std::string_view stem : {"snponly", "ipxe"}) {
    if (!name.starts_with(stem) || !name.ends_with(".efi")) continue;
    const std::string_view suffix = name.substr(stem.size(), name.size() - stem.size() - 4);
    if (suffix == "-amd64" || suffix == "-x86_64") return kMachines.data();
    for (const Machine& machine : kMachines)
      if (machine.suffix == suffix) return &machine;
  }
  return nullptr;
}

}  // namespace

std::optional<std::string> loader_name(std::string_view path, LoaderPlace place) {
  if (Named named = by_rows(kPackageLayouts, path); named.known) return named.name;
  if (place == LoaderPlace::package) return std::nullopt;
  if (auto name = of_a_pi(path)) return name;
  if (Named named = by_rows(kFolderLayouts, path); named.known) return named.name;
  if (!is_loader(path)) return std::nullopt;
  return std::string(path.substr(path.find('/') + 1));
}

std::string loader_names_looked_for() {
  return "*.kpxe, *.kkpxe, *.pxe, *.efi, *.lkrn, wimboot*, shim*.efi.signed, mm*.efi.signed, "
         "grubnet*.efi.signed, memtest86+*, and all of a folder rpi/";
}

std::vector<std::string> loader_warnings(std::string_view name, ByteView bytes) {
  std::vector<std::string> warnings;
  if (contains(bytes, "+git-2019")) {  // in clear in every loader that is not compressed
    warnings.emplace_back(
        "there is iPXE of 2019 among them (Debian 12's build): each start waits about 16 s for an "
        "IPv6 router on networks without one");
    if (name == "ipxe.efi")
      warnings.emplace_back(
          "ipxe.efi of 2019 hangs when it exits to the firmware (local boot); snponly.efi does "
          "not, "
          "so UEFI machines are better given snponly.efi, or a newer iPXE");
  }
  const Machine* machine = machine_of(bytes);
  if (machine != nullptr && contains(bytes, "ipxe.org"))
    for (const std::string_view feature : {"HTTP", "Menu"})
      if (!has_feature(bytes, feature))
        warnings.push_back(fmt::format(
            "{} was built without {}: machines that start it get no further than our first script",
            name, feature == "HTTP" ? "HTTP" : "menus"));
  if (const Machine* named = machine_named(name);
      machine != nullptr && named != nullptr && named != machine)
    warnings.push_back(
        fmt::format("{} is a program for {}, but {} machines are given it: put it "
                    "into a folder bin-{}-efi/ and import that",
                    name, machine->name, named->name, machine->name));
  return warnings;
}

}  // namespace farboot
