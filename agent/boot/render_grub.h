// Answers as GRUB scripts: for machines that do not start iPXE (Secure Boot by a distribution's
// signed shim and GRUB, or GRUB loaded by TFTP). Pure. No module beyond those that signed GRUBs for
// the network have built in: echo, sleep, test, true, source, linux, chain, search, smbios,
// minicmd; and regexp, without which the serial number is not told.
//
// Paths on this server, by HTTP and by TFTP alike. MAC as in GRUB's net_default_mac
// (`52:54:00:12:34:56`), UUID as `smbios --get-uuid` prints it, or `none`, and behind it, if the
// machine has one that can stand in a path, `~` and its serial number; MACHINE as
// `<grub_cpu>-<grub_platform>` (`x86_64-efi`, `i386-pc`):
//
//   is_grub_config(): Debian's asks for                 grub_first_script(), the same for every
//     /grub/grub.cfg                                    machine
//   /boot/MAC/UUID/MACHINE.grub                         BootService::answer()
//   /boot/MAC/UUID/MACHINE/ENTRY.grub                   BootService::answer_entry(); ENTRY may end
//                                                       in `~again`
//   /t/<manifest>/<path>                                the trees
//   /boot.ipxe                                          by HTTP only: is there, if HTTP works
//
// GRUB's `source` does not say whether there was such a file, and what it calls nests: so an answer
// says that it is one (farboot_told), and whoever is to ask again is told where (farboot_next) by a
// script that ends, in the loop of the first script.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/boot/answer.h"

namespace farboot {

/// What the machine asked over: its files come the same way, and paths are written as it wants
/// them.
enum class GrubRoot : std::uint8_t {
  http,
  tftp
};

/// `server`: base URL. `local`: if nobody answers.
std::string grub_first_script(std::string_view server, const LocalBoot& local);

/// True for `grub.cfg` in any folder but GRUB's own of one platform (`grub/x86_64-efi/`): Debian's
/// prefers that one, and others beside it, to the plain one.
bool is_grub_config(std::string_view path);

/// Whether GRUB can start it, on this machine.
bool grub_starts(const MachineFacts& facts, const LoadPlan& plan);
inline constexpr std::string_view kBeyondGrub = "this needs iPXE: GRUB cannot start it";

std::string render_grub(const ScriptFrame& frame, const BootAnswer& answer, GrubRoot root);

/// One of the two paths below /boot/, without a slash in front. Facts are as GRUB gave them: for
/// cleaned(). nullopt: it is none.
struct GrubAsk {
  MachineFacts facts;
  std::string entry;  ///< empty: as at the start
};
std::optional<GrubAsk> parse_grub_path(std::string_view path);

}  // namespace farboot
