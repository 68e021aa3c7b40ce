// One install attempt: everything it needs to finish under the release it began with, written once.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/host/install_state.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/content/desired_state.h"
#include "common/content/digest.h"
#include "common/content/manifest.h"
#include "common/content/release.h"

namespace farboot {

/// What the desired state says of the site, for templates.
struct SiteFacts {
  std::string name;
  Variables variables;
  bool operator==(const SiteFacts&) const = default;
};

struct Attempt {
  std::string token;  ///< 128 bits nobody can guess, hex; names the attempt in URLs and on disk
  std::string mac;    ///< normalised, of the card it booted from
  std::string uuid, serial;  ///< as the machine told them, cut to size; or empty
  std::string entry;
  Digest release;   ///< of the release document it began under
  Digest manifest;  ///< of the entry's tree; all zero if the entry has no image
  Release part;     ///< what it needs of that release: see release_part()
  /// What its templates are rendered with: the release is of this moment, and so must they be. Of
  /// `host` only name and variables. No site name: an older version's record, which has neither.
  SiteFacts site;
  HostSpec host;
  WallTime began{};
  AttemptTraits traits;

  /// Every tree it needs to the end: its image's, and those its entry takes files from.
  std::vector<Digest> trees() const;
};

/// 32 hexadecimal digits from OpenSSL's generator. Errors: internal, if that has no entropy.
Result<std::string> make_token();
inline constexpr std::size_t kTokenDigits = 32;
bool is_token(std::string_view text);

/// The release cut down to one entry: its image, its kickstart, the snippets that can be reached
/// from kickstart and arguments, the trees its files lie in, the fleet's variables. A release of
/// its own right. Requires that `release` has the entry.
Release release_part(const Release& release, std::string_view entry);

/// What progress of an entry's install can be judged by. `tree` may be nullptr.
AttemptTraits traits_of(const Release& release, const BootEntry& entry, const Manifest* tree);

/// True for a path of a package: what is counted as progress.
bool is_package(std::string_view path);

/// JSON with a format number; on disk.
std::string encode_attempt(const Attempt& attempt);
/// Errors: corrupt.
Result<Attempt> decode_attempt(std::string_view text);

}  // namespace farboot
