// The calls: who may, and what is handed to the pool.
#include <grpcpp/impl/codegen/proto_utils.h>

#include "common/base/log.h"
#include "common/rpc/convert.h"
#include "common/rpc/identity.h"
#include "common/rpc/status_map.h"
#include "controller/link/link_impl.h"

namespace farboot {
namespace {

constexpr std::size_t kEnrolTextBytesMax = 16 * 1024;
/// Anybody may call Enroll, with fields that nobody here knows too; what waits is kept in memory.
constexpr std::size_t kEnrolBytesMax = 64 * 1024;
/// A full want and what else is in a request.
constexpr std::size_t kFetchBytesMax = kWantedChunksMax * sizeof(Digest) + 4096;
/// More than this waiting, and they are sent away.
constexpr std::size_t kEnrolsWaitingMax = 1024;

grpc::Status stopping() {
  return {grpc::StatusCode::UNAVAILABLE, "the controller stops; come again"};
}

/// Not RESOURCE_EXHAUSTED: an agent that hears that of a fetch makes room in its own store.
grpc::Status too_many_fetches() {
  return {grpc::StatusCode::UNAVAILABLE, "earlier fetches of this agent still end; come again"};
}

Result<Want> want_of(const grpc::ByteBuffer& request) {
  if (request.Length() > kFetchBytesMax) return fail(Errc::invalid, "request too long");
  v1::FetchChunksRequest message;
  grpc::ByteBuffer bytes(request);
  const grpc::Status parsed =
      grpc::SerializationTraits<v1::FetchChunksRequest>::Deserialize(&bytes, &message);
  if (!parsed.ok()) return to_error(parsed);
  return from_proto(message);
}

}  // namespace

Result<AgentRecord> LinkService::Impl::admit(const PeerIdentity& peer) {
  return parts_.enrolment.admit(peer);
}

/// Before anything of the call is kept: strangers fill no queue. Does not block.
Result<PeerIdentity> LinkService::Impl::let_in(const grpc::CallbackServerContext& context) {
  auto peer = peer_identity(context);
  if (peer.kind == PeerKind::agent) return peer;
  return admit(peer).error();
}

grpc::ServerUnaryReactor* LinkService::Impl::enroll(grpc::CallbackServerContext& context,
                                                    const v1::EnrollRequest& in,
                                                    v1::EnrollResponse& out) {
  auto* reactor = context.DefaultReactor();
  if (in.ByteSizeLong() > kEnrolBytesMax || in.token().size() > kEnrolTextBytesMax ||
      in.csr_pem().size() > kEnrolTextBytesMax) {
    reactor->Finish({grpc::StatusCode::INVALID_ARGUMENT, "token or request too long"});
  } else if (pool_.waiting() > kEnrolsWaitingMax) {
    reactor->Finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "too many at once; come again"});
  } else {
    pool_.post([this, reactor, &in, &out] { reactor->Finish(do_enroll(in, out)); },
               [reactor] { reactor->Finish(job_failed()); });
  }
  return reactor;
}

grpc::Status LinkService::Impl::do_enroll(const v1::EnrollRequest& in, v1::EnrollResponse& out) {
  auto enrolled = parts_.enrolment.redeem(in.token(), in.csr_pem());
  if (!enrolled) return to_grpc(enrolled.error());
  out.set_certificate_pem(enrolled->certificate_pem);
  out.set_ca_pem(enrolled->ca_pem);
  out.set_verify_key(std::string(as_text(parts_.verify_key.bytes())));
  out.set_agent(enrolled->agent.id);
  out.set_site(enrolled->agent.site);
  out.set_name(enrolled->agent.name);
  out.set_address(enrolled->address);
  out.set_time_ms(to_proto_ms(parts_.clock.wall()));
  return grpc::Status::OK;
}

grpc::ServerUnaryReactor* LinkService::Impl::renew(grpc::CallbackServerContext& context,
                                                   const v1::RenewCertificateRequest& in,
                                                   v1::RenewCertificateResponse& out) {
  auto* reactor = context.DefaultReactor();
  const auto peer = let_in(context);
  if (!peer) {
    reactor->Finish(to_grpc(peer.error()));
  } else if (in.ByteSizeLong() > kEnrolBytesMax || in.csr_pem().size() > kEnrolTextBytesMax) {
    reactor->Finish({grpc::StatusCode::INVALID_ARGUMENT, "request too long"});
  } else {
    pool_.post(
        [this, reactor, peer = *peer, &in, &out] { reactor->Finish(do_renew(peer, in, out)); },
        [reactor] { reactor->Finish(job_failed()); });
  }
  return reactor;
}

grpc::Status LinkService::Impl::do_renew(const PeerIdentity& peer,
                                         const v1::RenewCertificateRequest& in,
                                         v1::RenewCertificateResponse& out) {
  auto agent = admit(peer);
  if (!agent) return to_grpc(agent.error());
  auto renewed = parts_.enrolment.renew(agent->id, in.csr_pem());
  if (!renewed) return to_grpc(renewed.error());
  out.set_certificate_pem(renewed->certificate_pem);
  out.set_ca_pem(renewed->ca_pem);
  out.set_verify_key(std::string(as_text(parts_.verify_key.bytes())));
  out.set_time_ms(to_proto_ms(parts_.clock.wall()));
  return grpc::Status::OK;
}

LinkCalls::Connected* LinkService::Impl::connect(grpc::CallbackServerContext& context) {
  auto stream = AgentStream::make(context, pool_, *this);
  const auto peer = let_in(context);
  if (!peer) {
    stream->finish(to_grpc(peer.error()));
  } else if (!streams_.add(stream)) {
    stream->finish(stopping());
  } else {
    pool_.post(
        [this, stream, peer = *peer] {
          auto agent = admit(peer);
          if (!agent) return stream->finish(to_grpc(agent.error()));
          const auto before = streams_.admit(stream, agent->id);
          if (before) before->finish({grpc::StatusCode::ABORTED, "the same agent connected again"});
          stream->begin(std::move(*agent), parts_.settings.hello_wait);
        },
        [stream] { stream->finish(job_failed()); });
  }
  return stream.get();
}

LinkCalls::Fetching* LinkService::Impl::fetch(grpc::CallbackServerContext& context,
                                              const grpc::ByteBuffer& request) {
  auto stream = ChunkStream::make(
      context,
      {pool_, cache_, chunk_bytes_, [this](ChunkStream& ended) { streams_.remove(ended); }});
  const auto peer = let_in(context);
  auto want = peer ? want_of(request) : Result<Want>(peer.error());
  if (!want) {
    stream->finish(to_grpc(want.error()));
  } else if (!streams_.add(stream)) {
    stream->finish(stopping());
  } else {
    pool_.post([this, stream, peer = *peer,
                want = std::move(*want)]() mutable { admit_fetch(stream, peer, std::move(want)); },
               [stream] { stream->finish(job_failed()); });
  }
  return stream.get();
}

void LinkService::Impl::admit_fetch(const std::shared_ptr<ChunkStream>& stream,
                                    const PeerIdentity& peer, Want want) {
  auto agent = admit(peer);
  if (!agent) return stream->finish(to_grpc(agent.error()));
  // Named before it is looked at again: a revocation in between finds the stream.
  std::vector<std::shared_ptr<ChunkStream>> over;
  if (!streams_.admit(stream, agent->id, over)) return stream->finish(too_many_fetches());
  for (const auto& before : over)
    before->finish({grpc::StatusCode::ABORTED, "the same agent fetches again"});
  agent = admit(peer);
  auto allowed = agent ? check_fetch(*agent, want) : Result<void>(agent.error());
  if (!allowed) {
    fetches_refused_.fetch_add(1, std::memory_order_relaxed);
    const auto left_out =
        fetch_lines_.with([&](LogLimit& lines) { return lines.take(parts_.clock.steady()); });
    if (left_out)
      log::warn("link.fetch_refused", log::kv("agent", peer.id()),
                log::kv("error", allowed.error().what), log::kv("left_out", *left_out));
    return stream->finish(to_grpc(allowed.error()));
  }
  stream->begin(std::move(want));
}

Result<void> LinkService::Impl::check_fetch(const AgentRecord& agent, const Want& want) {
  auto target = targets_.get(agent.site);
  if (!target) return target.error();
  if (!*target || !(*target)->named(want.release))
    return fail(Errc::denied, "release {} is not for site {}", want.release.short_hex(),
                agent.site);
  auto content = contents_.get(want.release);
  if (!content) return content.error();
  for (const Digest& chunk : want.chunks)
    if (!(*content)->has(chunk))
      return fail(Errc::denied, "chunk {} does not belong to release {}", chunk.short_hex(),
                  want.release.short_hex());
  return {};
}

}  // namespace farboot
