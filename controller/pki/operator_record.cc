#include <nlohmann/json.hpp>

#include "controller/pki/operator_book.h"
#include "controller/pki/record_json.h"

namespace farboot {

std::string encode_operator_record(const OperatorRecord& record) {
  const nlohmann::json json = {
      {"name", record.name},
      {"role", to_string(record.role)},
      {"key_id", record.key_id},
      {"certificate_serial", record.certificate_serial},
      {"issued_ms", record.issued.time_since_epoch().count()},
      {"certificate_expires_ms", record.certificate_expires.time_since_epoch().count()},
      {"issued_by", record.issued_by},
      {"revoked", record.revoked},
      {"revoked_ms", record.revoked_at.time_since_epoch().count()},
      {"revoked_by", record.revoked_by}};
  return json.dump();
}

Result<OperatorRecord> decode_operator_record(std::string_view value) {
  const auto json = nlohmann::json::parse(value, nullptr, false);
  if (!json.is_object()) return fail(Errc::corrupt, "operator record: not JSON");
  OperatorRecord record;
  record.name = record_json::text(json, "name");
  auto role = role_from(record_json::text(json, "role"));
  if (!role || !is_peer_word(record.name))
    return fail(Errc::corrupt, "operator record: no name and role");
  record.role = *role;
  record.key_id = record_json::text(json, "key_id");
  record.certificate_serial = record_json::text(json, "certificate_serial");
  record.issued = record_json::time(json, "issued_ms");
  record.certificate_expires = record_json::time(json, "certificate_expires_ms");
  record.issued_by = record_json::text(json, "issued_by");
  // Absent or of another type: treat as revoked. A record we cannot read opens no door.
  const auto revoked = json.find("revoked");
  record.revoked = revoked == json.end() || !revoked->is_boolean() || revoked->get<bool>();
  record.revoked_at = record_json::time(json, "revoked_ms");
  record.revoked_by = record_json::text(json, "revoked_by");
  return record;
}

}  // namespace farboot
