#include "agent/doctor/finding.h"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace farboot::doctor {
namespace {

constexpr std::string_view kIndent = "        ";

/// Of a newer agent's words, which are not known here, each is taken as the worst.
Severity severity_of(const std::string& word) {
  for (const Severity severity : {Severity::ok, Severity::warn})
    if (word == to_string(severity)) return severity;
  return Severity::fail;
}

}  // namespace

std::string_view to_string(Severity severity) {
  switch (severity) {
    case Severity::ok: return "ok";
    case Severity::warn: return "warn";
    case Severity::fail: return "fail";
  }
  return "fail";
}

Severity worst(const std::vector<Finding>& findings) {
  Severity found = Severity::ok;
  for (const Finding& finding : findings) found = std::max(found, finding.severity);
  return found;
}

std::string findings_text(const std::vector<Finding>& findings) {
  std::string out;
  for (const Finding& finding : findings) {
    const std::string where = finding.where.empty() ? std::string() : finding.where + ": ";
    out += fmt::format("{:<4}    {}{} [{}]\n", to_string(finding.severity), where, finding.what,
                       finding.id);
    if (!finding.fix.empty()) out += fmt::format("{}-> {}\n", kIndent, finding.fix);
  }
  return out;
}

std::string findings_json(const std::vector<Finding>& findings, int indent) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const Finding& finding : findings)
    all.push_back({{"id", finding.id},
                   {"severity", to_string(finding.severity)},
                   {"where", finding.where},
                   {"what", finding.what},
                   {"fix", finding.fix}});
  return all.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

Result<std::vector<Finding>> findings_from_json(std::string_view text) {
  const auto all = nlohmann::json::parse(text, nullptr, false);
  if (!all.is_array()) return fail(Errc::invalid, "findings: not a list");
  std::vector<Finding> findings;
  for (const auto& each : all) {
    if (!each.is_object()) return fail(Errc::invalid, "findings: one of them is none");
    const auto word = [&](const char* name) {
      const auto found = each.find(name);
      return found != each.end() && found->is_string() ? found->template get<std::string>()
                                                       : std::string();
    };
    findings.push_back(
        {word("id"), severity_of(word("severity")), word("where"), word("what"), word("fix")});
  }
  return findings;
}

}  // namespace farboot::doctor
