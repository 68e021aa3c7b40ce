#include "agent/agent.h"

#include <sys/stat.h>

#include <csignal>
#include <fstream>
#include <string>
#include <utility>

#include <prometheus/registry.h>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include "agent/boot/boot_service.h"
#include "agent/catalog/catalog.h"
#include "agent/dhcp/server.h"
#include "agent/dhcp_policy.h"
#include "agent/doctor/doctor.h"
#include "agent/host/host_book.h"
#include "agent/http/server.h"
#include "agent/link/identity.h"
#include "agent/loop.h"
#include "agent/site/http_site.h"
#include "agent/site/local_control.h"
#include "agent/site/rot_bell.h"
#include "agent/site/site_doctor.h"
#include "agent/site/site_files.h"
#include "agent/site/site_link.h"
#include "agent/site/site_metrics.h"
#include "agent/tftp/server.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/rpc/grpc_log.h"
#include "common/service/service.h"
#include "common/store/database.h"
#include "common/store/pack_store.h"
#include "common/store/rocks_state.h"

namespace farboot {
namespace {

constexpr std::size_t kDiskThreads = 2;
constexpr Seconds kStoreLook{15};
constexpr Seconds kDrainMax{20};  ///< a card may take seconds for a write; systemd waits longer

PackStoreOptions store_options(const AgentConfig& config, const RotBell& bell) {
  PackStoreOptions options;
  options.on_quarantine = bell.hook();
  if (config.store_budget_bytes > 0) options.budget_bytes = config.store_budget_bytes;
  if (config.store_reserve_bytes > 0) options.reserve_bytes = config.store_reserve_bytes;
  return options;
}

HostSettings host_settings(const AgentConfig& config) {
  HostSettings settings;
  settings.installs_at_once_max = config.installs_at_once_max;
  std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), settings.boot_id);
  return settings;
}

HttpLimits http_limits(const AgentConfig& config) {
  HttpLimits limits;
  limits.connections_max = config.http_connections_max;
  limits.connections_per_client_max = config.http_connections_per_client_max;
  limits.workers = config.http_workers;
  return limits;
}

TftpServerOptions tftp_options(const AgentConfig& config) {
  TftpServerOptions options;
  options.port = config.tftp_port;
  options.interfaces = config.interfaces;
  options.single_port = config.tftp_single_port;
  options.session_port_first = config.tftp_session_port_first;
  options.session_port_last = config.tftp_session_port_last;
  options.sessions_max = config.tftp_sessions_max;
  options.sessions_per_client_max = config.tftp_sessions_per_client_max;
  options.block_bytes_max = config.tftp_block_bytes_max;
  options.window_blocks_max = config.tftp_window_blocks_max;
  return options;
}

SiteFilesSettings files_settings(const AgentConfig& config) {
  SiteFilesSettings settings;
  settings.http_port = config.http_port;
  settings.ignore_case = config.tftp_ignore_case;
  settings.script_for_ipxe = config.script_for_ipxe();
  settings.second_stage = config.tftp_second_stage;
  return settings;
}

std::string dhcp_mode_word(DhcpMode mode) {
  switch (mode) {
    case DhcpMode::proxy: return "proxy";
    case DhcpMode::observe: return "observe";
    case DhcpMode::off: return "off";
  }
  return "off";
}

}  // namespace

struct Agent::Parts {
  Parts(const AgentConfig& settings, std::unique_ptr<Database> opened,
        std::unique_ptr<RocksState> opened_state, std::unique_ptr<PackStore> opened_content,
        RotBell opened_bell)
      : config(settings),
        database(std::move(opened)),
        state(std::move(opened_state)),
        content(std::move(opened_content)),
        bell(std::move(opened_bell)) {}

  const AgentConfig config;
  const Clock& clock = system_clock();
  std::unique_ptr<Database> database;
  std::unique_ptr<RocksState> state;
  std::unique_ptr<PackStore> content;
  RotBell bell;

  // What the loop did not finish ends with it, and counts that: the registry lives longer.
  prometheus::Registry registry;
  Loop loop{1};
  DiskPool disk{kDiskThreads};
  Catalog catalog{*content, *state};
  HostBook hosts{loop, disk, *state, catalog, clock, host_settings(config)};
  BootService boot{catalog, hosts, clock};
  SiteFiles files{
      catalog,
      *content,
      disk,
      {.first = [this](std::string_view url) { return boot.first_script(url); },
       .grub_first = [this](std::string_view url) { return boot.grub_first(url); },
       .grub =
           [this](GrubAsk asked, std::string client, std::string server, Asking asking) {
             return boot.grub_script(std::move(asked), std::move(client), std::move(server),
                                     GrubRoot::tftp, asking);
           }},
      [this](std::string_view client, const CatalogFile& file) { boot.on_fetched(client, file); },
      files_settings(config)};
  SiteLink link{{.content = *content,
                 .state = *state,
                 .catalog = catalog,
                 .hosts = hosts,
                 .loop = loop,
                 .disk = disk,
                 .clock = clock,
                 .state_dir = config.state_dir,
                 .version = FARBOOT_VERSION,
                 .dhcp_mode = dhcp_mode_word(config.dhcp_mode),
                 .examine = [this](doctor::Doctor::Done done) { examine(std::move(done)); }}};
  SiteMetrics metrics{registry};
  HttpSite site{boot,
                hosts,
                [this] { return link.status(); },
                {.troubles = [this] { return troubles(); }, .count = [this] { count(); }}};
  HttpServer http{loop, disk, *content, catalog, site, clock, registry, http_limits(config)};
  TftpServer tftp{loop, files, tftp_options(config)};
  DhcpServer dhcp{loop, files, dhcp_options(config), dhcp_policy(config, hosts, catalog, clock)};

  SiteDoctor doctor_facts{{.catalog = catalog,
                           .dhcp = dhcp,
                           .tftp = tftp,
                           .mode = config.dhcp_mode,
                           .interfaces = config.interfaces,
                           .script_for_ipxe = config.script_for_ipxe(),
                           .policy = dhcp_policy(config, hosts, catalog, clock)}};
  doctor::Doctor doctor{loop, [this] { return doctor_facts.question(http_port); }};
  LocalControl control{
      loop,
      hosts,
      {.examine = [this](doctor::Doctor::Done done) { return doctor.examine(std::move(done)); },
       .snippet = [this](const std::string& kind) { return doctor_facts.snippet(kind); }}};

  std::uint16_t http_port = 0;
  bool hosts_flushed = false;
  std::string unasked;  ///< why what is served was not asked for its signature; empty: it was
  boost::asio::signal_set signals{loop, SIGTERM, SIGINT};
  boost::asio::steady_timer watchdog{loop};
  boost::asio::steady_timer store_look{loop};

  Result<void> open();
  Result<void> bind();
  Task<void> tell_watchdog(Milliseconds every);
  Task<void> watch_store();
  Task<void> flush_hosts();
  std::vector<std::string> troubles() const;
  void examine(doctor::Doctor::Done done);
  void count();
  void stop();
  void drain();
};

Result<void> Agent::Parts::open() {
  bell.tell([this] { link.damaged(); });
  // Without it there is no link either, so nothing new is taken; what is here was verified before
  // it was stored. Who could tear the key out of this disk could as well put his own in its place:
  // a site that is cut off gains nothing from silence.
  const auto trusted = load_verify_key(config.state_dir);
  if (!trusted) log::warn("agent.no_verify_key", log::kv("error", trusted.error().what));
  if (auto read = catalog.open(trusted ? &*trusted : nullptr); !read) return read.error();
  if (!trusted && catalog.active()) unasked = trusted.error().what;
  return hosts.open();
}

Result<void> Agent::Parts::bind() {
  auto port = http.listen(config.http_address, config.http_port);
  if (!port) return port.error();
  http_port = *port;
  if (auto bound = tftp.bind(); !bound) return bound;
  if (config.dhcp_mode == DhcpMode::off &&
      !(config.dhcp_deny.empty() && config.dhcp_allow.empty() && config.dhcp_clients.empty()))
    log::warn("agent.dhcp_lists_unused");
  // A DHCP server that keeps port 67 to itself keeps nobody from HTTP and TFTP: it is tried again.
  static_cast<void>(dhcp.bind());
  return {};
}

Task<void> Agent::Parts::tell_watchdog(Milliseconds every) {
  for (;;) {
    service::alive();
    watchdog.expires_after(every);
    boost::system::error_code stopped;
    co_await watchdog.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, stopped));
    if (stopped) co_return;
  }
}

/// Asking the store may wait for its disk: not while somebody reads the metrics.
Task<void> Agent::Parts::watch_store() {
  for (;;) {
    auto job = [this] { return std::make_unique<Result<StoreUsage>>(content->usage()); };
    const auto usage = co_await on_disk(disk, std::move(job));
    if (usage->has_value()) metrics.store(**usage);
    store_look.expires_after(kStoreLook);
    boost::system::error_code stopped;
    co_await store_look.async_wait(
        boost::asio::redirect_error(boost::asio::use_awaitable, stopped));
    if (stopped) co_return;
  }
}

/// Behind whatever machines said before.
Task<void> Agent::Parts::flush_hosts() {
  const auto flushed = co_await hosts.flush();
  if (!flushed) log::error("agent.hosts_not_kept", log::kv("error", flushed.error().what));
  hosts_flushed = true;
}

std::vector<std::string> Agent::Parts::troubles() const {
  std::vector<std::string> all;
  if (!dhcp.trouble().empty()) all.push_back("PXE clients get no answer: " + dhcp.trouble());
  for (std::string& sentence : dhcp.unheard()) all.push_back(std::move(sentence));
  for (std::string& sentence : dhcp.foreign()) all.push_back(std::move(sentence));
  if (!unasked.empty() && link.status().agent.empty())
    all.push_back("No new release is taken, and the one served was not asked for its signature: " +
                  unasked);
  if (const std::string error = link.sync().error; !error.empty())
    all.push_back("Content does not arrive: " + error);
  return all;
}

/// For the controller, which wants an answer in any case.
void Agent::Parts::examine(doctor::Doctor::Done done) {
  if (auto begun = doctor.examine(done); !begun)
    done({{"doctor.refused", doctor::Severity::fail, "", "no examination: " + begun.error().what,
           "`farboot-agent doctor` there asks it, too"}});
}

void Agent::Parts::count() {
  metrics.dhcp(dhcp.counters(), dhcp.dhcp_port() != 0);
  metrics.tftp(tftp.counters(), tftp.sessions());
  metrics.link(link.status().connected, link.sync());
  metrics.handshakes(handshakes_refused());
  metrics.catalog(catalog.refused());
  const auto active = catalog.active();
  metrics.serving(active ? active->release.number : 0, hosts.running().all());
}

void Agent::Parts::stop() {
  service::stopping();
  log::info("agent.stopping");
  control.stop();
  doctor.stop();
  dhcp.stop();
  tftp.stop();
  http.stop();
  // The link's thread may be waiting for the loop to publish: it ends before the loop does.
  link.stop();
  watchdog.cancel();
  store_look.cancel();
  loop.stop();
}

/// Connections and transfers that were cut off unwind while all they use is still there, and what
/// machines reported until now becomes durable.
void Agent::Parts::drain() {
  http.join();
  const SteadyTime end = clock.steady() + kDrainMax;
  loop.restart();
  spawn(loop, "agent.flush", flush_hosts());
  while (http.connections() + tftp.sessions() > 0 || !hosts_flushed) {
    const auto left = end - clock.steady();
    if (left <= left.zero() || loop.run_one_for(left) == 0) break;
  }
  if (!hosts_flushed)
    log::error("agent.hosts_not_kept", log::kv("error", "the disk did not answer in time"));
}

Agent::Agent(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Agent::~Agent() {
  parts_->link.stop();
  parts_->http.join();
  parts_->disk.join();
  parts_->bell.tell({});
}

Result<std::unique_ptr<Agent>> Agent::open(const AgentConfig& config) {
  ::mkdir(config.state_dir.c_str(), 0750);
  auto database = Database::open(config.database_folder());
  if (!database) return database.error();
  auto state = RocksState::open(**database);
  if (!state) return state.error();
  const RotBell bell;
  auto content = PackStore::open(**database, config.packs_folder(), store_options(config, bell));
  if (!content && content.error().code == Errc::corrupt)
    return fail(Errc::corrupt, "{}; with: farboot-agent store rebuild", content.error().what);
  if (!content) return content.error();
  auto parts = std::make_unique<Parts>(config, std::move(*database), std::move(*state),
                                       std::move(*content), bell);
  std::unique_ptr<Agent> agent(new Agent(std::move(parts)));
  if (auto opened = agent->parts_->open(); !opened) return opened.error();
  if (auto bound = agent->parts_->bind(); !bound) return bound.error();
  return agent;
}

void Agent::run() {
  Parts& parts = *parts_;
  parts.signals.async_wait([&parts](const boost::system::error_code& error, int) {
    if (!error) parts.stop();
  });
  parts.tftp.start();
  parts.dhcp.start();
  parts.link.start();
  if (auto listening = parts.control.listen(parts.config.control_socket()); !listening)
    log::warn("agent.no_control", log::kv("error", listening.error().what));
  spawn(parts.loop, "host.keep_time", parts.hosts.keep_time());
  spawn(parts.loop, "agent.watch_store", parts.watch_store());
  if (auto every = service::watchdog_interval()) {
    spawn(parts.loop, "agent.watchdog", parts.tell_watchdog(*every));
  }
  const auto active = parts.catalog.active();
  const std::string serving = active ? fmt::format("serving r{}", active->release.number)
                                     : std::string("serving no release yet");
  log::info("agent.serving", log::kv("release", active ? active->release.number : 0),
            log::kv("http", parts.config.http_port));
  service::ready(serving);
  parts.loop.run();
  parts.drain();
}

std::uint16_t Agent::http_port() const { return parts_->http_port; }
std::size_t Agent::connections() const {
  return parts_->http.connections() + parts_->tftp.sessions();
}
std::uint16_t Agent::tftp_port() const { return parts_->tftp.port(); }
std::uint16_t Agent::pxe_port() const { return parts_->dhcp.pxe_port(); }

}  // namespace farboot
