// A controller that is written by hand: the right certificate and the right key, and says whatever
// a test wants it to say.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "agent/link/identity.h"
#include "agent/link/wakeup.h"
#include "common/base/guarded.h"
#include "common/rpc/convert.h"
#include "common/rpc/credentials.h"
#include "common/store/memory_store.h"
#include "common/store/release_closure.h"
#include "controller/pki/authority.h"
#include "farboot/v1/link.grpc.pb.h"
#include "tests/support/fake_clock.h"
#include "tests/support/sample_content.h"
#include "tests/support/temp_folder.h"

namespace farboot {

class HostileController final : public v1::Link::Service {
 public:
  using Stream = grpc::ServerReaderWriter<v1::ControllerMessage, v1::AgentMessage>;
  using Fetch = std::function<grpc::Status(const v1::FetchChunksRequest& request,
                                           grpc::ServerWriter<v1::ChunkFrame>& writer)>;

  HostileController()
      : clock_(std::chrono::floor<Seconds>(system_clock().wall())),
        authority_(std::move(*Authority::open(folder_ / "ca", clock_))) {
    const auto issued = authority_->issue_server({"127.0.0.1"});
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort(
        "127.0.0.1:0",
        server_credentials(
            {authority_->ca_pem(), issued->certificate.certificate_pem, issued->key_pem}),
        &port);
    builder.SetMaxSendMessageSize(-1);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    address_ = fmt::format("127.0.0.1:{}", port);
  }
  ~HostileController() override {
    let_go.raise();
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
  }

  /// An agent enrolled that long ago.
  AgentIdentity identity(std::chrono::hours ago = std::chrono::hours(0)) {
    const WallTime now = clock_.wall();
    clock_.set_wall(now - ago);
    IdentityKey agent_key = IdentityKey::generate();
    auto issued = authority_->issue_agent(agent_key.csr_pem(), "lyon", "pi1");
    clock_.set_wall(now);
    Credentials credentials{authority_->ca_pem(), issued->certificate_pem, agent_key.to_pem()};
    return {"lyon/pi1",           "lyon",          "pi1", address_, std::move(credentials),
            std::move(agent_key), key.verify_key()};
  }

  /// What is said on each Connect after the welcome.
  void say(std::vector<v1::ControllerMessage> messages) {
    script_.with([&](auto& held) { held = std::move(messages); });
  }
  void on_fetch(Fetch fetch) {
    fetch_.with([&](Fetch& held) { held = std::move(fetch); });
  }
  void on_renew(std::string certificate_pem) {
    certificate_.with([&](auto& held) { held = std::move(certificate_pem); });
  }
  int renewals() const { return renewals_; }
  std::vector<v1::Report> reports() {
    return reports_.with([](auto& held) { return held; });
  }
  /// Sequence numbers, as they came.
  std::vector<std::uint64_t> events() {
    return events_.with([](auto& held) { return held; });
  }
  std::vector<v1::Hello> hellos() {
    return hellos_.with([](auto& held) { return held; });
  }

  v1::ControllerMessage state_message(const SignedDocument& document) const {
    v1::ControllerMessage message;
    *message.mutable_desired_state() = to_proto(DocumentKind::desired_state, document);
    return message;
  }
  v1::ControllerMessage desired(std::uint64_t number, std::optional<Digest> serve,
                                std::string site = "lyon") const {
    return state_message(sign_desired(key, desired_state(std::move(site), number, {}, serve)));
  }
  /// An offer of a release of one new tree.
  v1::Offer make_offer(int files) {
    const Release release = sample_release(1, {put_sample_tree(store, random_, files)});
    v1::Offer offer;
    *offer.mutable_release() = to_proto(DocumentKind::release, sign_release(key, release));
    for (const Digest& manifest : release.manifests()) offer.add_manifests(to_proto(manifest));
    const auto closure = release_closure(store, release.manifests());
    for (const ChunkRef& chunk : *closure)
      offer.set_total_bytes(offer.total_bytes() + chunk.size_bytes);
    offer.set_chunks(closure->size());
    return offer;
  }
  static Digest digest_of(const v1::Offer& offer) {
    return from_proto(DocumentKind::release, offer.release())->digest();
  }
  static v1::ControllerMessage message_of(const v1::Offer& offer) {
    v1::ControllerMessage message;
    *message.mutable_offer() = offer;
    return message;
  }
  /// As an honest one answers.
  v1::Chunk chunk(const Digest& id) const {
    const Bytes bytes = *store.get(id);
    v1::Chunk message;
    message.set_id(to_proto(id));
    message.set_size_bytes(static_cast<std::uint32_t>(bytes.size()));
    message.set_payload(std::string(as_text(bytes)));
    return message;
  }

  /// Says nothing, and does not end.
  void hang() const { let_go.wait(0, std::chrono::hours(1)); }

  std::atomic<std::uint64_t> event_acked = 0;  ///< as the welcome says
  std::atomic<bool> reads = true;              ///< what agents say after their hello
  Wakeup let_go;                               ///< raised: calls that hang end
  MemoryStore store;
  SigningKey key = SigningKey::generate();

 private:
  grpc::Status Connect(grpc::ServerContext*, Stream* stream) override {
    v1::AgentMessage message;
    if (!stream->Read(&message)) return grpc::Status::OK;
    hellos_.with([&](auto& held) { held.push_back(message.hello()); });
    v1::ControllerMessage welcome;
    welcome.mutable_welcome()->set_protocol(1);
    welcome.mutable_welcome()->set_heartbeat_seconds(30);
    welcome.mutable_welcome()->set_event_acked(event_acked);
    welcome.mutable_welcome()->set_time_ms(to_proto_ms(clock_.wall()));
    stream->Write(welcome);
    for (const auto& next : script_.with([](auto& held) { return held; })) stream->Write(next);
    while (reads && stream->Read(&message)) {
      if (message.has_report())
        reports_.with([&](auto& held) { held.push_back(message.report()); });
      for (const v1::Event& event : message.events().events())
        events_.with([&](auto& held) { held.push_back(event.sequence()); });
    }
    if (!reads) hang();
    return grpc::Status::OK;
  }
  grpc::Status FetchChunks(grpc::ServerContext*, const v1::FetchChunksRequest* request,
                           grpc::ServerWriter<v1::ChunkFrame>* writer) override {
    const Fetch fetch = fetch_.with([](Fetch& held) { return held; });
    return fetch ? fetch(*request, *writer) : grpc::Status::OK;
  }
  grpc::Status RenewCertificate(grpc::ServerContext*, const v1::RenewCertificateRequest*,
                                v1::RenewCertificateResponse* response) override {
    ++renewals_;
    response->set_certificate_pem(certificate_.with([](auto& held) { return held; }));
    return grpc::Status::OK;
  }

  TempFolder folder_;
  FakeClock clock_;
  std::unique_ptr<Authority> authority_;
  std::mt19937_64 random_{42};
  Guarded<std::vector<v1::ControllerMessage>> script_;
  Guarded<Fetch> fetch_;
  Guarded<std::string> certificate_;
  Guarded<std::vector<v1::Report>> reports_;
  Guarded<std::vector<v1::Hello>> hellos_;
  Guarded<std::vector<std::uint64_t>> events_;
  std::atomic<int> renewals_{0};
  std::string address_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace farboot
