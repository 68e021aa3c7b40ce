// LinkService from the inside. Private to link.
#pragma once

#include <atomic>
#include <map>
#include <optional>
#include <set>

#include "common/base/log_limit.h"
#include "controller/link/chunk_cache.h"
#include "controller/link/doctors.h"
#include "controller/link/event_book.h"
#include "controller/link/link_handlers.h"
#include "controller/link/link_service.h"
#include "controller/link/release_content.h"
#include "controller/link/site_targets.h"
#include "controller/link/streams.h"
#include "controller/link/worker_pool.h"

namespace farboot {

class LinkService::Impl final : public StreamOwner, public LinkCalls {
 public:
  explicit Impl(Parts parts);
  ~Impl() override;

  std::vector<grpc::Service*> services() { return {&enrolment_, &link_}; }
  void stop();
  LinkCounts counts() const;
  Diagnoses diagnose(const std::vector<std::string>& agents, const std::function<bool()>& given_up);

 private:
  // LinkCalls, on gRPC's threads
  Connected* connect(grpc::CallbackServerContext& context) override;
  Fetching* fetch(grpc::CallbackServerContext& context, const grpc::ByteBuffer& request) override;
  grpc::ServerUnaryReactor* renew(grpc::CallbackServerContext& context,
                                  const v1::RenewCertificateRequest& in,
                                  v1::RenewCertificateResponse& out) override;
  grpc::ServerUnaryReactor* enroll(grpc::CallbackServerContext& context,
                                   const v1::EnrollRequest& in, v1::EnrollResponse& out) override;

  // StreamOwner, on the pool
  grpc::Status on_hello(AgentStream& stream, const v1::Hello& hello) override;
  grpc::Status on_report(AgentStream& stream, const v1::Report& report) override;
  grpc::Status on_events(AgentStream& stream, const v1::EventBatch& events) override;
  grpc::Status on_doctor(AgentStream& stream, const v1::DoctorResult& result) override;
  void on_ended(AgentStream& stream) override;

  grpc::Status do_enroll(const v1::EnrollRequest& in, v1::EnrollResponse& out);
  grpc::Status do_renew(const PeerIdentity& peer, const v1::RenewCertificateRequest& in,
                        v1::RenewCertificateResponse& out);
  Result<PeerIdentity> let_in(const grpc::CallbackServerContext& context);
  Result<AgentRecord> admit(const PeerIdentity& peer);
  Result<void> check_fetch(const AgentRecord& agent, const Want& want);
  Result<bool> check_proof(const AgentRecord& agent, const SignedDocument& proof);
  void admit_fetch(const std::shared_ptr<ChunkStream>& stream, const PeerIdentity& peer, Want want);

  void agent_changed(const std::string& id, const std::string& record, bool erased);
  struct StateMessages {
    std::uint64_t revision = 0;
    std::vector<SharedMessage> messages;  ///< none: nothing was ever desired of the site
    std::optional<Error> lacking;         ///< why one that should be among them is not
  };
  /// `broken`: releases that cannot be read just now; those found to be are added.
  StateMessages state_messages(const std::string& site, std::set<Digest>& broken);
  void push(const std::string& site);
  /// What the agent's connection before this one may have taken with it.
  void ask_what_is_due(AgentStream& stream);
  /// Says so, and looks again soon.
  void not_all_told(const std::string& site, const StateMessages& desired);
  void push_later(const std::string& site, std::size_t told);
  void push_again();
  void push_again(const std::string& site, std::size_t told, std::set<Digest>& broken);

  Parts parts_;
  ReleaseContents contents_;
  SiteTargets targets_;
  EventBook events_;
  ChunkCache cache_;
  Streams streams_;
  Doctors doctors_;
  struct Due {
    std::map<std::string, std::size_t> sites;  ///< and how many messages each was told
    bool posted = false;                       ///< push_again() is
  };
  Guarded<Due> due_;
  Guarded<LogLimit> proof_lines_, fetch_lines_;
  Guarded<std::set<Digest>> changed_releases_;  ///< every one that was found so since the start
  std::atomic<std::uint64_t> connects_{0}, reports_{0}, kept_events_{0}, chunk_bytes_{0},
      fetches_refused_{0}, proofs_refused_{0};
  EnrolmentHandlers enrolment_{*this};
  LinkHandlers link_{*this};
  WorkerPool pool_;
  std::unique_ptr<StateStore::Watch> desired_watch_, agent_watch_;
};

}  // namespace farboot
