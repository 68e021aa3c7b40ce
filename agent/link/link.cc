#include "agent/link/link.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <future>
#include <random>
#include <thread>

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include "agent/link/connection.h"
#include "agent/link/convert.h"
#include "agent/link/wakeup.h"
#include "common/base/log.h"
#include "common/rpc/convert.h"
#include "common/rpc/status_map.h"

namespace farboot {
namespace {

using std::chrono::days;
constexpr days kRenewBefore{30};  // of 90
constexpr Seconds kRenewTimeout{10};
constexpr Seconds kSteady{60};  // a connection that lived this long counts as one that works
constexpr Milliseconds kIdleLook{600'000};
constexpr std::size_t kExaminedMax = 16;  ///< that wait to be told; more are dropped

/// What was found for the controller. Shared with the examination, which may outlive the link.
struct Examined {
  std::vector<v1::DoctorResult> results;
  Wakeup* report = nullptr;  ///< of the link, while it lives
};

/// One of another key would lock us out for good.
bool is_for(const std::string& certificate_pem, const IdentityKey& key) {
  const auto certified = public_key_id(certificate_pem), own = public_key_id(key.public_pem());
  return certified && own && *certified == *own;
}

}  // namespace

struct Link::State {
  State(LinkParts parts_in, AgentIdentity identity_in, LinkCallbacks callbacks_in,
        AgentLinkSettings settings_in)
      : parts(parts_in),
        identity(std::move(identity_in)),
        callbacks(std::move(callbacks_in)),
        settings(std::move(settings_in)),
        credentials(identity.credentials),
        sync(SyncParts{parts.content, parts.state, parts.catalog, parts.clock, identity.verify_key,
                       identity.key, identity.site, identity.agent},
             hooks()) {
    examined->with([this](Examined& held) { held.report = &report; });
  }
  ~State() {
    examined->with([](Examined& held) { held.report = nullptr; });
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  SyncHooks hooks();
  bool stopping() const { return stopped; }
  void pause(Milliseconds time, const Wakeup& signal);

  void talk();
  Error talk_once(Milliseconds& spread, bool& worked);
  void work();
  void renew(v1::Link::Stub& stub, WallTime controller_time);
  void post_desired(std::shared_ptr<const DesiredState> desired);
  void examine(std::uint64_t request);

  /// Runs `job` on the loop and waits for it; nullopt: the agent is stopping.
  template <class Job>
  auto on_loop(Job job) -> std::optional<decltype(job())>;

  struct Shared {
    LinkStatus status;
    std::shared_ptr<LinkConnection> connection;
    std::shared_ptr<GrpcUpstream> upstream;
  };

  LinkParts parts;
  AgentIdentity identity;
  LinkCallbacks callbacks;
  AgentLinkSettings settings;
  std::atomic<bool> stopped{false};
  Wakeup report, work_due;
  LogLimit malformed;  ///< the worker's
  Guarded<Credentials> credentials;
  Guarded<Shared> shared;
  std::shared_ptr<Guarded<Examined>> examined = std::make_shared<Guarded<Examined>>();
  Sync sync;
  std::thread talker, worker;
};

SyncHooks Link::State::hooks() {
  SyncHooks out;
  out.pause = [this](Milliseconds time) { work_due.wait(work_due.count(), time); };
  out.publish = [this](std::shared_ptr<const Snapshot> next) {
    boost::asio::post(parts.loop, [this, next = std::move(next)] {
      parts.catalog.publish(next);
      if (callbacks.published) callbacks.published(next);
    });
  };
  out.trees_in_use = [this] { return on_loop([this] { return parts.catalog.trees_in_use(); }); };
  out.changed = [this] { report.raise(); };
  out.taken = [this](std::shared_ptr<const DesiredState> desired) {
    post_desired(std::move(desired));
    report.raise();
  };
  out.woken = [this] { work_due.raise(); };
  return out;
}

template <class Job>
auto Link::State::on_loop(Job job) -> std::optional<decltype(job())> {
  using Value = decltype(job());
  // Shared with the handler, which may run after we have given up, or never.
  struct Slot {
    Guarded<std::optional<Value>> value;
    Wakeup done;
  };
  auto slot = std::make_shared<Slot>();
  boost::asio::post(parts.loop, [this, slot, job = std::move(job)]() mutable {
    if (stopping()) return;
    Value value = job();
    slot->value.with([&](auto& held) { held = std::move(value); });
    slot->done.raise();
  });
  while (!stopping()) {
    const std::uint64_t seen = slot->done.count();
    auto value = slot->value.with([](auto& held) { return std::move(held); });
    if (value) return value;
    slot->done.wait(seen, Milliseconds(200));  // stop() does not know of this signal
  }
  return std::nullopt;
}

void Link::State::post_desired(std::shared_ptr<const DesiredState> desired) {
  if (!desired || !callbacks.desired) return;
  boost::asio::post(parts.loop,
                    [this, desired = std::move(desired)] { callbacks.desired(desired); });
}

void Link::State::examine(std::uint64_t request) {
  if (!callbacks.examine) return;
  boost::asio::post(parts.loop, [this, request] {
    if (stopping()) return;
    callbacks.examine([request, to = examined](const std::vector<doctor::Finding>& findings) {
      to->with([&](Examined& held) {
        if (held.report == nullptr || held.results.size() >= kExaminedMax) return;
        held.results.push_back(doctor_of(request, findings));
        held.report->raise();
      });
    });
  });
}

void Link::State::talk() {
  Backoff backoff(settings.backoff, std::random_device{}());
  while (!stopping()) {
    Milliseconds spread{0};
    bool worked = false;
    const SteadyTime began = parts.clock.steady();
    const Error ended = talk_once(spread, worked);
    const bool lasted = worked && parts.clock.steady() - began >= kSteady;
    const Milliseconds delay = lasted ? backoff.after_loss(spread) : backoff.next();
    if (!stopping())
      log::warn("link.down", log::kv("controller", identity.address), log::kv("error", ended.what),
                log::kv("again_ms", delay.count()));
    shared.with([&](Shared& held) {
      held.status.connected = false;
      held.status.error = ended.what;
      held.connection.reset();
      held.upstream.reset();
    });
    const SteadyTime until = parts.clock.steady() + delay;
    while (!stopping()) {
      const auto left = std::chrono::ceil<Milliseconds>(until - parts.clock.steady());
      if (left <= Milliseconds(0)) break;
      report.wait(report.count(), std::min(left, Milliseconds(1000)));
    }
  }
}

Error Link::State::talk_once(Milliseconds& spread, bool& worked) {
  auto channel = dial(identity.address, credentials.with([](const Credentials& c) { return c; }),
                      settings.dial);
  if (!channel) return channel.error();
  ConnectionHost host{
      sync,
      parts.content,
      parts.clock,
      settings,
      report,
      malformed,
      [this] { return stopping(); },
      [this](std::size_t events_max) -> std::optional<SiteReport> {
        if (!callbacks.collect) return SiteReport{};
        return on_loop([this, events_max] { return callbacks.collect(events_max); });
      },
      [this](std::uint64_t sequence) {
        if (!callbacks.acknowledged) return;
        boost::asio::post(parts.loop, [this, sequence] { callbacks.acknowledged(sequence); });
      },
      [&](const WelcomeTerms& terms, std::shared_ptr<GrpcUpstream> upstream) {
        spread = terms.spread;
        worked = true;
        shared.with([&](Shared& held) {
          held.status.connected = true;
          held.status.error.clear();
          held.upstream = std::move(upstream);
        });
        log::info("link.up", log::kv("controller", identity.address));
        work_due.raise();
      },
      [this](v1::Link::Stub& stub, WallTime now) { renew(stub, now); },
      [this](std::uint64_t request) { examine(request); },
      [this] {
        return examined->with([](Examined& held) { return std::exchange(held.results, {}); });
      }};
  const auto connection = std::make_shared<LinkConnection>(host, *channel);
  shared.with([&](Shared& held) { held.connection = connection; });
  if (stopping()) return fail(Errc::cancelled, "stopping");
  return connection->run();
}

void Link::State::work() {
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), settings.work_niceness);
  Backoff backoff({Milliseconds(1000), Milliseconds(300'000)}, std::random_device{}());
  while (!stopping()) {
    const std::uint64_t seen = work_due.count();
    const auto upstream = shared.with([](const Shared& held) { return held.upstream; });
    const Sync::Outcome outcome = sync.step(upstream.get());
    Milliseconds pause{0};
    switch (outcome.kind) {
      case Sync::Outcome::Kind::worked: backoff.reset(); break;
      case Sync::Outcome::Kind::rest:
      case Sync::Outcome::Kind::waiting:
        backoff.reset();
        pause = kIdleLook;
        break;
      case Sync::Outcome::Kind::failed:
        if (outcome.error && outcome.error->code != Errc::cancelled) pause = backoff.next();
        break;
    }
    if (pause > Milliseconds(0) && !stopping()) work_due.wait(seen, pause);
  }
}

void Link::State::renew(v1::Link::Stub& stub, WallTime controller_time) {
  const Credentials now = credentials.with([](const Credentials& c) { return c; });
  auto expires = certificate_expires(now.certificate_pem);
  if (expires && *expires - controller_time > kRenewBefore) return;
  v1::RenewCertificateRequest request;
  request.set_csr_pem(identity.key.csr_pem());
  v1::RenewCertificateResponse response;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kRenewTimeout);
  const grpc::Status status = stub.RenewCertificate(&context, request, &response);
  Result<void> done = to_result(status);
  const auto renewed = certificate_expires(response.certificate_pem());
  if (done && !renewed) done = renewed.error();
  if (done && !is_for(response.certificate_pem(), identity.key))
    done = fail(Errc::mismatch, "the certificate is not for our key");
  if (done) done = store_certificate(settings.state_dir, response.certificate_pem());
  if (!done) {
    log::warn("link.not_renewed", log::kv("error", done.error().what));
    return;
  }
  credentials.with([&](Credentials& c) { c.certificate_pem = response.certificate_pem(); });
  log::info("link.renewed", log::kv("expires", to_iso8601(*renewed)));
}

Link::Link(LinkParts parts, AgentIdentity identity, LinkCallbacks callbacks,
           AgentLinkSettings settings)
    : state_(std::make_unique<State>(parts, std::move(identity), std::move(callbacks),
                                     std::move(settings))) {}

Link::~Link() { stop(); }

Result<void> Link::open() { return state_->sync.open(); }

void Link::start() {
  state_->shared.with([&](State::Shared& held) {
    held.status.controller = state_->identity.address;
    held.status.error = "not dialled yet";
  });
  state_->post_desired(state_->sync.desired());
  state_->talker = std::thread([this] { state_->talk(); });
  state_->worker = std::thread([this] { state_->work(); });
}

void Link::stop() {
  state_->stopped = true;
  state_->sync.stop();
  state_->report.raise();
  state_->work_due.raise();
  const auto connection =
      state_->shared.with([](const State::Shared& held) { return held.connection; });
  if (connection) connection->cancel();
  for (std::thread* thread : {&state_->talker, &state_->worker})
    if (thread->joinable()) thread->join();
}

void Link::poke() { state_->report.raise(); }
void Link::damaged() { state_->sync.damaged(); }

LinkStatus Link::status() const {
  LinkStatus status = state_->shared.with([](const State::Shared& held) { return held.status; });
  status.sync = state_->sync.status();
  return status;
}

std::shared_ptr<const DesiredState> Link::desired() const { return state_->sync.desired(); }

}  // namespace farboot
