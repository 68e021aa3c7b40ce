#include "controller/link/chunk_stream.h"

#include <utility>

#include "common/base/log.h"
#include "common/rpc/status_map.h"

namespace farboot {

std::shared_ptr<ChunkStream> ChunkStream::make(grpc::CallbackServerContext& context, Parts parts) {
  std::shared_ptr<ChunkStream> stream(new ChunkStream(context, std::move(parts)));
  stream->self_ = stream;
  return stream;
}

void ChunkStream::begin(Want want) {
  want_ = std::move(want);
  pump();
}

/// Keeps one frame on the line and one ready.
void ChunkStream::pump() {
  bool write = false, make = false, end = false;
  {
    const std::lock_guard lock(mutex_);
    if (finished_) return;
    if (!writing_ && ready_) {
      writing_frame_ = *ready_;
      ready_.reset();
      write = writing_ = true;
    }
    if (!preparing_ && !ready_ && !exhausted_) make = preparing_ = true;
    end = !writing_ && !preparing_ && !ready_ && exhausted_;
    if (write) StartWrite(&writing_frame_);
  }
  if (make)
    parts_.pool.post([self = shared_from_this()] { self->prepare(); },
                     [self = shared_from_this()] { self->finish(job_failed()); });
  if (end) finish(grpc::Status::OK);
}

void ChunkStream::prepare() {
  auto frame = make_frame();
  if (!frame) return finish(to_grpc(frame.error()));
  {
    const std::lock_guard lock(mutex_);
    preparing_ = false;
    ready_ = std::move(*frame);
    exhausted_ = !ready_;
  }
  pump();
}

/// nullopt: all is sent.
Result<std::optional<grpc::ByteBuffer>> ChunkStream::make_frame() {
  std::vector<WireChunk> chunks;
  std::vector<Digest> missing;
  std::size_t bytes = 0;
  while (next_ || at_ < want_.chunks.size()) {
    if (!next_) {
      const Digest& id = want_.chunks[at_++];
      auto chunk = parts_.cache.get(id, want_.zstd);
      if (!chunk && chunk.error().code == Errc::unavailable) return chunk.error();
      if (!chunk) {  // not held, or rotten here: the agent is told so
        missing.push_back(id);
        continue;
      }
      next_ = std::move(*chunk);
    }
    const std::size_t size = next_->payload->size();
    const bool full = bytes + size > kFrameBytesMax || chunks.size() >= kFrameChunksMax;
    if (!chunks.empty() && full) break;
    bytes += size;
    log::debug("link.chunk_sent", log::kv("chunk", next_->id));
    chunks.push_back(std::move(*next_));
    next_.reset();
  }
  if (chunks.empty() && missing.empty()) return std::optional<grpc::ByteBuffer>();
  parts_.sent_bytes.fetch_add(bytes, std::memory_order_relaxed);
  return std::optional(to_byte_buffer(chunks, missing));
}

void ChunkStream::finish(const grpc::Status& status) {
  const auto keep = shared_from_this();
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(finished_, true)) return;
    if (writing_) {
      last_word_ = status;
      cut_off_.arm();
      return;
    }
  }
  Finish(status);
}

void ChunkStream::OnWriteDone(bool ok) {
  const auto keep = shared_from_this();
  std::optional<grpc::Status> last_word;
  {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    last_word = std::move(last_word_);
  }
  if (last_word) return Finish(*last_word);
  if (!ok) return finish(grpc::Status::CANCELLED);
  pump();
}

void ChunkStream::OnCancel() { finish(grpc::Status::CANCELLED); }

void ChunkStream::OnDone() {
  cut_off_.done();
  parts_.ended(*this);
  // May delete this: the last thing that happens.
  const std::shared_ptr<ChunkStream> last = std::move(self_);
}

}  // namespace farboot
