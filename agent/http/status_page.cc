#include "agent/http/status_page.h"

#include <chrono>
#include <iterator>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace farboot {
namespace {

constexpr std::size_t kRowsMax = 500;  ///< installs shown

constexpr std::string_view kHead = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="15">
<title>Farboot</title>
<style>
body{font:15px/1.45 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
h1{font-size:1.4rem;margin:0 0 .2rem}h2{font-size:1.05rem;margin:1.6rem 0 .4rem}
p{margin:.2rem 0}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd;overflow-wrap:anywhere}
th{font-weight:600;background:#f4f4f4}td.n,th.n{text-align:right;white-space:nowrap}
.off{color:#a40000}
@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}th{background:#262626}th,td{border-color:#383838}.off{color:#ff8a80}}
</style></head><body>
)";

constexpr std::size_t kTextBytesMax = 300;  ///< of one value shown

std::string escaped(std::string_view raw) { return escape_html(raw.substr(0, kTextBytesMax)); }

std::string human_size(std::uint64_t bytes) {
  if (bytes >= 1'000'000'000) return fmt::format("{:.1f} GB", static_cast<double>(bytes) / 1e9);
  if (bytes >= 1'000'000) return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
  return fmt::format("{} bytes", bytes);
}

std::string human_age(WallTime now, WallTime then) {
  const auto age = std::chrono::duration_cast<std::chrono::minutes>(now - then).count();
  if (age < 1) return "just now";
  if (age < 120) return fmt::format("{} min ago", age);
  if (age < 48 * 60) return fmt::format("{} h ago", age / 60);
  return fmt::format("{} days ago", age / 60 / 24);
}

using Out = std::back_insert_iterator<std::string>;

void write_release(Out out, const Snapshot& active) {
  const Release& release = active.release;
  fmt::format_to(out, "<h2>Release r{}</h2>\n<p>{}, made {}{}{}</p>\n", release.number,
                 active.digest.short_hex(), to_iso8601(release.created),
                 release.comment.empty() ? "" : ": ", escaped(release.comment));
  fmt::format_to(out,
                 "<table><tr><th>Image</th><th>System</th><th>Architecture</th>"
                 "<th class=\"n\">Size</th></tr>\n");
  for (const Image& image : release.images) {
    fmt::format_to(out, "<tr><td>{}@{}</td><td>{} {}</td><td>{}</td><td class=\"n\">{}</td></tr>\n",
                   escaped(image.name), escaped(image.tag), escaped(image.facts.distro),
                   escaped(image.facts.version), escaped(image.facts.arch),
                   human_size(image.size_bytes));
  }
  fmt::format_to(out,
                 "</table>\n<h2>Boot entries</h2>\n<table><tr><th>Entry</th><th>Title</th>"
                 "<th>Image</th></tr>\n");
  for (const BootEntry& entry : release.entries) {
    fmt::format_to(out, "<tr><td>{}</td><td>{}</td><td>{}</td></tr>\n", escaped(entry.name),
                   escaped(entry.title), escaped(entry.image));
  }
  fmt::format_to(out, "</table>\n");
}

void write_installs(Out out, const SiteStatus& status, WallTime now) {
  fmt::format_to(out, "<h2>Installs</h2>\n");
  if (status.installs.empty()) {
    fmt::format_to(out, "<p>None under way.</p>\n");
    return;
  }
  fmt::format_to(out,
                 "<table><tr><th>Host</th><th>Entry</th><th>State</th><th class=\"n\">%</th>"
                 "<th>Client</th><th>Since</th></tr>\n");
  std::size_t rows = 0;
  for (const InstallRow& row : status.installs) {
    if (++rows > kRowsMax) {
      fmt::format_to(out, "<tr><td colspan=\"6\">… and {} more</td></tr>\n",
                     status.installs.size() - kRowsMax);
      break;
    }
    fmt::format_to(out,
                   "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"n\">{}</td><td>{}</td>"
                   "<td>{}</td></tr>\n",
                   escaped(row.host), escaped(row.entry), escaped(row.state),
                   row.percent ? std::to_string(*row.percent) : "", escaped(row.client),
                   human_age(now, row.since));
  }
  fmt::format_to(out, "</table>\n");
}

}  // namespace

std::string escape_html(std::string_view raw) {
  std::string out;
  out.reserve(raw.size());
  for (const char c : raw) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return out;
}

std::string status_page(const SiteStatus& status, const Snapshot* active, WallTime now) {
  std::string page(kHead);
  auto out = std::back_inserter(page);
  fmt::format_to(out, "<h1>Site {}</h1>\n<p>Agent {}. ", escaped(status.site),
                 escaped(status.agent));
  if (status.connected) {
    fmt::format_to(out, "Connected to the controller.</p>\n");
  } else if (status.last_contact.time_since_epoch().count() == 0) {
    fmt::format_to(
        out, "<span class=\"off\">Not connected to the controller since the start.</span></p>\n");
  } else {
    fmt::format_to(out, "<span class=\"off\">Controller last seen {}.</span></p>\n",
                   human_age(now, status.last_contact));
  }
  for (const std::string& trouble : status.troubles) {
    fmt::format_to(out, "<p class=\"off\">{}</p>\n", escaped(trouble));
  }
  write_installs(out, status, now);
  if (active != nullptr) {
    write_release(out, *active);
  } else {
    fmt::format_to(out,
                   "<h2>No release yet</h2>\n<p class=\"off\">Content is still arriving; "
                   "machines are asked to wait.</p>\n");
  }
  page += "</body></html>\n";
  return page;
}

std::string health_json(const SiteStatus& status, const Snapshot* active) {
  nlohmann::ordered_json json;
  json["status"] = status.troubles.empty() ? "ok" : "degraded";
  json["site"] = status.site;
  json["agent"] = status.agent;
  json["serving"] = active != nullptr;
  if (active != nullptr) {
    json["release"] = active->release.number;
    json["digest"] = active->digest.hex();
  }
  json["connected"] = status.connected;
  if (status.last_contact.time_since_epoch().count() != 0) {
    json["last_contact"] = to_iso8601(status.last_contact);
  }
  json["installs"] = status.installs.size();
  json["troubles"] = status.troubles;
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n';
}

}  // namespace farboot
