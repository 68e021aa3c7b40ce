// Text mode: what tftp-hpa's client asks for unless told otherwise (RFC 1350 §1, RFC 764).
#pragma once

#include <cstddef>
#include <memory>

#include "agent/tftp/file_source.h"

namespace farboot {

/// Beyond it a file is no text, and turning it into one would take memory: no more than a transfer
/// reads ahead anyway.
inline constexpr std::size_t kNetasciiBytesMax = 128 * 1024;

/// A line ends in CR LF, a CR of the text itself is CR NUL. Loses nothing: the client undoes it.
Bytes to_netascii(ByteView text);

/// `file` in text mode, read to its end, so that its size is known. Errors: invalid if it is larger
/// than kNetasciiBytesMax; the file's.
Task<Result<std::unique_ptr<TftpFile>>> as_netascii(std::unique_ptr<TftpFile> file);

}  // namespace farboot
