#include "agent/host/host_record.h"

#include <algorithm>
#include <array>

#include "agent/host/json_read.h"

namespace farboot {
namespace {

constexpr std::uint64_t kHostFormat = 1;  // on disk: never reuse a number

json_read::Json to_json(const HostSpec& spec) {
  json_read::Json json{{"name", spec.name},          {"macs", spec.macs},
                       {"uuid", spec.uuid},          {"serial", spec.serial},
                       {"entry", spec.entry},        {"install_order", spec.install_order},
                       {"variables", spec.variables}};
  if (spec.install_done) json["install_done"] = *spec.install_done;
  return json;
}

HostSpec spec_from(const json_read::Json& json) {
  HostSpec spec;
  spec.name = json_read::text(json, "name");
  spec.macs = json_read::texts(json, "macs");
  spec.uuid = json_read::text(json, "uuid");
  spec.serial = json_read::text(json, "serial");
  spec.entry = json_read::text(json, "entry");
  spec.install_order = json_read::number(json, "install_order");
  if (json_read::at(json, "install_done").is_number_unsigned())
    spec.install_done = json_read::number(json, "install_done");
  spec.variables = json_read::pairs(json, "variables");
  return spec;
}

json_read::Json to_json(const InstallState& state) {
  return {{"phase", to_string(state.phase)},
          {"order", state.order},
          {"begun", state.begun},
          {"used", state.used},
          {"ordered", state.ordered},
          {"on_site", state.on_site},
          {"attempts", state.attempts},
          {"has_kickstart", state.traits.has_kickstart},
          {"reports", state.traits.reports},
          {"packages_total", state.traits.packages_total},
          {"unseen", state.traits.unseen},
          {"boots", state.boots},
          {"kernel", state.kernel},
          {"initrd", state.initrd},
          {"stage2", state.stage2},
          {"repodata", state.repodata},
          {"packages", state.packages},
          {"by_menu", state.by_menu},
          {"touched", state.touched},
          {"reported", state.reported},
          {"age_seconds", static_cast<std::uint64_t>(std::max<std::int64_t>(0, state.age.count()))},
          {"detail", state.detail}};
}

Result<InstallState> state_from(const json_read::Json& json) {
  const auto small = [&](const char* key) {
    return static_cast<std::uint32_t>(json_read::number(json, key));
  };
  InstallState state;
  const auto phase = install_phase(json_read::text(json, "phase"));
  if (!phase) return fail(Errc::corrupt, "host record: no phase");
  state.phase = *phase;
  state.order = json_read::number(json, "order");
  state.begun = json_read::number(json, "begun");
  // A record of an older version does not say: then no order that it took is due any more.
  const bool told = json_read::at(json, "used").is_number_unsigned();
  state.used = told ? json_read::number(json, "used") : state.order;
  state.ordered = json_read::flag(json, "ordered");
  state.on_site = json_read::flag(json, "on_site");
  state.attempts = small("attempts");
  state.traits.has_kickstart = json_read::flag(json, "has_kickstart");
  state.traits.reports = json_read::flag(json, "reports");
  state.traits.packages_total = small("packages_total");
  state.traits.unseen = json_read::flag(json, "unseen");
  state.boots = small("boots");
  state.kernel = json_read::flag(json, "kernel");
  state.initrd = json_read::flag(json, "initrd");
  state.stage2 = json_read::flag(json, "stage2");
  state.repodata = json_read::flag(json, "repodata");
  state.packages = small("packages");
  state.by_menu = json_read::flag(json, "by_menu");
  state.touched = json_read::flag(json, "touched");
  state.reported = json_read::flag(json, "reported");
  state.age = json_read::seconds(json, "age_seconds");
  state.detail = json_read::text(json, "detail");
  return state;
}

}  // namespace

std::string encode_host_record(const HostRecord& record) {
  return json_read::dump({{"format", kHostFormat},
                          {"spec", to_json(record.spec)},
                          {"wanted", record.wanted},
                          {"install", to_json(record.install)},
                          {"token", record.token},
                          {"entry", record.entry},
                          {"clients", record.clients},
                          {"release", record.release},
                          {"since", record.since.time_since_epoch().count()},
                          {"saved", record.saved.time_since_epoch().count()},
                          {"saved_boot", record.saved_boot},
                          {"saved_uptime", record.saved_uptime.count()}});
}

Result<HostRecord> decode_host_record(std::string_view text) {
  const auto json = json_read::object(text);
  if (json_read::number(json, "format") != kHostFormat)
    return fail(Errc::corrupt, "host record: not of format {}", kHostFormat);
  HostRecord record;
  record.spec = spec_from(json_read::at(json, "spec"));
  if (record.spec.name.empty() && record.spec.macs.empty())
    return fail(Errc::corrupt, "host record: neither name nor mac");
  record.wanted = json_read::flag(json, "wanted");
  auto install = state_from(json_read::at(json, "install"));
  if (!install) return install.error();
  record.install = std::move(*install);
  record.token = json_read::text(json, "token");
  record.entry = json_read::text(json, "entry");
  record.clients = json_read::texts(json, "clients");
  record.release = json_read::number(json, "release");
  record.since = json_read::time(json, "since");
  record.saved = json_read::time(json, "saved");
  record.saved_boot = json_read::text(json, "saved_boot");
  record.saved_uptime = json_read::seconds(json, "saved_uptime");
  return record;
}

HostStatus status_of(const HostRecord& record) {
  const InstallState& install = record.install;
  HostStatus status;
  status.host = record.key();
  status.mac = record.spec.macs.empty() ? std::string() : record.spec.macs.front();
  status.phase = install.phase;
  const bool to_come = install.phase == InstallPhase::idle || install.phase == InstallPhase::armed;
  status.entry = to_come || record.entry.empty() ? record.spec.entry : record.entry;
  status.percent = install.percent();
  status.release = to_come ? 0 : record.release;
  status.since = record.since;
  status.order = install.order;
  status.used = install.used;
  const bool under_way = install.under_way();
  if (under_way && install.phase == InstallPhase::packages) {
    status.detail =
        fmt::format("{} of {} packages", install.packages, install.traits.packages_total);
  } else if (!under_way || !install.detail.empty()) {
    status.detail = install.detail;
  } else if (install.repodata) {
    status.detail = "repository read";
  } else if (install.stage2) {
    status.detail = "installer loaded";
  } else if (install.initrd) {
    status.detail = "kernel and initrd loaded";
  }
  return status;
}

bool is_placeholder(std::string_view text) {
  static constexpr std::array<std::string_view, 11> kWords = {"none",
                                                              "not specified",
                                                              "not available",
                                                              "to be filled by o.e.m.",
                                                              "system serial number",
                                                              "default string",
                                                              "unknown",
                                                              "n/a",
                                                              "invalid",
                                                              "123456789",
                                                              "0123456789"};
  std::string word;
  for (const char c : text) word += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  if (word == "03000200-0400-0500-0006-000700080009") return true;
  const auto filler = [](char c) {
    return c == '0' || c == 'f' || c == '-' || c == ' ' || c == 'x';
  };
  return std::all_of(word.begin(), word.end(), filler) ||
         std::find(kWords.begin(), kWords.end(), word) != kWords.end();
}

}  // namespace farboot
