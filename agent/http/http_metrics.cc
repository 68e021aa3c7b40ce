#include "agent/http/http_metrics.h"

#include <array>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace farboot {
namespace {

using Counters = prometheus::Family<prometheus::Counter>;

Counters& counters(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

constexpr std::array<const char*, 4> kClasses{"2xx", "3xx", "4xx", "5xx"};

}  // namespace

struct HttpMetrics::State {
  explicit State(prometheus::Registry& all)
      : registry(all),
        failed(counters(all, "farboot_http_short_bodies_total",
                        "Bodies that ended before their length")
                   .Add({})),
        lost(counters(all, "farboot_http_chunks_lost_total",
                      "Chunks that could not be read while serving")
                 .Add({})),
        displaced(counters(all, "farboot_http_displaced_connections_total",
                           "Idle connections that gave way to others")
                      .Add({})),
        open(prometheus::BuildGauge()
                 .Name("farboot_http_connections")
                 .Help("Connections open now")
                 .Register(all)
                 .Add({})) {
    auto& requests = counters(all, "farboot_http_requests_total", "Requests answered");
    auto& bytes = counters(all, "farboot_http_sent_bytes_total", "Bytes of bodies sent");
    for (std::size_t route = 0; route < kRouteKinds; ++route) {
      const std::string name(to_string(static_cast<RouteKind>(route)));
      for (std::size_t i = 0; i < kClasses.size(); ++i) {
        answered[route][i] = &requests.Add({{"route", name}, {"status", kClasses[i]}});
      }
      sent[route] = &bytes.Add({{"route", name}});
    }
    auto& refusals =
        counters(all, "farboot_http_refused_connections_total", "Connections answered with 503");
    refused = {&refusals.Add({{"limit", "all"}}), &refusals.Add({{"limit", "client"}})};
  }

  prometheus::Registry& registry;
  std::array<std::array<prometheus::Counter*, kClasses.size()>, kRouteKinds> answered{};
  std::array<prometheus::Counter*, kRouteKinds> sent{};
  std::array<prometheus::Counter*, 2> refused{};
  prometheus::Counter& failed;
  prometheus::Counter& lost;
  prometheus::Counter& displaced;
  prometheus::Gauge& open;
};

HttpMetrics::HttpMetrics(prometheus::Registry& registry)
    : state_(std::make_unique<State>(registry)) {}
HttpMetrics::~HttpMetrics() = default;

void HttpMetrics::answered(RouteKind route, int status) {
  const int group = status / 100 - 2;
  if (group < 0 || group >= static_cast<int>(kClasses.size())) return;
  state_->answered[static_cast<std::size_t>(route)][static_cast<std::size_t>(group)]->Increment();
}

void HttpMetrics::sent(RouteKind route, std::uint64_t body_bytes) {
  state_->sent[static_cast<std::size_t>(route)]->Increment(static_cast<double>(body_bytes));
}

void HttpMetrics::sending_failed() { state_->failed.Increment(); }
void HttpMetrics::chunk_lost() { state_->lost.Increment(); }
void HttpMetrics::refused(Refusal why) {
  state_->refused[static_cast<std::size_t>(why)]->Increment();
}
void HttpMetrics::displaced() { state_->displaced.Increment(); }
void HttpMetrics::connections(std::size_t open) { state_->open.Set(static_cast<double>(open)); }

std::string HttpMetrics::text() const {
  return prometheus::TextSerializer().Serialize(state_->registry.Collect());
}

}  // namespace farboot
