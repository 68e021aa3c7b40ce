#include "common/wire/boot_loaders.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "common/base/bytes.h"

namespace farboot::dhcp {
namespace {

constexpr std::size_t kShown = 80;     ///< of what somebody wrote
constexpr std::size_t kNameMax = 200;  ///< of a loader: it must fit into a packet
constexpr std::uint16_t kBios = 0;
constexpr std::uint16_t kX64Uefi = 7;

// snponly: the firmware's own driver of the card it booted from, so any card and any virtual
// machine.
const std::vector<Architecture>& known_architectures() {
  static const std::vector<Architecture> rows = {
      {0x00, "bios", {}, {"undionly.kpxe", "undionly.kkpxe", "ipxe.pxe"}},
      {0x01, "pc98", {}, {}},
      {0x02, "itanium", {}, {}},
      {0x03, "alpha", {}, {}},
      {0x04, "arc_x86", {}, {}},
      {0x05, "intel_lean_client", {}, {}},
      {0x06, "ia32_uefi", {}, {"snponly-i386.efi", "ipxe-i386.efi", "ipxe32.efi"}},
      {0x07, "x64_uefi", {}, {"snponly.efi", "snponly-x86_64.efi", "ipxe.efi", "ipxe-x86_64.efi"}},
      {0x08, "xscale_efi", {}, {}},
      {0x09, "ebc_uefi", {}, {}},
      {0x0a, "arm32_uefi", {}, {"snponly-arm32.efi", "ipxe-arm32.efi"}},
      {0x0b, "arm64_uefi", {}, {"snponly-arm64.efi", "ipxe-arm64.efi"}},
      {0x0c, "powerpc_open_firmware", {}, {}},
      {0x0d, "powerpc_epapr", {}, {}},
      {0x0e, "power_opal", {}, {}},
      {0x0f, "ia32_uefi_http", 0x06, {}},
      {0x10, "x64_uefi_http", 0x07, {}},
      {0x11, "ebc_uefi_http", 0x09, {}},
      {0x12, "arm32_uefi_http", 0x0a, {}},
      {0x13, "arm64_uefi_http", 0x0b, {}},
      // Not that of 0: firmware without TFTP boots an .iso or .img, never undionly.
      {0x14, "bios_http", {}, {}},
      {0x15, "arm32_uboot", {}, {}},
      {0x16, "arm64_uboot", {}, {}},
      {0x17, "arm32_uboot_http", 0x15, {}},
      {0x18, "arm64_uboot_http", 0x16, {}},
      {0x19, "riscv32_uefi", {}, {"snponly-riscv32.efi", "ipxe-riscv32.efi"}},
      {0x1a, "riscv32_uefi_http", 0x19, {}},
      {0x1b, "riscv64_uefi", {}, {"snponly-riscv64.efi", "ipxe-riscv64.efi"}},
      {0x1c, "riscv64_uefi_http", 0x1b, {}},
      {0x1d, "riscv128_uefi", {}, {}},
      {0x1e, "riscv128_uefi_http", 0x1d, {}},
      {0x1f, "s390_basic", {}, {}},
      {0x20, "s390_extended", {}, {}},
      {0x21, "mips32_uefi", {}, {}},
      {0x22, "mips64_uefi", {}, {}},
      {0x23, "sunway32_uefi", {}, {}},
      {0x24, "sunway64_uefi", {}, {}},
      {0x25, "loong32_uefi", {}, {}},
      {0x26, "loong32_uefi_http", 0x25, {}},
      {0x27, "loong64_uefi", {}, {"snponly-loong64.efi", "ipxe-loong64.efi"}},
      {0x28, "loong64_uefi_http", 0x27, {}},
      {0x29, "raspberry_pi_rom", {}, {}},  // no file at all: its ROM wants a menu (decide.cc)
  };
  return rows;
}

/// Of other families than iPXE, whose files stand in the table above. `loader import` gives them
/// these names.
struct FamilyRow {
  std::string_view family;
  std::uint16_t arch;
  std::string_view name;
};
constexpr std::array kFamilyRows = {
    FamilyRow{"shim", 0x06, "shim/shimia32.efi"},    FamilyRow{"shim", 0x07, "shim/shimx64.efi"},
    FamilyRow{"shim", 0x09, "shim/shimx64.efi"},     FamilyRow{"shim", 0x0b, "shim/shimaa64.efi"},
    FamilyRow{"grub", 0x06, "grub/grubia32.efi"},    FamilyRow{"grub", 0x07, "grub/grubx64.efi"},
    FamilyRow{"grub", 0x09, "grub/grubx64.efi"},     FamilyRow{"grub", 0x0b, "grub/grubaa64.efi"},
    FamilyRow{"grub", 0x1b, "grub/grubriscv64.efi"},
};

std::vector<ArchLoader> family(std::string_view name) {
  std::vector<ArchLoader> loaders;
  if (name == "ipxe")
    for (const Architecture& row : known_architectures())
      for (const std::string_view file : row.loaders)
        loaders.push_back({.arch = row.number, .name = std::string(file)});
  for (const FamilyRow& row : kFamilyRows)
    if (row.family == name) loaders.push_back({.arch = row.arch, .name = std::string(row.name)});
  return loaders;
}

/// As machines ask for it at the root of TFTP and HTTP.
Result<std::string> parse_name(std::string_view text) {
  const auto odd = [](char c) { return c <= ' ' || c > '~' || c == '\\'; };
  if (text.empty() || text.size() > kNameMax || text.front() == '/' ||
      std::any_of(text.begin(), text.end(), odd))
    return fail(Errc::invalid,
                "{}: want the name of a boot loader such as ipxe.efi, or ipxe, grub or shim",
                printable(text, kShown));
  return std::string(text);
}

}  // namespace

std::span<const Architecture> architectures() { return known_architectures(); }

const Architecture* architecture(std::uint16_t number) {
  const auto at = std::find_if(known_architectures().begin(), known_architectures().end(),
                               [number](const Architecture& row) { return row.number == number; });
  return at == known_architectures().end() ? nullptr : &*at;
}

Result<std::uint16_t> parse_arch(std::string_view text) {
  for (const Architecture& known : architectures())
    if (known.name == text) return known.number;
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size() && architecture(number) != nullptr)
    return number;
  return fail(Errc::invalid, "{}: want an architecture such as x64_uefi, or its number",
              printable(text, kShown));
}

Result<std::vector<ArchLoader>> parse_loader(std::string_view text,
                                             std::optional<std::uint16_t> arch) {
  if (std::vector<ArchLoader> all = family(text); !all.empty()) {
    if (!arch) return all;
    const Architecture* row = architecture(*arch);
    const std::uint16_t pxe = row != nullptr && row->pxe ? *row->pxe : *arch;
    std::erase_if(all, [pxe](const ArchLoader& each) { return each.arch != pxe; });
    for (ArchLoader& each : all) each.arch = *arch;
    if (!all.empty()) return all;
    return fail(Errc::invalid, "{}: there is none for {}", text,
                row == nullptr ? std::string_view("this architecture") : row->name);
  }
  auto name = parse_name(text);
  if (!name) return name.error();
  const std::uint16_t by_name = name->ends_with(".efi") ? kX64Uefi : kBios;
  return std::vector<ArchLoader>{{.arch = arch.value_or(by_name), .name = std::move(*name)}};
}

Result<std::vector<ArchLoader>> parse_loaders(std::string_view text) {
  std::vector<ArchLoader> loaders;
  for (std::size_t words = 0;; ++words) {
    const std::size_t start = text.find_first_not_of(" \t");
    if (start == std::string_view::npos) break;
    if (words == kLoaderWordsMax)
      return fail(Errc::invalid, "{}…: more than {} words", printable(text, kShown),
                  kLoaderWordsMax);
    text.remove_prefix(start);
    std::string_view word = text.substr(0, text.find_first_of(" \t"));
    text.remove_prefix(word.size());
    std::optional<std::uint16_t> arch;
    if (const std::size_t equals = word.find('='); equals != std::string_view::npos) {
      const auto given = parse_arch(word.substr(0, equals));
      if (!given) return given.error();
      arch = *given;
      word.remove_prefix(equals + 1);
    }
    auto read = parse_loader(word, arch);
    if (!read) return read.error();
    loaders.insert(loaders.end(), read->begin(), read->end());
  }
  if (loaders.empty())
    return fail(Errc::invalid,
                "want the name of a boot loader such as ipxe.efi, or ipxe, grub or shim");
  return loaders;
}

bool names_loader_family(std::string_view text) {
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
    if (text.empty()) return false;
    std::string_view word = text.substr(0, text.find_first_of(" \t"));
    text.remove_prefix(word.size());
    if (const auto equals = word.find('='); equals != std::string_view::npos)
      word.remove_prefix(equals + 1);
    if (!family(word).empty()) return true;
  }
}

Result<ReplyStyle> parse_reply_style(std::string_view text) {
  if (text == "binl") return ReplyStyle::binl;
  if (text == "one_shot") return ReplyStyle::one_shot;
  return fail(Errc::invalid, "{}: want binl or one_shot", printable(text, kShown));
}

}  // namespace farboot::dhcp
