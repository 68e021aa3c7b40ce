#include "controller/controller.h"

#include <sys/stat.h>

#include <condition_variable>
#include <csignal>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/rpc/credentials.h"
#include "common/rpc/enrol_token.h"
#include "common/rpc/grpc_log.h"
#include "common/service/service.h"
#include "common/store/database.h"
#include "common/store/pack_store.h"
#include "common/store/rocks_state.h"
#include "controller/api/fleet_service.h"
#include "controller/fleet/fleet.h"
#include "controller/key_files.h"
#include "controller/link/link_service.h"
#include "controller/pki/authority.h"
#include "controller/pki/enrol.h"
#include "controller/pki/operator_book.h"
#include "controller/pki/operator_folder.h"
#include "controller/release/image_book.h"
#include "controller/release/release_book.h"
#include "controller/rollout/rollouts.h"
#include "controller/rollout/runner.h"

namespace farboot {
namespace {

/// Streams and imports get this long to end when the controller stops.
constexpr Seconds kStopGrace{5};

PackStoreOptions store_options(const ControllerConfig& config) {
  PackStoreOptions options;
  if (config.store_budget_bytes > 0) options.budget_bytes = config.store_budget_bytes;
  if (config.store_reserve_bytes > 0) options.reserve_bytes = config.store_reserve_bytes;
  return options;
}

sigset_t stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

/// host:port as agents dial it: the first name, and the port we listen on.
Result<std::string> dial_address(const ControllerConfig& config) {
  const auto colon = config.listen.rfind(':');
  if (config.names.empty() || colon == std::string::npos) {
    return fail(Errc::invalid, "names must hold at least one name, and listen be address:port");
  }
  std::string host = config.names.front();
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  std::string address = host + config.listen.substr(colon);
  if (!is_address(address)) {
    return fail(Errc::invalid, "names: {} is not a name or address one can dial",
                printable(config.names.front()));
  }
  return address;
}

}  // namespace

struct Controller::Parts {
  struct Opened {
    ControllerConfig config;
    std::string address;
    std::unique_ptr<Database> database;
    std::unique_ptr<RocksState> state;
    std::unique_ptr<PackStore> content;
    std::unique_ptr<Authority> authority;
    SigningKey release_key;
  };
  explicit Parts(Opened parts) : opened(std::move(parts)) {}

  Opened opened;
  const Clock& clock = system_clock();
  StateStore& state = *opened.state;
  ContentStore& content = *opened.content;
  Enrolment enrolment{state, *opened.authority, clock};
  OperatorBook operators{state, *opened.authority, clock};
  ImageBook images{state};
  ReleaseBook releases{state, opened.release_key};
  Fleet fleet{state, opened.release_key, clock};
  Rollouts rollouts{{.state = state,
                     .content = content,
                     .images = images,
                     .releases = releases,
                     .fleet = fleet,
                     .clock = clock}};
  RolloutRunner runner{state, rollouts, fleet, enrolment, clock};
  LinkService link{{.state = state,
                    .content = content,
                    .enrolment = enrolment,
                    .sink = fleet,
                    .clock = clock,
                    .verify_key = opened.release_key.verify_key(),
                    .version = FARBOOT_VERSION,
                    .settings = {}}};
  FleetService api{{.state = state,
                    .content = content,
                    .authority = *opened.authority,
                    .enrolment = enrolment,
                    .operators = operators,
                    .images = images,
                    .releases = releases,
                    .fleet = fleet,
                    .rollouts = rollouts,
                    .clock = clock,
                    .address = opened.address,
                    .version = FARBOOT_VERSION,
                    .imports_folder = opened.config.imports_folder(),
                    .refusals = [this] { return refusals(); },
                    .diagnose = std::bind_front(&LinkService::diagnose, &link)}};
  std::unique_ptr<grpc::Server> server;

  Result<void> listen();
  Refusals refusals() const;
};

Refusals Controller::Parts::refusals() const {
  const Enrolment::Counts enrol = enrolment.counts();
  LinkCounts counts = link.counts();
  counts.releases_refused.merge(releases.changed());
  return {.handshakes = handshakes_refused(),
          .tokens = enrol.token_malformed + enrol.token_unknown + enrol.token_wrong +
                    enrol.token_expired + enrol.token_used,
          .agents = enrol.agent_refused,
          .fetches = counts.fetches_refused,
          .proofs = counts.proofs_refused,
          .operators = operators.refused(),
          .releases = counts.releases_refused.size()};
}

Result<void> Controller::Parts::listen() {
  // Made anew at each start, for the names the settings have now.
  auto issued = opened.authority->issue_server(opened.config.names);
  if (!issued) return prefix("server certificate", issued.error());
  Credentials credentials;
  credentials.ca_pem = opened.authority->ca_pem();
  credentials.certificate_pem = issued->certificate.certificate_pem;
  credentials.key_pem = issued->key_pem;
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  tune_server(builder);
  int port = 0;
  builder.AddListeningPort(opened.config.listen, server_credentials(credentials), &port);
  for (grpc::Service* service : link.services()) builder.RegisterService(service);
  builder.RegisterService(&api.service());
  server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    return fail(Errc::unavailable, "listen {}: the address is in use or not ours",
                opened.config.listen);
  }
  return {};
}

Controller::Controller(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Controller::~Controller() {
  Parts& parts = *parts_;
  parts.runner.stop();
  parts.api.stop();
  parts.link.stop();
  if (parts.server != nullptr) {
    parts.server->Shutdown(std::chrono::system_clock::now() + kStopGrace);
    parts.server->Wait();
  }
}

Result<std::unique_ptr<Controller>> Controller::open(const ControllerConfig& config) {
  // Before the first thread is made, so that in all of them they wait for run()'s sigwait().
  const sigset_t signals = stop_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  auto address = dial_address(config);
  if (!address) return address.error();
  ::mkdir(config.state_dir.c_str(), 0700);
  auto database = Database::open(config.database_folder());
  if (!database) return database.error();
  auto state = RocksState::open(**database);
  if (!state) return state.error();
  auto content = PackStore::open(**database, config.packs_folder(), store_options(config));
  if (!content) return content.error();
  auto authority = Authority::open(config.pki_folder(), system_clock());
  if (!authority) return authority.error();
  auto key = open_release_key(config.release_key_file());
  if (!key) return key.error();
  Parts::Opened opened{config,
                       std::move(*address),
                       std::move(*database),
                       std::move(*state),
                       std::move(*content),
                       std::move(*authority),
                       std::move(*key)};
  auto parts = std::make_unique<Parts>(std::move(opened));
  std::unique_ptr<Controller> controller(new Controller(std::move(parts)));
  Parts& made = *controller->parts_;
  auto folder = make_operator_folder(config.operator_folder(), made.operators, made.opened.address);
  if (!folder) return folder.error();
  if (auto read = made.fleet.open(); !read) return read.error();
  if (auto listening = made.listen(); !listening) return listening.error();
  return controller;
}

void Controller::run() {
  const sigset_t signals = stop_signals();
  parts_->runner.start();
  std::jthread watchdog;
  if (auto every = service::watchdog_interval()) {
    watchdog = std::jthread([every = *every](const std::stop_token& stop) {
      std::mutex mutex;
      std::condition_variable_any ended;
      std::unique_lock lock(mutex);
      while (!stop.stop_requested()) {
        service::alive();
        ended.wait_for(lock, stop, every, [] { return false; });
      }
    });
  }
  log::info("controller.serving", log::kv("listen", parts_->opened.config.listen),
            log::kv("address", parts_->opened.address));
  service::ready("serving " + parts_->opened.config.listen);
  int signal = 0;
  sigwait(&signals, &signal);
  log::info("controller.stopping", log::kv("signal", signal));
  service::stopping();
}

}  // namespace farboot
