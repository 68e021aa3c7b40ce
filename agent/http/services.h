// What the HTTP server's connections share. All of it outlives them.
#pragma once

#include <string>
#include <string_view>

#include "agent/catalog/catalog.h"
#include "agent/catalog/warm_chunks.h"
#include "agent/http/conditional.h"
#include "agent/http/http_metrics.h"
#include "agent/http/server.h"
#include "agent/http/site_handlers.h"
#include "agent/loop.h"
#include "common/base/clock.h"
#include "common/base/log_limit.h"
#include "common/store/content_store.h"

namespace farboot {

/// Lines that anyone on the network can cause. A rack that powers on is one for each machine.
struct HttpLines {
  LogLimit script = LogLimit::of_a_rack();
  LogLimit kickstart = LogLimit::of_a_rack();
  LogLimit script_failed;
  LogLimit kickstart_failed;
  LogLimit event_failed;
  LogLimit chunk_lost;
  LogLimit accept_failed{10, Seconds(10)};
};

/// One for each loop: the site's, and each worker's. `site` is only asked on the site's.
struct HttpServices {
  Loop& loop;
  DiskPool& disk;
  const ContentStore& store;
  Catalog& catalog;
  SiteHandlers& site;
  const Clock& clock;
  HttpMetrics& metrics;
  HttpLimits limits;

  /// http_date() of now; made once a second.
  std::string_view date() {
    const auto now = std::chrono::floor<Seconds>(clock.wall());
    if (date_text.empty() || now != date_second) {
      date_second = now;
      date_text = http_date(now);
    }
    return date_text;
  }

  std::chrono::sys_seconds date_second{};
  std::string date_text;
  HttpLines lines;
  WarmChunks warm;
};

}  // namespace farboot
