#include "agent/site/site_metrics.h"

#include <array>
#include <string>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

namespace farboot {
namespace {

using prometheus::Counter;
using prometheus::Gauge;

class Figures {
 public:
  explicit Figures(prometheus::Registry& registry) : registry_(registry) {}

  Counter& counter(const char* name, const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry_).Add({});
  }
  Gauge& gauge(const char* name, const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry_).Add({});
  }
  prometheus::Family<Counter>& counters(const char* name, const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry_);
  }

 private:
  prometheus::Registry& registry_;
};

/// A counter of ours that stands at `total` now.
void raise_to(Counter& counter, std::uint64_t total) {
  const double more = static_cast<double>(total) - counter.Value();
  if (more > 0) counter.Increment(more);
}

struct DhcpFigures {
  explicit DhcpFigures(Figures figures)
      : received(figures.counter("farboot_dhcp_packets_total", "Packets on the DHCP ports")),
        malformed(figures.counter("farboot_dhcp_malformed_total", "Of those, not readable")),
        limited(figures.counter("farboot_dhcp_limited_total", "Answers beyond the rate, dropped")),
        failed(figures.counter("farboot_dhcp_send_failed_total", "Answers that were not sent")),
        listening(figures.gauge("farboot_dhcp_listening", "1: the ports for PXE are open")) {
    auto& answers = figures.counters("farboot_dhcp_answers_total", "Answers to PXE clients");
    offers = &answers.Add({{"type", "offer"}});
    acks = &answers.Add({{"type", "ack"}});
    observed = &answers.Add({{"type", "observed"}});
    auto& silences =
        figures.counters("farboot_dhcp_silent_total", "Packets left unanswered, and why");
    for (std::size_t i = 0; i < dhcp::kWhys; ++i) {
      silent[i] = &silences.Add({{"why", std::string(dhcp::to_string(static_cast<dhcp::Why>(i)))}});
    }
  }
  Counter &received, &malformed, &limited, &failed;
  Gauge& listening;
  Counter *offers, *acks, *observed;
  std::array<Counter*, dhcp::kWhys> silent{};
};

struct TftpFigures {
  explicit TftpFigures(Figures figures)
      : requests(figures.counter("farboot_tftp_requests_total", "Requests on the TFTP port")),
        dropped(figures.counter("farboot_tftp_dropped_total", "Packets dropped: beyond a limit")),
        displaced(figures.counter("farboot_tftp_displaced_total",
                                  "Unanswered transfers that gave way to newer ones")),
        bytes(figures.counter("farboot_tftp_sent_bytes_total", "Bytes of files acknowledged")),
        sessions(figures.gauge("farboot_tftp_sessions", "Transfers under way")) {
    auto& ended = figures.counters("farboot_tftp_transfers_total", "Transfers ended, and how");
    sent = &ended.Add({{"result", "sent"}});
    aborted = &ended.Add({{"result", "aborted"}});
    refused = &ended.Add({{"result", "refused"}});
    lost = &ended.Add({{"result", "lost"}});
  }
  Counter &requests, &dropped, &displaced, &bytes;
  Gauge& sessions;
  Counter *sent, *aborted, *refused, *lost;
};

struct StoreFigures {
  explicit StoreFigures(Figures figures)
      : chunks(figures.gauge("farboot_store_chunks", "Chunks held")),
        payload(figures.gauge("farboot_store_payload_bytes", "Bytes of all chunks held")),
        disk(figures.gauge("farboot_store_disk_bytes", "Bytes they take on disk")),
        budget(figures.gauge("farboot_store_budget_bytes", "Most they may take")),
        free(figures.gauge("farboot_store_free_bytes", "What may still be stored")) {}
  Gauge &chunks, &payload, &disk, &budget, &free;
};

struct LinkFigures {
  explicit LinkFigures(Figures figures)
      : connected(figures.gauge("farboot_link_connected", "1: the controller is reached")),
        desired(figures.gauge("farboot_sync_desired_number", "Newest desired state taken")),
        total(figures.gauge("farboot_sync_bytes_wanted", "Of the transfer under way")),
        done(figures.gauge("farboot_sync_bytes_held", "Of those, held")),
        rate(figures.gauge("farboot_sync_bytes_per_second", "Rate of the transfer")),
        failing(figures.gauge("farboot_sync_failing", "1: the last step failed")),
        wan(figures.counter("farboot_sync_wan_bytes_total", "Bytes received from the controller")),
        refused(figures.counter("farboot_sync_refused_documents_total",
                                "Desired states and offers that were refused")),
        rotten(figures.counter("farboot_store_rotten_chunks_total",
                               "Chunks found rotten on the disk")),
        unreadable(figures.counter("farboot_catalog_refused_releases_total",
                                   "Releases on the disk that were changed, not signed by the "
                                   "fleet's key, or not readable; they are not served")),
        impostors(figures.counter("farboot_link_refused_handshakes_total",
                                  "Controllers refused for their certificate")),
        release(figures.gauge("farboot_release_active", "Number of the release that is served")),
        installs(figures.gauge("farboot_installs", "Machines that install, or did lately")) {}
  Gauge &connected, &desired, &total, &done, &rate, &failing;
  Counter &wan, &refused, &rotten, &unreadable, &impostors;
  Gauge &release, &installs;
};

}  // namespace

struct SiteMetrics::State {
  explicit State(prometheus::Registry& registry)
      : dhcp(Figures(registry)),
        tftp(Figures(registry)),
        store(Figures(registry)),
        link(Figures(registry)) {}
  DhcpFigures dhcp;
  TftpFigures tftp;
  StoreFigures store;
  LinkFigures link;
};

SiteMetrics::SiteMetrics(prometheus::Registry& registry)
    : state_(std::make_unique<State>(registry)) {}
SiteMetrics::~SiteMetrics() = default;

void SiteMetrics::dhcp(const DhcpServer::Counters& counters, bool listening) {
  DhcpFigures& to = state_->dhcp;
  raise_to(to.received, counters.received);
  raise_to(to.malformed, counters.malformed);
  raise_to(to.limited, counters.limited);
  raise_to(to.failed, counters.send_failed);
  raise_to(*to.offers, counters.offers);
  raise_to(*to.acks, counters.acks);
  raise_to(*to.observed, counters.observed);
  for (std::size_t i = 0; i < dhcp::kWhys; ++i) raise_to(*to.silent[i], counters.silent[i]);
  to.listening.Set(listening ? 1 : 0);
}

void SiteMetrics::tftp(const TftpServer::Counters& counters, std::size_t sessions) {
  TftpFigures& to = state_->tftp;
  raise_to(to.requests, counters.requests);
  raise_to(to.dropped, counters.dropped);
  raise_to(to.displaced, counters.displaced);
  raise_to(to.bytes, counters.sent_bytes);
  raise_to(*to.sent, counters.sent);
  raise_to(*to.aborted, counters.aborted);
  raise_to(*to.refused, counters.refused);
  raise_to(*to.lost, counters.lost);
  to.sessions.Set(static_cast<double>(sessions));
}

void SiteMetrics::store(const StoreUsage& usage) {
  StoreFigures& to = state_->store;
  to.chunks.Set(static_cast<double>(usage.chunks));
  to.payload.Set(static_cast<double>(usage.payload_bytes));
  to.disk.Set(static_cast<double>(usage.disk_bytes));
  to.budget.Set(static_cast<double>(usage.budget_bytes));
  to.free.Set(static_cast<double>(usage.free_bytes));
}

void SiteMetrics::link(bool connected, const SyncStatus& sync) {
  LinkFigures& to = state_->link;
  to.connected.Set(connected ? 1 : 0);
  to.desired.Set(static_cast<double>(sync.desired_number));
  to.total.Set(static_cast<double>(sync.bytes_total));
  to.done.Set(static_cast<double>(sync.bytes_done));
  to.rate.Set(static_cast<double>(sync.bytes_per_second));
  to.failing.Set(sync.error.empty() ? 0 : 1);
  raise_to(to.wan, sync.wan_bytes);
  raise_to(to.refused, sync.refused_documents);
  raise_to(to.rotten, sync.rotten_chunks);
}

void SiteMetrics::handshakes(std::uint64_t refused) { raise_to(state_->link.impostors, refused); }

void SiteMetrics::catalog(std::uint64_t refused) { raise_to(state_->link.unreadable, refused); }

void SiteMetrics::serving(std::uint64_t release, std::size_t installs) {
  state_->link.release.Set(static_cast<double>(release));
  state_->link.installs.Set(static_cast<double>(installs));
}

}  // namespace farboot
