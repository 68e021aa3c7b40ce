// What the name of a boot loader says. Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace farboot {

/// True for names that builds of iPXE go by: `undionly.kpxe`, `efi/snponly-x86_64.efi`,
/// `ipxe-shimx64.efi` (which loads one). Not for scripts.
bool is_ipxe_loader(std::string_view path);

/// What a shim meant whose firmware (Dell's, UEFI) gave it garbage for load options: it then asks
/// beside itself for `?USB`, for junk that ends in `Onboard NIC`, or for `second_stage` without its
/// first letter [shim#649, #696]. nullopt: `path` is no such name, or nothing that `exists` in its
/// folder is a shim. Otherwise: `second_stage` in that folder.
std::optional<std::string> garbled_second_stage(
    std::string_view path, std::string_view second_stage,
    const std::function<bool(std::string_view path)>& exists);

/// A Raspberry Pi asks for its files below its serial number, eight hexadecimal digits:
/// `1a2b3c4d/start4.elf` is `rpi/start4.elf` for each of them. nullopt: `path` is no such name.
std::optional<std::string> raspberry_pi_file(std::string_view path);

/// Where DHCP servers name shim's file by option 67 alone (dnsmasq, to who asks for that option),
/// shim does not know its folder and asks at the root: `grubx64.efi` is `shim/grubx64.efi`.
/// nullopt: `path` is no such name.
std::optional<std::string> beside_shim(std::string_view path);

}  // namespace farboot
