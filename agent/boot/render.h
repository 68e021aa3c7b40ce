// iPXE scripts as text. Pure. Every function returns a whole script that runs in iPXE builds of the
// last ten years, and ends in a boot, a shell or the local disk.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/boot/machine.h"
#include "common/base/result.h"
#include "common/content/release.h"

namespace farboot {

/// How a machine is told to boot its disk. Firmware differs: sites and hosts choose by the free
/// variable `local_boot`.
struct LocalBoot {
  enum class Way {
    automatic,     ///< `auto`: sanboot on BIOS, exit 1 on UEFI
    exit,          ///< `exit`
    exit_failure,  ///< `exit 1`
    sanboot,       ///< `sanboot` or `sanboot 0x81`
    efi_file       ///< `efi` or `efi \EFI\debian\grubx64.efi`
  };
  Way way = Way::automatic;
  std::string drive = "0x80";
  std::string file = "\\EFI\\BOOT\\BOOTX64.EFI";
  bool operator==(const LocalBoot&) const = default;
};
/// Errors: invalid.
Result<LocalBoot> parse_local_boot(std::string_view text);

/// What each script needs to know.
struct ScriptFrame {
  std::string server;  ///< base URL, no slash at the end
  MachineFacts facts;  ///< cleaned()
  LocalBoot local;
};

/// URL at which the machine asks again, with its facts; always has a query.
std::string machine_url(const ScriptFrame& frame);

/// /boot.ipxe: finds out who the machine is and asks what to boot. `local`: if nobody answers.
std::string first_script(std::string_view server, const LocalBoot& local);

std::string local_script(const ScriptFrame& frame, std::string_view why);
/// Asks `url` again after a few seconds; a person may leave for the disk. Not `patient`: gives up
/// for the local disk after about a minute.
std::string wait_script(const ScriptFrame& frame, std::string_view url, std::string_view why,
                        bool patient);
std::string shell_script(const ScriptFrame& frame);
/// Something is wrong with what the operator wrote: says so, offers a shell, boots the disk.
std::string trouble_script(const ScriptFrame& frame, std::string_view what);
/// "This machine was installed before": installs only if a person says so.
std::string confirm_script(const ScriptFrame& frame, const BootEntry& entry,
                           std::string_view again_url);

struct MenuPage {
  std::string title;  ///< rendered
  std::uint64_t release = 0;
  std::uint64_t timeout_ms = 0;  ///< 0: waits for ever
  std::string default_entry;     ///< the only one that installs when the timer takes it
  std::string picture_url;       ///< empty: none
  struct Line {
    const BootEntry* entry = nullptr;  ///< nullptr: a gap
    std::string text;
  };
  std::vector<Line> lines;
  bool default_local = false;  ///< the timer must not install
};
std::string menu_script(const ScriptFrame& frame, const MenuPage& page);

/// What a kernel is started with.
struct LoadPlan {
  std::string headline;  ///< for the screen
  std::string kernel_url;
  std::string initrd_url;  ///< empty: none
  std::string arguments;   ///< without `initrd=`
  struct Extra {
    std::string url;
    std::string name;
  };
  std::vector<Extra> extras;  ///< WinPE: what wimboot shows to Windows' boot manager
};
/// If it cannot be loaded the machine asks again: the host book counts and ends that.
std::string load_script(const ScriptFrame& frame, const LoadPlan& plan);

/// LF only, no byte order mark, a newline at the end: CRLF breaks %pre.
std::string as_kickstart(std::string_view text);

}  // namespace farboot
