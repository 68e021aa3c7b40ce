#include "controller/fleet/report_book.h"

#include <optional>
#include <utility>

#include "controller/state/json.h"

namespace farboot {
namespace {

constexpr unsigned kReportFormat = 1;  // on disk: never reuse a number
constexpr std::string_view kPrefix = "report/";
/// Of one commit: what etcd takes as well, and a report that cannot be stored holds up few others.
constexpr std::size_t kFlushReportsMax = 100;
constexpr std::size_t kFlushBytesMax = 1u << 20;

std::string encode(const AgentStatus& status) {
  const AgentReport& report = status.report;
  Json object;
  object["agent"] = report.agent;
  object["site"] = report.site;
  object["version"] = report.version;
  object["received"] = to_json_time(report.received);
  object["desired_number"] = report.desired_number;
  object["active"] = to_json_digest(report.active);
  object["previous"] = to_json_digest(report.previous);
  object["staged"] = to_json_digest(report.staged);
  object["wan_bytes"] = report.wan_bytes;
  object["disk_free_bytes"] = report.disk_free_bytes;
  object["rotten_chunks"] = report.rotten_chunks;
  object["error"] = report.error;
  object["abilities"] = report.abilities;
  object["hosts"] = Json::array();
  for (const HostReport& host : report.hosts) {
    Json item;
    item["host"] = host.host;
    item["mac"] = host.mac;
    item["state"] = host.state;
    item["entry"] = host.entry;
    item["percent"] = host.percent;
    item["detail"] = host.detail;
    item["since"] = to_json_time(host.since);
    item["install_order"] = host.install_order;
    item["install_used"] = host.install_used;
    object["hosts"].push_back(std::move(item));
  }
  return write_record(std::move(object), kReportFormat);
}

Result<AgentStatus> decode(const StateEntry& entry) {
  const auto object = read_record(entry.key, entry.value, kReportFormat);
  if (!object) return object.error();
  AgentStatus status;
  AgentReport& report = status.report;
  report.agent = text_at(*object, "agent");
  report.site = text_at(*object, "site");
  report.version = text_at(*object, "version");
  report.received = time_at(*object, "received");
  report.desired_number = number_at(*object, "desired_number");
  report.active = digest_at(*object, "active");
  report.previous = digest_at(*object, "previous");
  report.staged = digest_at(*object, "staged");
  report.wan_bytes = number_at(*object, "wan_bytes");
  report.disk_free_bytes = number_at(*object, "disk_free_bytes");
  report.rotten_chunks = number_at(*object, "rotten_chunks");
  report.error = text_at(*object, "error");
  report.abilities = list_at(*object, "abilities");
  for (const Json& item : array_at(*object, "hosts")) {
    HostReport host;
    host.host = text_at(item, "host");
    host.mac = text_at(item, "mac");
    host.state = text_at(item, "state");
    host.entry = text_at(item, "entry");
    host.percent = static_cast<std::uint32_t>(number_at(item, "percent"));
    host.detail = text_at(item, "detail");
    host.since = time_at(item, "since");
    host.install_order = number_at(item, "install_order");
    host.install_used = number_at(item, "install_used");
    report.hosts.push_back(std::move(host));
  }
  return status;
}

}  // namespace

Result<void> ReportBook::open() {
  const auto entries = state_.scan(kPrefix);
  if (!entries) return entries.error();
  std::map<std::string, AgentStatus> read;
  for (const StateEntry& entry : *entries) {
    auto status = decode(entry);
    if (!status) return status.error();
    std::string id = status->report.agent;
    read[std::move(id)] = std::move(*status);
  }
  agents_.with([&](Agents& agents) { agents.by_id = std::move(read); });
  return {};
}

void ReportBook::on_connected(const std::string& agent, const std::string& site) {
  const WallTime now = clock_.wall();
  agents_.with([&](Agents& agents) {
    AgentStatus& status = agents.by_id[agent];
    status.report.agent = agent;
    status.report.site = site;
    status.online = true;
    status.since = now;
    agents.dirty.insert(agent);
  });
  changed_.notify();
}

void ReportBook::on_disconnected(const std::string& agent) {
  const WallTime now = clock_.wall();
  agents_.with([&](Agents& agents) {
    const auto found = agents.by_id.find(agent);
    if (found == agents.by_id.end()) return;
    found->second.online = false;
    found->second.since = now;
    // A transfer that was under way is not any more.
    found->second.report.step = TransferStep::idle;
    found->second.report.bytes_per_second = 0;
    agents.dirty.insert(agent);
  });
  changed_.notify();
}

void ReportBook::on_report(const AgentReport& report) {
  const WallTime now = clock_.wall();
  agents_.with([&](Agents& agents) {
    AgentStatus& status = agents.by_id[report.agent];
    status.report = report;
    status.report.received = now;
    agents.dirty.insert(report.agent);
  });
  changed_.notify();
}

std::vector<AgentStatus> ReportBook::agents() const {
  return agents_.with([](const Agents& agents) {
    std::vector<AgentStatus> out;
    out.reserve(agents.by_id.size());
    for (const auto& [id, status] : agents.by_id) out.push_back(status);
    return out;
  });
}

std::optional<AgentStatus> ReportBook::agent(const std::string& id) const {
  return agents_.with([&](const Agents& agents) {
    const auto found = agents.by_id.find(id);
    return found == agents.by_id.end() ? std::nullopt : std::optional(found->second);
  });
}

Result<void> ReportBook::flush() {
  const auto dirty = agents_.with([](Agents& agents) {
    std::vector<std::pair<std::string, AgentStatus>> out;
    for (const std::string& id : agents.dirty) out.emplace_back(id, agents.by_id[id]);
    agents.dirty.clear();
    return out;
  });
  Records batch;
  std::size_t bytes = 0;
  std::optional<Error> failed;
  const auto commit = [&] {
    if (auto done = write(std::exchange(batch, {})); !done) failed = done.error();
    bytes = 0;
  };
  for (const auto& [id, status] : dirty) {
    std::string record = encode(status);
    if (bytes + record.size() > kFlushBytesMax) commit();
    bytes += record.size();
    batch.emplace_back(id, std::move(record));
    if (batch.size() >= kFlushReportsMax) commit();
  }
  commit();
  if (failed) return *failed;
  return {};
}

/// One commit; without those that were forgotten since their records were made.
Result<void> ReportBook::write(Records records) {
  const std::lock_guard lock(commits_);
  agents_.with([&](const Agents& agents) {
    std::erase_if(records,
                  [&](const auto& record) { return !agents.by_id.contains(record.first); });
  });
  if (records.empty()) return {};
  Transaction transaction;
  for (auto& [id, record] : records) transaction.put(std::string(kPrefix) + id, std::move(record));
  const auto done = state_.commit(transaction);
  if (done) return {};
  agents_.with([&](Agents& agents) {
    for (const auto& [id, record] : records)
      if (agents.by_id.contains(id)) agents.dirty.insert(id);
  });
  return done.error();
}

void ReportBook::forget(const std::string& agent) {
  agents_.with([&](Agents& agents) {
    agents.by_id.erase(agent);
    agents.dirty.erase(agent);
  });
  {
    const std::lock_guard lock(commits_);
    // Kept by name until the next enrolment writes over it would be wrong: the record must go; but
    // not that of one that has enrolled anew meanwhile.
    if (!this->agent(agent))
      static_cast<void>(state_.commit(Transaction{}.erase(std::string(kPrefix) + agent)));
  }
  changed_.notify();
}

}  // namespace farboot
