// The status page and /v1/health, as text. Pure.
#pragma once

#include <string>

#include "agent/catalog/catalog.h"
#include "agent/http/site_handlers.h"
#include "common/base/clock.h"

namespace farboot {

/// One self-contained page: no script, nothing fetched from elsewhere. `active` may be nullptr.
std::string status_page(const SiteStatus& status, const Snapshot* active, WallTime now);

/// {"status":"ok","site":…,"serving":true,"release":7,"digest":"…",…}. `active` may be nullptr: the
/// agent is well, but has nothing to serve yet.
std::string health_json(const SiteStatus& status, const Snapshot* active);

/// Makes text safe between tags and inside quotes; control bytes become blanks.
std::string escape_html(std::string_view text);

}  // namespace farboot
