// What a machine boots. Pure: no clock, socket, store or log.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/host/install_state.h"
#include "common/content/desired_state.h"
#include "common/content/release.h"

namespace farboot {

enum class BootKind : std::uint8_t {
  menu,
  entry,  ///< the entry's script at once
  local_disk,
  wait  ///< not now: ask again
};
std::string_view to_string(BootKind kind);

struct BootQuestion {
  const HostSpec* host = nullptr;  ///< nullptr: nobody named the machine
  const InstallState& install;
  const InstallLimits& limits;
  std::string_view attempt_entry;    ///< of the attempt under way; empty: none that can go on
  const Release* release = nullptr;  ///< nullptr: nothing is active yet
  std::string_view buildarch;        ///< of the iPXE that asks; empty: unknown
  std::uint32_t installs_running = 0;
  std::uint32_t installs_max = 0;
  bool elsewhere = false;  ///< HostView::elsewhere
};

struct BootDecision {
  BootKind kind = BootKind::menu;
  std::string entry;           ///< kind entry
  bool begins = false;         ///< kind entry: the order's attempt begins with it
  bool repeats = false;        ///< kind entry: the attempt under way once more
  bool ends = false;           ///< the machine came back: its attempt is over
  bool default_local = false;  ///< kind menu: its timer must not install this machine again
  bool patient = false;        ///< kind wait: as long as it takes, for an install was ordered
  std::string why;             ///< for the log and the machine's screen
};

BootDecision decide_boot(const BootQuestion& question);

/// True if a person who chooses an install in the menu should be asked again: the machine has been
/// installed, or tried to be, from here before. An operator's own menu may have a timer too.
bool needs_confirmation(const InstallState& install, const InstallLimits& limits);

/// True if an image for `image_arch` (the kernel's word; empty: any) starts under an iPXE built for
/// `buildarch`: i386 on BIOS runs on 64-bit machines too.
bool runs_on(std::string_view image_arch, std::string_view buildarch);

}  // namespace farboot
