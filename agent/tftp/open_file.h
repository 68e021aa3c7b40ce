// What a read request gets.
#pragma once

#include <memory>
#include <string>

#include "agent/tftp/file_source.h"
#include "common/wire/tftp.h"

namespace farboot {

/// The file at `path` as the client wants it: opened, its size known, ready to be read. Errors:
/// those of TftpFileSource::open(); invalid: not to be had in this mode.
Task<Result<std::unique_ptr<TftpFile>>> open_file(TftpFileSource& source, std::string path,
                                                  TftpAsker asker, tftp::Mode mode);

}  // namespace farboot
