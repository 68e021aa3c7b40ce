#include "tests/support/link_controller.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <string_view>

#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/server_interceptor.h>

#include "common/base/check.h"
#include "common/rpc/convert.h"
#include "common/rpc/grpc_log.h"
#include "common/store/release_closure.h"
#include "farboot/v1/link.pb.h"
#include "tests/support/sample_content.h"

namespace farboot {
namespace {

using grpc::experimental::InterceptionHookPoints;

template <class Message>
bool parse(const void* raw, Message& message) {
  grpc::ByteBuffer bytes(*static_cast<const grpc::ByteBuffer*>(raw));
  return grpc::SerializationTraits<Message>::Deserialize(&bytes, &message).ok();
}

class Wiretap final : public grpc::experimental::Interceptor {
 public:
  explicit Wiretap(Guarded<ChunkWatch>& watch) : watch_(watch) {}
  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    const ChunkWatch watch = watch_.with([](const ChunkWatch& held) { return held; });
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_MESSAGE) &&
        watch.wanted && methods->GetRecvMessage() != nullptr) {
      v1::FetchChunksRequest request;
      if (parse(methods->GetRecvMessage(), request)) {
        const auto ids = digests_from_proto(request.want(), 1u << 20);
        if (ids)
          for (const Digest& id : *ids) watch.wanted(id);
      }
    }
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_MESSAGE) &&
        watch.sent) {
      v1::ChunkFrame frame;
      if (parse(methods->GetSendMessage(), frame))
        for (const v1::Chunk& chunk : frame.chunks()) watch.sent(*digest_from_proto(chunk.id()));
    }
    methods->Proceed();
  }

 private:
  Guarded<ChunkWatch>& watch_;
};

class StreamTap final : public grpc::experimental::Interceptor {
 public:
  explicit StreamTap(Guarded<ChunkWatch>& watch) : watch_(watch) {}
  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    const ChunkWatch watch = watch_.with([](const ChunkWatch& held) { return held; });
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_MESSAGE) &&
        watch.heard && methods->GetRecvMessage() != nullptr)
      watch.heard();
    methods->Proceed();
  }

 private:
  Guarded<ChunkWatch>& watch_;
};

class Wiretaps final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit Wiretaps(Guarded<ChunkWatch>& watch) : watch_(watch) {}
  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* call) override {
    const std::string_view method = call->method();
    if (method == "/farboot.v1.Link/FetchChunks")
      return std::make_unique<Wiretap>(watch_).release();
    if (method == "/farboot.v1.Link/Connect") return std::make_unique<StreamTap>(watch_).release();
    return nullptr;
  }

 private:
  Guarded<ChunkWatch>& watch_;
};

/// The fleet, and a test that listens in.
class SinkTap final : public ReportSink {
 public:
  using Tap = std::function<void(const AgentReport&)>;
  SinkTap(Fleet& fleet, Guarded<std::function<void()>>& before_welcome, Guarded<Tap>& before_report)
      : fleet_(fleet), before_welcome_(before_welcome), before_report_(before_report) {}
  void on_hello(const std::string& agent, const std::string& site, const HeldState& held) override {
    const auto tap = before_welcome_.with([](const auto& set) { return set; });
    if (tap) tap();
    fleet_.on_hello(agent, site, held);
  }
  void on_connected(const std::string& agent, const std::string& site) override {
    fleet_.on_connected(agent, site);
  }
  void on_disconnected(const std::string& agent) override { fleet_.on_disconnected(agent); }
  void on_report(const AgentReport& report) override {
    const Tap tap = before_report_.with([](const Tap& held) { return held; });
    if (tap) tap(report);
    fleet_.on_report(report);
  }
  void on_hosts(const std::string& site, const std::vector<HostReport>& hosts) override {
    fleet_.on_hosts(site, hosts);
  }

 private:
  Fleet& fleet_;
  Guarded<std::function<void()>>& before_welcome_;
  Guarded<Tap>& before_report_;
};

/// The state, and a test that gets between it and the link.
class StateTap final : public StateStore {
 public:
  using Tap = std::function<void(std::string_view)>;
  StateTap(StateStore& state, Guarded<Tap>& before_read)
      : state_(state), before_read_(before_read) {}
  Result<std::optional<StateEntry>> get(std::string_view key) const override {
    const Tap tap = before_read_.with([](const Tap& held) { return held; });
    if (tap) tap(key);
    return state_.get(key);
  }
  Result<std::vector<StateEntry>> scan(std::string_view prefix) const override {
    return state_.scan(prefix);
  }
  Result<std::uint64_t> commit(const Transaction& transaction) override {
    return state_.commit(transaction);
  }
  std::unique_ptr<Watch> watch(std::string prefix, Watcher watcher) override {
    return state_.watch(std::move(prefix), std::move(watcher));
  }

 private:
  StateStore& state_;
  Guarded<Tap>& before_read_;
};

/// Bound, never listening, and shared with the server's own sockets.
UniqueFd hold_port(int port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  sockaddr_in own{};
  own.sin_family = AF_INET;
  own.sin_port = htons(static_cast<std::uint16_t>(port));
  own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  FARBOOT_CHECK(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) == 0);
  return fd;
}

template <class T>
T must(Result<T> result) {
  FARBOOT_CHECK(result.has_value());
  return std::move(*result);
}

}  // namespace

LinkController::LinkController(LinkSettings settings)
    // Certificates are checked against the machine's clock, so this one stands at now.
    : clock(std::chrono::floor<Seconds>(system_clock().wall())),
      authority(must(Authority::open(folder / "ca", clock))),
      settings_(settings) {
  take_over_grpc_log();
  start();
}

LinkController::~LinkController() { stop(); }

void LinkController::open() {
  database = must(Database::open((folder / "db").string()));
  state = must(RocksState::open(*database));
  PackStoreOptions options;
  options.reserve_bytes = 0;
  content = must(PackStore::open(*database, (folder / "packs").string(), options));
  enrolment = std::make_unique<Enrolment>(*state, *authority, clock);
  releases = std::make_unique<ReleaseBook>(*state, key);
  fleet = std::make_unique<Fleet>(*state, key, clock);
  FARBOOT_CHECK(fleet->open().has_value());
  sink_ = std::make_unique<SinkTap>(*fleet, before_welcome_, before_report_);
  link_state_ = std::make_unique<StateTap>(*state, before_read_);
  service_ = std::make_unique<LinkService>(LinkService::Parts{*link_state_, *content, *enrolment,
                                                              *sink_, clock, key.verify_key(),
                                                              "0.1.0-test", settings_});
}

void LinkController::listen() {
  const auto issued = must(authority->issue_server({"127.0.0.1", "localhost"}));
  grpc::ServerBuilder builder;
  tune_server(builder);
  int port = 0;
  builder.AddListeningPort(
      address_.empty() ? "127.0.0.1:0" : address_,
      server_credentials({authority->ca_pem(), issued.certificate.certificate_pem, issued.key_pem}),
      &port);
  for (grpc::Service* service : service_->services()) builder.RegisterService(service);
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> taps;
  taps.push_back(std::make_unique<Wiretaps>(watch_));
  builder.experimental().SetInterceptorCreators(std::move(taps));
  server_ = builder.BuildAndStart();
  FARBOOT_CHECK(server_ != nullptr && port != 0);
  address_ = fmt::format("127.0.0.1:{}", port);
  if (!port_hold_) port_hold_ = hold_port(port);
}

void LinkController::start() {
  if (server_) return;
  open();
  listen();
}

void LinkController::stop() {
  if (!server_) return;
  service_->stop();
  server_->Shutdown(std::chrono::system_clock::now() + Seconds(5));
  server_->Wait();
  server_.reset();
  service_.reset();
  static_cast<void>(fleet->reports().flush());
  sink_.reset();
  fleet.reset();
  releases.reset();
  enrolment.reset();
  content.reset();
  link_state_.reset();
  state.reset();
  database.reset();
}

void LinkController::restart() {
  stop();
  start();
}

std::string LinkController::token(const std::string& site, const std::string& name,
                                  std::string address, Seconds ttl) {
  if (address.empty()) address = address_;
  return must(enrolment->create_token({site, name, ttl, std::move(address)}));
}

Credentials LinkController::enrol(const std::string& site, const std::string& name,
                                  const IdentityKey& its_key) {
  const auto enrolled = must(enrolment->redeem(token(site, name), its_key.csr_pem()));
  return {enrolled.ca_pem, enrolled.certificate_pem, its_key.to_pem()};
}

Digest LinkController::add_release(int files, std::size_t file_bytes_max) {
  const auto before = must(releases->newest());
  const Release wish =
      sample_release(1, {put_sample_tree(*content, random, files, file_bytes_max)});
  Transaction transaction;
  const auto made = must(releases->prepare(wish, before, clock.wall(), transaction));
  must(state->commit(transaction));
  return made.digest;
}

void LinkController::order(const std::string& name, std::optional<Digest> stage,
                           std::optional<Digest> serve) {
  if (!fleet->site(name)) {
    Site site;
    site.name = name;
    Transaction made;
    FARBOOT_CHECK(fleet->put_site(made, site).has_value());
    must(state->commit(made));
  }
  while (true) {
    Transaction transaction;
    FARBOOT_CHECK(fleet->order_releases(transaction, name, {stage, serve}).has_value());
    const auto done = state->commit(transaction);
    if (done) return;
    FARBOOT_CHECK(done.error().code == Errc::conflict);  // an agent said hello meanwhile
  }
}

std::vector<ChunkRef> LinkController::chunks_of(const Digest& release) {
  return must(release_closure(*content, must(releases->find(release)).release.manifests()));
}

std::optional<AgentReport> LinkController::report(const std::string& agent) const {
  const auto status = fleet->reports().agent(agent);
  return status ? std::optional(status->report) : std::nullopt;
}

bool LinkController::online(const std::string& agent) const {
  const auto status = fleet->reports().agent(agent);
  return status && status->online;
}

}  // namespace farboot
