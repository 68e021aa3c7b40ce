#include "controller/pki/operator_book.h"

#include <algorithm>
#include <tuple>

#include "common/base/log.h"
#include "common/rpc/credentials.h"

namespace farboot {
namespace {

constexpr std::string_view kPrefix = "operator/";

std::string operator_key(std::string_view key_id) {
  return std::string(kPrefix) + std::string(key_id);
}

bool names(const OperatorRecord& record, std::string_view name, std::string_view serial) {
  return record.name == name && (serial.empty() || record.certificate_serial == serial);
}

Error last_admin(std::string_view name) {
  return fail(Errc::conflict,
              "operator {}: no admin would be left; give another one a certificate first (farboot "
              "operator issue NAME --role admin) and revoke this one with that. If its key is "
              "lost or stolen: on the controller, move the folder `operator` of its state "
              "directory away and restart it; it makes a new admin's, and that one revokes the old",
              name);
}

}  // namespace

struct OperatorBook::Row {
  std::string key;
  std::uint64_t revision = 0;
  OperatorRecord record;
};

OperatorBook::OperatorBook(StateStore& state, Authority& authority, const Clock& clock)
    : state_(state), authority_(authority), clock_(clock) {}

bool OperatorBook::opens(const OperatorRecord& record) const {
  return !record.revoked && clock_.wall() < record.certificate_expires;
}

Result<std::vector<OperatorBook::Row>> OperatorBook::rows() const {
  auto entries = state_.scan(kPrefix);
  if (!entries) return entries.error();
  std::vector<Row> rows;
  for (StateEntry& entry : *entries) {
    auto record = decode_operator_record(entry.value);
    if (!record) return prefix(entry.key, record.error());
    rows.push_back({std::move(entry.key), entry.revision, std::move(*record)});
  }
  return rows;
}

Result<OperatorBook::Issued> OperatorBook::issue(const Request& request) {
  auto issued = authority_.issue_operator(request.csr_pem, request.name, request.role);
  if (!issued) return issued.error();
  auto key_id = public_key_id(issued->certificate_pem);
  if (!key_id) return key_id.error();
  for (int attempt = 0; attempt < kConflictRetriesMax; ++attempt) {
    auto stored = issue_once(request, *key_id, *issued);
    if (!stored) return stored.error();
    if (!*stored) continue;
    OperatorRecord& record = **stored;
    log::info("pki.operator_issued", log::kv("operator", record.name),
              log::kv("role", to_string(record.role)), log::kv("serial", record.certificate_serial),
              log::kv("expires", to_iso8601(record.certificate_expires)),
              log::kv("by", request.by));
    return Issued{std::move(record), std::move(issued->certificate_pem), authority_.ca_pem()};
  }
  return fail(Errc::unavailable, "operator {}: changed too often meanwhile", request.name);
}

Result<std::optional<OperatorRecord>> OperatorBook::issue_once(const Request& request,
                                                               const std::string& key_id,
                                                               const IssuedCertificate& issued) {
  auto held = rows();
  if (!held) return held.error();
  Transaction change;
  std::uint64_t revision = 0;  // of the key's own row; 0: there is none
  std::size_t kept = 0;
  for (const Row& row : *held) {
    const OperatorRecord& old = row.record;
    if (old.key_id != key_id) {
      // TLS refuses what expired; nobody needs its row.
      const bool expired = old.certificate_expires <= clock_.wall();
      if (expired) change.expect(row.key, row.revision).erase(row.key);
      kept += expired ? 0 : 1;
      continue;
    }
    if (old.revoked)
      return fail(Errc::denied, "operator {}: this key was revoked at {}; make a new one", old.name,
                  to_iso8601(old.revoked_at));
    if (old.name != request.name || old.role != request.role)
      return fail(Errc::conflict, "operator {}: this key is that of {} ({}); make another one",
                  request.name, old.name, to_string(old.role));
    revision = row.revision;
  }
  if (kept >= kOperatorCertificatesMax)
    return fail(Errc::exhausted, "operator {}: there are {} certificates already", request.name,
                kept);
  OperatorRecord record;
  record.name = request.name;
  record.role = request.role;
  record.key_id = key_id;
  record.certificate_serial = issued.serial_hex;
  record.issued = clock_.wall();
  record.certificate_expires = issued.expires;
  record.issued_by = request.by;
  change.expect(operator_key(key_id), revision)
      .put(operator_key(key_id), encode_operator_record(record));
  auto stored = state_.commit(change);
  if (!stored && stored.error().code == Errc::conflict) return std::nullopt;
  if (!stored) return stored.error();
  return record;
}

Result<void> OperatorBook::adopt(std::string_view certificate_pem) {
  auto certificate = authority_.read_operator(certificate_pem);
  if (!certificate) return certificate.error();
  OperatorRecord record;
  record.name = certificate->peer.name;
  record.role = certificate->peer.role;
  record.key_id = certificate->peer.key_id;
  record.certificate_serial = certificate->serial_hex;
  record.issued = clock_.wall();
  record.certificate_expires = certificate->expires;
  record.issued_by = "controller";
  const std::string key = operator_key(record.key_id);
  auto stored =
      state_.commit(Transaction{}.expect(key, 0).put(key, encode_operator_record(record)));
  if (!stored && stored.error().code == Errc::conflict) return {};  // known, perhaps revoked
  if (!stored) return stored.error();
  log::info("pki.operator_adopted", log::kv("operator", record.name),
            log::kv("role", to_string(record.role)), log::kv("serial", record.certificate_serial));
  return {};
}

Result<OperatorRecord> OperatorBook::admit(const PeerIdentity& peer) {
  const auto refused = [&](std::string_view reason) -> Error {
    refused_.fetch_add(1, std::memory_order_relaxed);
    log::warn("pki.operator_refused", log::kv("operator", peer.id()), log::kv("reason", reason));
    return fail(Errc::denied,
                "operator {}: {}; an admin can give you another certificate: farboot operator "
                "request, then farboot operator issue --csr",
                peer.id(), reason);
  };
  if (peer.kind != PeerKind::operator_) return refused("no operator's certificate");
  auto entry = state_.get(operator_key(peer.key_id));
  if (!entry) return entry.error();
  if (!*entry) return refused("certificate unknown here");
  auto record = decode_operator_record((*entry)->value);
  if (!record) return record.error();
  if (record->revoked) return refused("certificate revoked");
  if (record->name != peer.name || record->role != peer.role)
    return refused("certificate of another name or role");
  return record;
}

Result<std::vector<OperatorRecord>> OperatorBook::operators() const {
  auto held = rows();
  if (!held) return held.error();
  std::vector<OperatorRecord> records;
  for (Row& row : *held) records.push_back(std::move(row.record));
  std::sort(records.begin(), records.end(), [](const auto& a, const auto& b) {
    return std::tie(a.name, a.issued, a.key_id) < std::tie(b.name, b.issued, b.key_id);
  });
  return records;
}

Result<std::vector<OperatorRecord>> OperatorBook::revoke(std::string_view name,
                                                         std::string_view serial,
                                                         std::string_view by) {
  for (int attempt = 0; attempt < kConflictRetriesMax; ++attempt) {
    auto held = rows();
    if (!held) return held.error();
    Transaction change;
    std::vector<OperatorRecord> meant;
    bool admin_goes = false;
    const Row* admin_stays = nullptr;
    for (Row& row : *held) {
      const bool opens_as_admin = opens(row.record) && row.record.role == Role::admin;
      if (!names(row.record, name, serial)) {
        if (opens_as_admin) admin_stays = &row;
        continue;
      }
      admin_goes = admin_goes || opens_as_admin;
      if (!row.record.revoked) {
        row.record.revoked = true;
        row.record.revoked_at = clock_.wall();
        row.record.revoked_by = by;
        change.expect(row.key, row.revision).put(row.key, encode_operator_record(row.record));
      }
      meant.push_back(row.record);
    }
    if (meant.empty())
      return fail(Errc::not_found,
                  "operator {}{}{}: no such certificate; see farboot operator list",
                  printable(name, 80), serial.empty() ? "" : " ", printable(serial, 80));
    if (change.writes.empty()) return meant;
    if (admin_goes && admin_stays == nullptr) return last_admin(name);
    // Two admins who revoke each other at once: one of the two commits fails and looks again.
    if (admin_goes) change.expect(admin_stays->key, admin_stays->revision);
    auto stored = state_.commit(change);
    if (!stored && stored.error().code == Errc::conflict) continue;
    if (!stored) return stored.error();
    for (const OperatorRecord& record : meant)
      log::info("pki.operator_revoked", log::kv("operator", record.name),
                log::kv("serial", record.certificate_serial), log::kv("by", by));
    return meant;
  }
  return fail(Errc::unavailable, "operator {}: changed too often meanwhile", printable(name, 80));
}

}  // namespace farboot
