// The life of one machine's installs. Pure: no clock, socket, store or log.
//
//   idle ─order─> armed ─boot─> started ─ks─> kickstart ─rpm─> packages ─> done | failed
//                                  └── boots again, disk untouched: same attempt, a few times ──┘
//   any attempt under way that grows too old: expired.
//
// What it guarantees, whatever order events come in: one order starts one attempt; nothing starts
// without an order or a person's choice; a machine whose attempt may have touched the disk is never
// sent into the installer again by itself; every attempt ends.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/clock.h"

namespace farboot {

enum class InstallPhase : std::uint8_t {
  idle,       ///< nothing ordered, nothing ever begun
  armed,      ///< ordered: the next boot installs
  started,    ///< the install script went out; the disk is untouched
  kickstart,  ///< the kickstart went out: from here on the disk may be touched
  packages,   ///< packages are being fetched
  done,
  failed,
  expired,  ///< nothing was heard for too long
};
std::string_view to_string(InstallPhase phase);
std::optional<InstallPhase> install_phase(std::string_view name);

struct InstallLimits {
  std::uint32_t boots_max = 5;      ///< install scripts handed out in one attempt
  Seconds attempt_life{24 * 3600};  ///< then it expires, and its token with it
};

/// What an attempt installs, as far as its progress can be judged by it.
struct AttemptTraits {
  bool has_kickstart = false;
  bool reports = false;              ///< its kickstart holds the URL that reports the outcome
  std::uint32_t packages_total = 0;  ///< in the tree; 0: it has none
  /// Nothing that its installer fetches here tells whether it went through (Windows, Ubuntu's ISO,
  /// Debian's netboot image).
  bool unseen = false;
  bool operator==(const AttemptTraits&) const = default;
};

enum class FetchedPart : std::uint8_t {
  kernel,
  initrd,
  stage2,
  repodata
};

struct InstallState {
  InstallPhase phase = InstallPhase::idle;
  std::uint64_t order = 0;     ///< newest order number taken; smaller or equal ones are old news
  std::uint64_t begun = 0;     ///< the order that the newest attempt took up
  std::uint64_t used = 0;      ///< orders up to this one are used up, here or by another agent
  bool ordered = false;        ///< ordered again while an attempt is under way
  bool on_site = false;        ///< the order that is due was given at the site, without a number
  std::uint32_t attempts = 0;  ///< begun, ever

  // Of the newest attempt.
  AttemptTraits traits;
  std::uint32_t boots = 0;  ///< install scripts handed out
  bool kernel = false, initrd = false, stage2 = false, repodata = false;
  std::uint32_t packages = 0;
  bool by_menu = false;   ///< a person chose it
  bool touched = false;   ///< the disk may have been written to; kept after the end
  bool reported = false;  ///< the machine itself said how it ended
  Seconds age{0};         ///< since it began
  std::string detail;     ///< for people

  bool operator==(const InstallState&) const = default;

  bool under_way() const {
    return phase == InstallPhase::started || phase == InstallPhase::kickstart ||
           phase == InstallPhase::packages;
  }
  std::uint32_t percent() const;
};

/// A machine nobody here remembers: orders up to `used` are not for us to carry out, however it
/// looks. A finished machine whose agent lost its card must not be installed again.
void take_baseline(InstallState& state, std::uint64_t used);
/// An order from the centre, and up to which one its orders are known to be used up: an order that
/// another agent carried out meanwhile is no longer due. True if anything changed.
bool take_order(InstallState& state, std::uint64_t order, std::uint64_t used = 0);
/// Orders from the centre are another agent's to carry out: none is due here any more, and one that
/// nobody has begun stays new, for the day it is ours. True if anything changed.
bool leave_orders(InstallState& state, std::uint64_t used);
/// An order on the spot, without a number. It takes the place of those from the centre up to
/// `order`, whoever was to carry them out.
void arm(InstallState& state, std::uint64_t order = 0);
/// An order given while an attempt was under way is due once that is over. True if the machine is
/// now armed.
bool rearm(InstallState& state);
/// The order, if any, is withdrawn; an attempt under way goes on.
void disarm(InstallState& state);

enum class InstallAnswer : std::uint8_t {
  nothing,   ///< nothing to do: its disk, or the menu if nobody assigned it anything
  start,     ///< ordered: begin an attempt
  again,     ///< back with its disk untouched: the same attempt once more
  came_back  ///< back after it may have touched the disk, or too often: the attempt is over
};
/// The machine asks what to boot. Looks only.
InstallAnswer install_answer(const InstallState& state, const InstallLimits& limits);

/// Begins an attempt: for an armed machine, or because a person chose it (`by_menu`). One still
/// under way is over first.
void begin_attempt(InstallState& state, const AttemptTraits& traits, bool by_menu);
/// The same attempt's script goes out once more. Requires install_answer() == again.
void boot_again(InstallState& state);
/// Ends the attempt of a machine that came back (InstallAnswer::came_back, or one whose next
/// install begins): done if its kickstart cannot report, and what was fetched says that it went
/// through or cannot say anything (AttemptTraits::unseen); else failed.
void end_on_return(InstallState& state);

/// These four are harmless when no attempt is under way. True if the phase changed.
bool serve_kickstart(InstallState& state);
bool note_fetched(InstallState& state, FetchedPart part);
/// `packages`: distinct ones so far.
bool note_packages(InstallState& state, std::uint32_t packages);
bool pass_time(InstallState& state, Seconds passed, const InstallLimits& limits);

/// What the machine says itself: always believed, also against an outcome we had only inferred.
/// True if the phase changed.
bool report_installed(InstallState& state, std::string detail);
bool report_failed(InstallState& state, std::string detail);

}  // namespace farboot
