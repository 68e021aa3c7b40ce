// The name in a read request as a path of ours. Pure.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace farboot {

/// `\boot\\x`, `//boot/./x` and `boot/x` followed by 0xff bytes (a ROM that copied an unterminated
/// option 67) are all `boot/x`. No percent-decoding. Errors: denied for `..` and control bytes;
/// not_found if nothing is left (a directory).
Result<std::string> normalise_tftp_path(std::string_view raw);

}  // namespace farboot
