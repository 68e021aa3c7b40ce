// What machines say of themselves, and how much of it is believed. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace farboot {

/// What iPXE says of its machine in the query of /boot/<mac>.ipxe. All of it is hostile text.
struct MachineFacts {
  std::string mac;   ///< normalised
  std::string uuid;  ///< lower case, or empty
  std::string serial;
  std::string manufacturer;
  std::string product;
  std::string asset;
  std::string buildarch;  ///< i386, x86_64, arm64, …: iPXE's word
  std::string platform;   ///< pcbios, efi
  std::string client;     ///< address the request came from, without port
};

/// What the installer's headers and query say when it fetches a kickstart.
struct KickstartAsk {
  /// Of the attempt; for Ubuntu's seed with the file behind it: `<token>/user-data`.
  std::string token;
  std::string client;             ///< address, without port
  std::vector<std::string> macs;  ///< of X-RHN-Provisioning-MAC-*, normalised
  std::string serial;             ///< X-System-Serial-Number
};

/// One report from a machine: POST or GET /v1/event/<token>?event=…
struct MachineEvent {
  std::string token;
  std::string event;   ///< `installed`, `failed`, `progress`, `started`; others are kept as notes
  std::string detail;  ///< free text, bounded
};

/// The facts with everything cut to size: a UUID that is none and what cannot be a word become
/// empty, control bytes and bytes that are no ASCII go.
MachineFacts cleaned(MachineFacts facts);

/// A fact as it may stand in a script or kickstart. iPXE and shells have their own ideas of blanks,
/// quotes, `$`, `;`, `#`, `|`: anything but letters, digits and `._:+@=/-` becomes `_`.
std::string tame(std::string_view fact);

/// An operator's text as one line of an iPXE script. There is no quoting: line ends become blanks;
/// words that are `||`, `&&` or `;`, a `#` that would begin a comment and a `\` at the end go.
/// `${…}` stays: operators use it.
std::string script_line(std::string_view text);

/// For a path or a query of a URL: all but letters, digits and `-._~` (and `/` in a path) by %XX.
std::string url_path(std::string_view path);
std::string url_value(std::string_view value);

}  // namespace farboot
