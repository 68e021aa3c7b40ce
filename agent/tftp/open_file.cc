#include "agent/tftp/open_file.h"

#include <utility>

#include "agent/tftp/netascii.h"

namespace farboot {

Task<Result<std::unique_ptr<TftpFile>>> open_file(TftpFileSource& source, std::string path,
                                                  TftpAsker asker, tftp::Mode mode) {
  auto file = co_await source.open(std::move(path), asker);
  if (!file) co_return file.error();
  if (auto ready = co_await (*file)->prepare(); !ready) co_return ready.error();
  if (mode == tftp::Mode::netascii && (*file)->acts())
    co_return fail(Errc::denied, "file: not in text mode, which would read it at once");
  if (mode == tftp::Mode::netascii) co_return co_await as_netascii(std::move(*file));
  co_return std::move(*file);
}

}  // namespace farboot
