#include "agent/site/site_link.h"

#include <sys/stat.h>

#include <utility>

#include <boost/asio/redirect_error.hpp>

#include "agent/link/identity.h"
#include "common/base/log.h"

namespace farboot {

SiteLink::SiteLink(Parts parts) : parts_(std::move(parts)), timer_(parts_.loop) {}

SiteLink::~SiteLink() { stop(); }

void SiteLink::start() { spawn(parts_.loop, "site.watch", watch()); }

void SiteLink::stop() {
  stopped_ = true;
  timer_.cancel();
  if (link_ != nullptr) link_->stop();
}

void SiteLink::damaged() {
  // A link that starts looks at everything anyway.
  boost::asio::post(parts_.loop, [this] {
    if (link_ != nullptr) link_->damaged();
  });
}

Task<void> SiteLink::watch() {
  while (!stopped_) {
    const bool changed = co_await identity_changed();
    if (changed && link_ != nullptr) co_await drop_link();
    if (stopped_) co_return;
    if (link_ == nullptr) {
      co_await take_up_identity();
    } else {
      poke_if_changed();
    }
    if (link_ != nullptr && link_->status().connected) last_contact_ = parts_.clock.wall();
    timer_.expires_after(kLook);
    boost::system::error_code stopped;
    co_await timer_.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, stopped));
    if (stopped) co_return;
  }
}

SiteLink::Mark SiteLink::mark_of(const std::filesystem::path& state_dir) {
  struct stat found {};
  if (::stat((state_dir / "identity" / "identity.json").c_str(), &found) != 0) return {};
  return {found.st_ino, found.st_mtim.tv_sec, found.st_mtim.tv_nsec};
}

/// One that is taken away changes nothing: who revokes does so at the controller.
Task<bool> SiteLink::identity_changed() {
  auto job = [folder = parts_.state_dir] { return mark_of(folder); };
  const Mark now = co_await on_disk(parts_.disk, std::move(job));
  co_return now != Mark{} && now != mark_;
}

/// Its threads may wait for the loop: they are waited for elsewhere. What they had posted to the
/// loop has run when this returns.
Task<void> SiteLink::drop_link() {
  log::info("agent.enrolled_anew", log::kv("agent", agent_));
  const std::shared_ptr<Link> old = std::move(link_);
  auto job = [old] {
    old->stop();
    return true;
  };
  co_await on_disk(parts_.disk, std::move(job));
}

Task<void> SiteLink::take_up_identity() {
  // In a pointer: what crosses from the pool must have a default.
  auto job = [this] {
    // Before it is read: one that comes in between is seen as new.
    const Mark mark = mark_of(parts_.state_dir);
    auto loaded = std::make_unique<Result<AgentIdentity>>(load_identity(parts_.state_dir));
    mark_ = mark;
    return loaded;
  };
  const auto loaded = co_await on_disk(parts_.disk, std::move(job));
  Result<AgentIdentity>& identity = *loaded;
  if (!identity) {
    if (!std::exchange(complained_, true)) {
      log::warn("agent.not_enrolled", log::kv("error", identity.error().what));
    }
    co_return;
  }
  std::string agent = identity->agent;
  AgentLinkSettings settings;
  settings.state_dir = parts_.state_dir;
  settings.version = parts_.version;
  settings.dhcp_mode = parts_.dhcp_mode;
  LinkParts parts{parts_.content, parts_.state, parts_.catalog, parts_.loop, parts_.clock};
  auto link = std::make_unique<Link>(parts, std::move(*identity), callbacks(), settings);
  auto open = [made = link.get()] { return made->open(); };
  auto opened = co_await on_disk(parts_.disk, std::move(open));
  if (!opened) {
    log::error("agent.link_failed", log::kv("error", opened.error().what));
    co_return;
  }
  if (stopped_) co_return;
  link_ = std::move(link);
  agent_ = std::move(agent);
  log::info("agent.enrolled", log::kv("agent", agent_));
  link_->start();
}

LinkCallbacks SiteLink::callbacks() {
  LinkCallbacks callbacks;
  callbacks.desired = [this](std::shared_ptr<const DesiredState> desired) {
    spawn(parts_.loop, "site.apply", apply(std::move(desired)));
  };
  callbacks.collect = [this](std::size_t events_max) {
    SiteReport report = to_tell(events_max);
    told_ = report.hosts;
    return report;
  };
  callbacks.acknowledged = [this](std::uint64_t sequence) {
    spawn(parts_.loop, "site.acknowledge", acknowledge(sequence));
  };
  callbacks.examine = parts_.examine;
  callbacks.published = [](const std::shared_ptr<const Snapshot>& snapshot) {
    log::info("agent.activated", log::kv("release", snapshot->release.number));
  };
  return callbacks;
}

Task<void> SiteLink::apply(std::shared_ptr<const DesiredState> desired) {
  const std::string name = agent_.substr(agent_.find('/') + 1);
  auto applied = co_await parts_.hosts.apply(*desired, name);
  if (!applied) {
    log::error("agent.apply_failed", log::kv("desired", desired->number),
               log::kv("error", applied.error().what));
  }
  poke_if_changed();
}

Task<void> SiteLink::acknowledge(std::uint64_t sequence) {
  auto done = co_await parts_.hosts.acknowledge(sequence);
  if (!done) {
    log::warn("agent.acknowledge_failed", log::kv("error", done.error().what));
  }
}

void SiteLink::poke_if_changed() {
  if (link_ == nullptr) return;
  const SiteReport report = to_tell(1);
  if (!report.events.empty() || report.hosts != told_) link_->poke();
}

/// Until a state of the site it was enrolled at last is applied, the book is the former site's.
SiteReport SiteLink::to_tell(std::size_t events_max) const {
  const std::string site = parts_.hosts.site().name;
  if (!site.empty() && !agent_.starts_with(site + "/")) return {};
  return {parts_.hosts.hosts(), parts_.hosts.pending_events(events_max)};
}

HttpSite::LinkStatus SiteLink::status() const {
  HttpSite::LinkStatus status;
  status.agent = agent_;
  status.connected = link_ != nullptr && link_->status().connected;
  status.last_contact = status.connected ? parts_.clock.wall() : last_contact_;
  return status;
}

SyncStatus SiteLink::sync() const { return link_ == nullptr ? SyncStatus() : link_->status().sync; }

}  // namespace farboot
