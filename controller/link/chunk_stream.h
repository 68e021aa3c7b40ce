// want → chunk: one FetchChunks call. Frames are made on the pool, one ahead of the one being
// written; their bytes are never copied.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <grpcpp/grpcpp.h>

#include "controller/link/chunk_cache.h"
#include "controller/link/convert.h"
#include "controller/link/cut_off.h"
#include "controller/link/worker_pool.h"

namespace farboot {

/// Lives until gRPC is done with it, or longer while somebody holds the pointer.
class ChunkStream final : public grpc::ServerWriteReactor<grpc::ByteBuffer>,
                          public std::enable_shared_from_this<ChunkStream> {
 public:
  struct Parts {
    WorkerPool& pool;
    ChunkCache& cache;
    std::atomic<std::uint64_t>& sent_bytes;
    std::function<void(ChunkStream&)> ended;  ///< the last call for this stream
  };
  static std::shared_ptr<ChunkStream> make(grpc::CallbackServerContext& context, Parts parts);

  /// Begins to send. Requires that every chunk may be given to the caller.
  void begin(Want want);
  /// Thread-safe, harmless twice: the first status counts. A frame being written goes out before
  /// it.
  void finish(const grpc::Status& status);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  ChunkStream(grpc::CallbackServerContext& context, Parts parts)
      : parts_(std::move(parts)), cut_off_(context) {}

  void pump();
  void prepare();
  Result<std::optional<grpc::ByteBuffer>> make_frame();

  Parts parts_;
  CutOff cut_off_;
  std::shared_ptr<ChunkStream> self_;  ///< until OnDone
  Want want_;                          ///< of the one job that prepares
  std::size_t at_ = 0;                 ///< likewise
  std::optional<WireChunk> next_;      ///< likewise: begins the next frame

  std::mutex mutex_;  ///< below
  std::optional<grpc::ByteBuffer> ready_;
  grpc::ByteBuffer writing_frame_;
  bool preparing_ = false, writing_ = false, exhausted_ = false, finished_ = false;
  std::optional<grpc::Status> last_word_;  ///< to follow the frame being written
};

}  // namespace farboot
