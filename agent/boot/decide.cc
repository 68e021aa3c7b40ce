#include "agent/boot/decide.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace farboot {
namespace {

/// An image's architecture in the kernel's words and those of Debian and Fedora, and iPXE's word
/// for each build under which it starts. None: iPXE is not built for it (POWER, s390x).
struct Arch {
  std::string_view image;
  std::array<std::string_view, 2> runs_on;
};
constexpr std::array<Arch, 21> kArchs{{
    {"x86_64", {"x86_64", "i386"}},
    {"amd64", {"x86_64", "i386"}},
    {"i386", {"i386", "x86_64"}},
    {"i486", {"i386", "x86_64"}},
    {"i586", {"i386", "x86_64"}},
    {"i686", {"i386", "x86_64"}},
    {"aarch64", {"arm64", ""}},
    {"arm64", {"arm64", ""}},
    {"armhf", {"arm32", ""}},
    {"armhfp", {"arm32", ""}},
    {"armv7l", {"arm32", ""}},
    {"armv7hl", {"arm32", ""}},
    {"armel", {"arm32", ""}},
    {"riscv64", {"riscv64", ""}},
    {"loongarch64", {"loong64", ""}},
    {"loong64", {"loong64", ""}},
    {"ppc64le", {"", ""}},
    {"ppc64el", {"", ""}},
    {"ppc64", {"", ""}},
    {"s390x", {"", ""}},
    {"ia64", {"", ""}},
}};

BootDecision wait(std::string why, bool patient) {
  return {.kind = BootKind::wait, .patient = patient, .why = std::move(why)};
}

BootDecision local(std::string why) {
  return {.kind = BootKind::local_disk, .why = std::move(why)};
}

std::string_view arch_of(const Release& release, const BootEntry& entry) {
  const Image* image = release.image(entry.image);
  return image == nullptr ? std::string_view() : std::string_view(image->facts.arch);
}

/// The install that was ordered for `host`.
BootDecision ordered(const BootQuestion& q) {
  if (q.release == nullptr)
    return wait("an install is ordered, but no release is active yet", true);
  const BootEntry* entry = q.release->entry(q.host->entry);
  if (entry == nullptr)
    return wait(fmt::format("an install is ordered, but entry {} is not in release r{} yet",
                            q.host->entry, q.release->number),
                true);
  if (entry->kind == EntryKind::local) return local("assigned to its disk");
  const std::string_view arch = arch_of(*q.release, *entry);
  if (!runs_on(arch, q.buildarch))
    return local(
        fmt::format("entry {} is for {}, the machine is {}", entry->name, arch, q.buildarch));
  if (q.installs_running >= q.installs_max)
    return wait(fmt::format("{} installs are under way, the most this site runs at once",
                            q.installs_running),
                true);
  return {.kind = BootKind::entry,
          .entry = entry->name,
          .begins = installs(entry->kind),
          .why = "an install is ordered"};
}

/// Nothing is ordered, and a host is assigned an entry: what does no harm it boots each time.
BootDecision assigned(const BootQuestion& q) {
  const BootEntry* entry = q.release == nullptr ? nullptr : q.release->entry(q.host->entry);
  if (entry == nullptr || installs(entry->kind) || entry->kind == EntryKind::local ||
      !runs_on(arch_of(*q.release, *entry), q.buildarch))
    return local("no install is ordered");
  return {.kind = BootKind::entry, .entry = entry->name, .why = "assigned"};
}

BootDecision menu(const BootQuestion& q) {
  if (q.release == nullptr) return wait("no release is active yet", false);
  return {.kind = BootKind::menu,
          .default_local = q.install.attempts > 0,
          .why = q.host == nullptr ? "unknown machine" : "no entry is assigned"};
}

}  // namespace

std::string_view to_string(BootKind kind) {
  switch (kind) {
    case BootKind::menu: return "menu";
    case BootKind::entry: return "entry";
    case BootKind::local_disk: return "local_disk";
    case BootKind::wait: return "wait";
  }
  return "menu";
}

BootDecision decide_boot(const BootQuestion& q) {
  const bool has_entry = q.host != nullptr && !q.host->entry.empty();
  const InstallAnswer answer = install_answer(q.install, q.limits);
  if (q.elsewhere) {
    BootDecision decision = local("another agent of the site is to install it");
    decision.ends = answer == InstallAnswer::came_back;
    return decision;
  }
  switch (answer) {
    case InstallAnswer::start: return has_entry ? ordered(q) : menu(q);
    case InstallAnswer::again:
      // A machine that chose from the menu is there with a person: they may choose anew.
      if (q.install.by_menu || q.attempt_entry.empty()) break;
      return {.kind = BootKind::entry,
              .entry = std::string(q.attempt_entry),
              .repeats = true,
              .why = "its install has not reached the disk"};
    case InstallAnswer::came_back: {
      const bool person_there = !has_entry && !q.install.traits.has_kickstart;
      BootDecision decision = person_there || !q.install.touched
                                  ? has_entry ? assigned(q) : menu(q)
                                  : local("it came back from its install");
      decision.ends = true;
      return decision;
    }
    case InstallAnswer::nothing: break;
  }
  return has_entry ? assigned(q) : menu(q);
}

bool needs_confirmation(const InstallState& install, const InstallLimits& limits) {
  return install.touched || install.attempts >= limits.boots_max;
}

bool runs_on(std::string_view image_arch, std::string_view buildarch) {
  if (image_arch.empty() || buildarch.empty()) return true;
  const auto row = std::find_if(kArchs.begin(), kArchs.end(),
                                [&](const Arch& each) { return each.image == image_arch; });
  // A word that no distribution we know of uses (`noarch`): nearly all such trees are x86.
  if (row == kArchs.end())
    return image_arch == buildarch || buildarch == "i386" || buildarch == "x86_64";
  return std::find(row->runs_on.begin(), row->runs_on.end(), buildarch) != row->runs_on.end();
}

}  // namespace farboot
