#include <nlohmann/json.hpp>

#include "controller/pki/enrol.h"
#include "controller/pki/record_json.h"

namespace farboot {

std::string encode_agent_record(const AgentRecord& record) {
  const nlohmann::json json = {
      {"site", record.site},
      {"name", record.name},
      {"enrolled_ms", record.enrolled.time_since_epoch().count()},
      {"certificate_serial", record.certificate_serial},
      {"certificate_expires_ms", record.certificate_expires.time_since_epoch().count()},
      {"revoked", record.revoked},
      {"public_key", record.public_key_pem},
      {"key_id", record.key_id}};
  return json.dump();
}

Result<AgentRecord> decode_agent_record(std::string_view value) {
  const auto json = nlohmann::json::parse(value, nullptr, false);
  if (!json.is_object()) return fail(Errc::corrupt, "agent record: not JSON");
  AgentRecord record;
  record.site = record_json::text(json, "site");
  record.name = record_json::text(json, "name");
  record.id = record.site + "/" + record.name;
  record.enrolled = record_json::time(json, "enrolled_ms");
  record.certificate_serial = record_json::text(json, "certificate_serial");
  record.certificate_expires = record_json::time(json, "certificate_expires_ms");
  // Absent or of another type: treat as revoked. A record we cannot read opens no door.
  const auto revoked = json.find("revoked");
  record.revoked = revoked == json.end() || !revoked->is_boolean() || revoked->get<bool>();
  record.public_key_pem = record_json::text(json, "public_key");
  record.key_id = record_json::text(json, "key_id");
  if (!is_peer_word(record.site) || !is_peer_word(record.name))
    return fail(Errc::corrupt, "agent record: no name");
  return record;
}

}  // namespace farboot
