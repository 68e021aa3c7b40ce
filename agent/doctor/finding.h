// What the doctor has to say: one line for people, one object for programs. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace farboot::doctor {

enum class Severity : std::uint8_t {
  ok,    ///< as it should be, or worth knowing
  warn,  ///< some machines may not boot
  fail   ///< machines do not boot
};
/// `ok`, `warn`, `fail`: as link.proto spells them.
std::string_view to_string(Severity severity);

struct Finding {
  std::string id;  ///< `dhcp.other_pxe_server`: stable, for scripts
  Severity severity = Severity::ok;
  std::string where;  ///< an interface, a server, a port, a kind of machine; may be empty
  std::string what;
  std::string fix;  ///< what to do; empty: nothing is to be done

  bool operator==(const Finding&) const = default;
};

/// As DoctorResult of link.proto bounds them.
inline constexpr std::size_t kFindingsMax = 256;
inline constexpr std::size_t kFindingTextMax = 1024;

/// The worst of them; ok if there is none.
Severity worst(const std::vector<Finding>& findings);

/// For people: the worst ones first, as judge() gives them.
std::string findings_text(const std::vector<Finding>& findings);

/// `[{"id":…,"severity":…,"where":…,"what":…,"fix":…}, …]`; `indent` < 0: one line.
std::string findings_json(const std::vector<Finding>& findings, int indent);
/// What findings_json() wrote. Errors: invalid.
Result<std::vector<Finding>> findings_from_json(std::string_view text);

}  // namespace farboot::doctor
