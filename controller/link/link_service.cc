#include "controller/link/link_service.h"

#include <algorithm>

#include "common/base/log.h"
#include "common/content/identity_key.h"
#include "common/content/ready_proof.h"
#include "common/rpc/convert.h"
#include "common/rpc/status_map.h"
#include "controller/link/link_impl.h"

namespace farboot {
namespace {

constexpr std::string_view kDesiredPrefix = "desired/";
constexpr std::string_view kAgentPrefix = "agent/";
constexpr std::size_t kPoolThreads = 4;
constexpr std::uint64_t kAgentsPerSecond = 200;  ///< that may come back after a loss
constexpr std::int64_t kSpreadSecondsMax = 600;

}  // namespace

LinkService::Impl::Impl(Parts parts)
    : parts_(std::move(parts)),
      contents_(parts_.state, parts_.content),
      targets_(parts_.state),
      events_(parts_.state),
      cache_(parts_.content),
      pool_(kPoolThreads) {
  desired_watch_ =
      parts_.state.watch(std::string(kDesiredPrefix), [this](const StateEntry& entry, bool erased) {
        // An erased desired state takes nothing away from anybody.
        if (erased) return;
        const std::string site = entry.key.substr(kDesiredPrefix.size());
        pool_.post([this, site] { push(site); }, [this, site] { push_later(site, 0); });
      });
  agent_watch_ =
      parts_.state.watch(std::string(kAgentPrefix), [this](const StateEntry& entry, bool erased) {
        agent_changed(entry.key.substr(kAgentPrefix.size()), entry.value, erased);
      });
}

LinkService::Impl::~Impl() { stop(); }

void LinkService::Impl::stop() {
  desired_watch_.reset();
  agent_watch_.reset();
  streams_.stop();
}

LinkCounts LinkService::Impl::counts() const {
  LinkCounts out;
  out.connected = streams_.connected();
  out.connects = connects_;
  out.reports = reports_;
  out.events = kept_events_;
  out.chunk_bytes = chunk_bytes_;
  out.fetches_refused = fetches_refused_;
  out.proofs_refused = proofs_refused_;
  out.releases_refused = changed_releases_.with([](const auto& changed) { return changed; });
  return out;
}

grpc::Status LinkService::Impl::on_hello(AgentStream& stream, const v1::Hello& hello) {
  const AgentRecord& agent = stream.agent();
  const auto document = optional_digest_from_proto(hello.desired_digest());
  if (!document) return to_grpc(prefix("hello: desired_digest", document.error()));
  auto acknowledged = events_.acknowledged(agent);
  if (!acknowledged) return to_grpc(acknowledged.error());
  std::shared_ptr<AgentStream> before;
  if (!streams_.greet(stream.shared_from_this(), before)) return grpc::Status::CANCELLED;
  if (before) before->finish({grpc::StatusCode::ABORTED, "the same agent connected again"});
  // Revoked between admission and here: the watch saw no stream of it then.
  auto still = parts_.enrolment.agent(agent.id);
  if (!still || still->revoked || still->key_id != agent.key_id)
    return {grpc::StatusCode::PERMISSION_DENIED, "agent " + agent.id + ": revoked"};
  connects_.fetch_add(1, std::memory_order_relaxed);
  log::info("link.connected", log::kv("agent", agent.id),
            log::kv("version", text_from_proto(hello.version(), 64)),
            log::kv("desired", hello.desired_number()));
  parts_.sink.on_hello(agent.id, agent.site, {hello.desired_number(), *document});
  parts_.sink.on_connected(agent.id, agent.site);
  // It may have ended before that was said: then the last word must be that it is gone.
  if (!streams_.of_agent(agent.id)) parts_.sink.on_disconnected(agent.id);

  const auto fleet = static_cast<std::int64_t>(streams_.connected() / kAgentsPerSecond);
  const std::int64_t spread =
      std::clamp<std::int64_t>(fleet, parts_.settings.reconnect_spread.count(), kSpreadSecondsMax);
  v1::ControllerMessage message;
  v1::Welcome& welcome = *message.mutable_welcome();
  welcome.set_protocol(1);
  welcome.set_version(parts_.version);
  welcome.set_time_ms(to_proto_ms(parts_.clock.wall()));
  welcome.set_heartbeat_seconds(static_cast<std::uint32_t>(parts_.settings.heartbeat.count()));
  welcome.set_spread_seconds(static_cast<std::uint32_t>(spread));
  welcome.set_event_acked(*acknowledged);
  stream.welcome(std::move(message));
  // Greeted first, then read: a change in between is pushed twice, never missed.
  std::set<Digest> broken;
  const StateMessages desired = state_messages(agent.site, broken);
  stream.send_state(desired.revision, desired.messages);
  if (desired.lacking) not_all_told(agent.site, desired);
  ask_what_is_due(stream);
  return grpc::Status::OK;
}

grpc::Status LinkService::Impl::on_report(AgentStream& stream, const v1::Report& in) {
  auto report = from_proto(in);
  if (!report) return to_grpc(report.error());
  const AgentRecord& agent = stream.agent();
  // The stream ended while this waited for its turn: what is known of the agent now is newer.
  if (streams_.of_agent(agent.id).get() != &stream) return grpc::Status::CANCELLED;
  report->agent = agent.id;
  report->site = agent.site;
  report->received = parts_.clock.wall();
  if (report->ready_proof && *report->ready_proof != stream.proof) {
    auto good = check_proof(agent, *report->ready_proof);
    if (good && *good) {
      stream.proof = *report->ready_proof;
    } else if (good) {
      report->ready_proof.reset();
    } else {
      proofs_refused_.fetch_add(1, std::memory_order_relaxed);
      const auto left_out =
          proof_lines_.with([&](LogLimit& lines) { return lines.take(parts_.clock.steady()); });
      if (left_out)
        log::warn("link.proof_refused", log::kv("agent", agent.id),
                  log::kv("error", good.error().what), log::kv("left_out", *left_out));
      report->ready_proof.reset();
    }
  }
  if (report->rotten_chunks > stream.rotten_chunks)
    log::warn("link.chunks_rotten", log::kv("agent", agent.id),
              log::kv("since_start", report->rotten_chunks));
  stream.rotten_chunks = report->rotten_chunks;
  parts_.sink.on_report(*report);
  reports_.fetch_add(1);  // after it: who has counted it finds it
  return grpc::Status::OK;
}

/// ready is believed only if the enrolled key signed it, over exactly the chunks of that release.
/// False: it did, but of a release that its site has no use for (any more), so it is passed over.
Result<bool> LinkService::Impl::check_proof(const AgentRecord& agent, const SignedDocument& proof) {
  auto verified = verify_identity_signature(agent.public_key_pem, DocumentKind::ready, proof);
  if (!verified) return verified.error();
  auto claim = decode_ready_proof(proof.document);
  if (!claim) return claim.error();
  if (claim->agent != agent.id)
    return fail(Errc::denied, "ready proof: of agent {}", printable(claim->agent, 140));
  // Looked at before the release is read: an agent may not have us read whichever it likes.
  auto target = targets_.get(agent.site);
  if (!target) return target.error();
  if (!*target || !(*target)->named(claim->release)) return false;
  auto content = contents_.get(claim->release);
  if (!content) return content.error();
  if (claim->root != (*content)->root || claim->chunks != (*content)->chunks.size() ||
      claim->bytes != (*content)->total_bytes)
    return fail(Errc::mismatch, "ready proof: not of the chunks of release {}",
                claim->release.short_hex());
  return true;
}

grpc::Status LinkService::Impl::on_events(AgentStream& stream, const v1::EventBatch& in) {
  auto events = from_proto(in);
  if (!events) return to_grpc(events.error());
  auto kept = events_.keep(stream.agent(), *events);
  if (!kept) return to_grpc(kept.error());
  kept_events_.fetch_add(kept->fresh, std::memory_order_relaxed);
  std::vector<HostReport> hosts;
  for (const SiteEvent& event : *events)
    if (!event.host.host.empty()) hosts.push_back(event.host);
  parts_.sink.on_hosts(stream.agent().site, hosts);
  v1::ControllerMessage message;
  message.mutable_event_ack()->set_sequence(kept->acknowledged);
  stream.send(std::move(message));
  return grpc::Status::OK;
}

void LinkService::Impl::on_ended(AgentStream& stream) {
  if (!streams_.remove(stream)) return;
  const std::string& agent = stream.agent().id;
  log::info("link.disconnected", log::kv("agent", agent));
  parts_.sink.on_disconnected(agent);
}

/// On the thread that commits: quick, and the store is not asked.
void LinkService::Impl::agent_changed(const std::string& id, const std::string& record,
                                      bool erased) {
  const auto stream = streams_.of_agent(id);
  auto now = erased ? Result<AgentRecord>(fail(Errc::not_found, "agent: erased"))
                    : decode_agent_record(record);
  const bool same = stream && now && now->key_id == stream->agent().key_id;
  if (now && !now->revoked && (same || !stream)) return;
  if (!now || now->revoked) doctors_.dismiss(id);
  log::warn("link.dropped", log::kv("agent", id));
  streams_.drop(id, {grpc::StatusCode::PERMISSION_DENIED, "agent " + id + ": revoked"});
}

LinkService::LinkService(Parts parts) : impl_(std::make_unique<Impl>(std::move(parts))) {}
LinkService::~LinkService() = default;
std::vector<grpc::Service*> LinkService::services() { return impl_->services(); }
void LinkService::stop() { impl_->stop(); }
std::size_t LinkService::connected() const { return impl_->counts().connected; }
LinkCounts LinkService::counts() const { return impl_->counts(); }
Diagnoses LinkService::diagnose(const std::vector<std::string>& agents,
                                const std::function<bool()>& given_up) {
  return impl_->diagnose(agents, given_up);
}

}  // namespace farboot
