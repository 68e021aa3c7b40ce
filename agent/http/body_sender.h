// The body of a response on its way: windows of chunks, opened on the disk pool unless they are
// known to be in memory; sendfile(2) on the connection's loop.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "agent/catalog/blob_reader.h"
#include "agent/http/channel.h"
#include "agent/http/response.h"
#include "agent/http/services.h"
#include "agent/loop.h"
#include "common/base/result.h"

namespace farboot {

/// Sends one file body. While one window of chunks goes out, the next is opened (and checked, where
/// this is its first use since start) on the disk pool. A slow client holds leases, not bytes.
class BodySender {
 public:
  BodySender(HttpServices& services, Channel& channel, const FileBody& body);

  /// Opens the first window: what fails here can still be answered properly. Errors: those of
  /// ContentStore::open().
  Task<Result<void>> prepare();

  /// Sends `head` and the body. Errors: cancelled, timeout (the client), else the content's; after
  /// any of them the connection cannot be used again.
  Task<Result<void>> send(std::string_view head);

 private:
  using Window = std::vector<BlobSegment>;
  struct Ahead;

  Window open_at_once(std::uint64_t offset, std::uint64_t length);
  Task<Result<Window>> open(std::uint64_t offset, std::uint64_t length);
  Task<Result<Window>> take_ahead();
  static Task<void> open_ahead(HttpServices& services, std::shared_ptr<BlobReader> reader,
                               std::uint64_t offset, std::uint64_t length,
                               std::shared_ptr<Ahead> ahead);
  void start_ahead(std::uint64_t offset, std::uint64_t length);

  Task<Result<void>> send_part(std::string_view before, const FilePart& part, bool last_part);
  Task<Result<void>> send_segment(const BlobSegment& segment);
  Task<void> look_again(Digest chunk);
  Task<Result<void>> wait_and_warm(const BlobSegment& segment, std::uint32_t sent);

  HttpServices& services_;
  Channel& channel_;
  const FileBody& body_;
  std::shared_ptr<BlobReader> reader_;
  Window window_;                 ///< opened, not yet sent
  std::shared_ptr<Ahead> ahead_;  ///< being opened
  SteadyTime warm_at_{};          ///< when the window's pages were last known to be in memory
  std::uint64_t turn_bytes_ = 0;  ///< sent since others last had the loop
};

}  // namespace farboot
