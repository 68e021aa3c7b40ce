#include "agent/tftp/file_source.h"

namespace farboot {

Task<Result<void>> TftpFile::prepare() { co_return Result<void>(); }

}  // namespace farboot
