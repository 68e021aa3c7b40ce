// What a machine is told, before it is put into any loader's language: decided once, rendered by
// render.h (iPXE) or render_grub.h. Values only: an answer outlives the release it came from.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "agent/boot/machine.h"
#include "common/base/result.h"
#include "common/content/boot_entry.h"

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

struct LocalAnswer {
  std::string why;  ///< for the machine's screen, as in the others
};

/// Not now: the machine asks again after a few seconds; a person may leave for the disk.
struct WaitAnswer {
  std::string why;
  bool patient = false;  ///< as long as it takes; else it gives up for its disk after a minute
  /// Asks for this one again, as it was asked for (with kAgain, if a person said yes); empty: as at
  /// the start.
  std::string entry;
};

struct ShellAnswer {};

/// Something is wrong with what the operator wrote: says so, offers a shell, boots the disk.
struct TroubleAnswer {
  std::string what;
};

/// Ends the name of an entry that a person said yes to: no entry's own name can end so.
inline constexpr std::string_view kAgain = "~again";

/// "This machine was installed before": installs only if a person says so.
struct ConfirmAnswer {
  std::string entry;
  std::string title;
};

struct MenuPage {
  struct Line {
    enum class Kind : std::uint8_t {
      entry,
      gap,
      menu
    };
    Kind kind = Kind::entry;
    std::string name;                      ///< of the entry or the menu
    std::string text;                      ///< what is shown
    std::string key;                       ///< hot key, one character, or empty
    EntryKind boots = EntryKind::install;  ///< of an entry
    std::vector<Line> lines;               ///< of a menu
    bool operator==(const Line&) const = default;
  };
  std::string title;  ///< rendered
  std::uint64_t release = 0;
  std::uint64_t timeout_ms = 0;  ///< 0: waits for ever
  std::string default_entry;     ///< the only one that installs when the timer takes it
  std::string picture;           ///< path on this server, or empty
  std::vector<Line> lines;
  bool default_local = false;  ///< the timer must not install
  /// An install is confirmed first (ConfirmAnswer): for languages that can only ask in a menu.
  bool asks_first = false;
  /// The operator's own menu, an iPXE script; empty: there is none, or it does not render. Other
  /// languages show the lines.
  std::string own_script;
};

/// The line the timer takes, or where the cursor stands; nullptr: the local disk, which no line of
/// the first menu offers. A timer installs only what `default` names: an entry that merely stands
/// first, or takes the place of one that this machine is not shown, was chosen by nobody.
const MenuPage::Line* start_of(const MenuPage& page);

/// What a kernel, or what else is started, is started with. Paths are on this server, without a
/// slash in front, as they are called there: each language escapes them in its own way.
struct LoadPlan {
  std::string headline;   ///< for the screen
  std::string kernel;     ///< a kernel or another program; empty: `disc`
  std::string initrd;     ///< empty: none
  std::string arguments;  ///< without `initrd=`
  struct Extra {
    std::string path;
    std::string name;  ///< in the machine
  };
  std::vector<Extra> extras;  ///< loaded beside it: WinPE's files, a tool's
  std::string disc;           ///< a disc image to boot from, instead of all that
  bool winpe = false;         ///< `kernel` is wimboot
};

using BootAnswer = std::variant<MenuPage, LoadPlan, LocalAnswer, WaitAnswer, ShellAnswer,
                                TroubleAnswer, ConfirmAnswer>;

}  // namespace farboot
