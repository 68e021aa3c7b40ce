// From a release to what one machine is shown and loads. Pure.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "agent/boot/answer.h"
#include "agent/host/attempt.h"
#include "common/base/result.h"
#include "common/content/desired_state.h"
#include "common/content/manifest.h"
#include "common/content/release.h"

namespace farboot {

/// Most bytes of arguments that an x86 kernel takes.
inline constexpr std::size_t kArgumentsMax = 2047;

/// Whom templates speak of, and how they reached us.
struct PlanFrame {
  std::string_view server;    ///< base URL, no slash at the end
  const MachineFacts& facts;  ///< cleaned()
  const SiteFacts& site;
  const HostSpec& host;  ///< of an unknown machine: empty but for its MAC
};

/// `tree`: of the entry's image; nullptr: none. `token`: of its attempt, empty for what needs none.
/// Errors: invalid, for what the operator wrote; the text is for the machine's screen.
Result<LoadPlan> plan_load(const PlanFrame& frame, const Release& release, const BootEntry& entry,
                           const Manifest* tree, std::string_view token);

/// The menu that this machine is shown: what cannot run on it is left out. What does not render is
/// shown as it was written, and told to `trouble(what, error)`.
MenuPage plan_menu(const PlanFrame& frame, const Release& release,
                   const std::function<void(std::string_view, const Error&)>& trouble);

/// The operator's own menu of this name, as an iPXE script. Errors: not_found, invalid (it does not
/// render).
Result<std::string> own_menu(const PlanFrame& frame, const Release& release,
                             const std::string& name);

/// One of kPlatforms.
std::string_view platform_of(const MachineFacts& facts);

}  // namespace farboot
