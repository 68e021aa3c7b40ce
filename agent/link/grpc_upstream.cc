#include "agent/link/grpc_upstream.h"

#include <algorithm>

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include "agent/link/convert.h"
#include "agent/link/silence.h"
#include "common/rpc/convert.h"
#include "common/rpc/status_map.h"
#include "farboot/v1/link.grpc.pb.h"

namespace farboot {
namespace {

/// A frame of 1 MiB comes whole or not at all: on the slowest of lines it takes that many times as
/// long as is waited at first.
constexpr int kSilenceGrowsTo = 16;
constexpr std::uint32_t kEncodings = 1u << v1::CHUNK_ENCODING_PLAIN | 1u << v1::CHUNK_ENCODING_ZSTD;

Error closed() { return fail(Errc::unavailable, "the connection to the controller was lost"); }

}  // namespace

GrpcUpstream::GrpcUpstream(std::shared_ptr<grpc::Channel> channel, Milliseconds silence,
                           LogLimit& malformed)
    : channel_(std::move(channel)),
      silence_max_(kSilenceGrowsTo * silence),
      malformed_(malformed),
      silence_(silence) {}

Result<void> GrpcUpstream::fetch(const Digest& release, std::span<const Digest> want,
                                 const Take& take) {
  grpc::ClientContext context;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return closed();
    running_ = &context;
    cancelled_ = false;
  }
  v1::FetchChunksRequest request;
  request.set_release(to_proto(release));
  request.set_want(to_proto(want));
  request.set_encodings(kEncodings);
  const auto stub = v1::Link::NewStub(channel_);
  SilenceWatch silence(context, silence_);
  silence.waiting();
  const auto reader = stub->FetchChunks(&context, request);
  Result<void> taken;
  v1::ChunkFrame frame;
  const auto comes = [&] {
    silence.waiting();
    const bool came = reader->Read(&frame);
    silence.heard();
    return came;
  };
  while (taken && comes()) taken = take_frame(frame, take, malformed_);
  if (!taken) {
    context.TryCancel();
    while (reader->Read(&frame)) {
    }
  }
  const grpc::Status status = reader->Finish();
  const std::lock_guard lock(mutex_);
  running_ = nullptr;
  if (!taken) return taken.error();
  if (status.ok()) return {};
  if (closed_) return closed();
  if (silence.ended()) {
    const auto waited = std::chrono::ceil<Seconds>(silence_);
    silence_ = std::min(2 * silence_, silence_max_);
    return fail(Errc::unavailable, "the controller sent nothing for {} s", waited.count());
  }
  Error error = to_error(status);
  // A stream that the other side or the line broke off: not an order of ours.
  if (error.code == Errc::cancelled && !cancelled_) error.code = Errc::unavailable;
  return error;
}

void GrpcUpstream::cancel() {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  if (running_ != nullptr) running_->TryCancel();
}

void GrpcUpstream::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  if (running_ != nullptr) running_->TryCancel();
}

}  // namespace farboot
