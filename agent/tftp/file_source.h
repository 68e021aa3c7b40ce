// Where the files of TFTP come from: what this room asks of the rest of the agent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "agent/loop.h"
#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/wire/address.h"

namespace farboot {

/// One file as it was when it was opened; a release that goes live meanwhile does not change it.
class TftpFile {
 public:
  virtual ~TftpFile() = default;
  virtual std::uint64_t size_bytes() const = 0;
  /// Sees to it that reading can begin; called once, before the client is promised anything: an
  /// ERROR after an OACK hangs PXELINUX. Holds nothing that a forged request could pile up. Errors:
  /// as of open().
  virtual Task<Result<void>> prepare();
  /// Reading it begins something for the client: it is read only once the client has acknowledged
  /// an OACK, for a request alone may be forged, or a look at the size.
  virtual bool acts() const { return false; }
  /// Bytes at `offset`: exactly `n`, or fewer at the end of the file. Called on the loop, one call
  /// at a time, in pieces of up to 256 KiB; others may send meanwhile what was read before. Any
  /// error ends the transfer.
  virtual Task<Result<Bytes>> read(std::uint64_t offset, std::size_t n) = 0;
  /// The client has all of it. At most once; on the loop.
  virtual void delivered() {}
};

/// Who asks for a file.
struct TftpAsker {
  Ipv4 client;
  Ipv4 server;        ///< our address as the client reached it
  bool ipxe = false;  ///< the request has the shape of iPXE's
};

class TftpFileSource {
 public:
  virtual ~TftpFileSource() = default;
  /// `path` is normalised: relative, `/` between its parts, no empty part, no `.` and `..`, no
  /// control bytes. Called on the loop. Errors: not_found tells the client to go on with its next
  /// name; unavailable and the like say that the file exists but cannot be had now.
  virtual Task<Result<std::unique_ptr<TftpFile>>> open(std::string path, TftpAsker asker) = 0;
};

}  // namespace farboot
