// The operators' certificates: who was given one, and which are still good. Thread-safe; state in
// the StateStore (`operator/…`).
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/rpc/identity.h"
#include "common/store/state_store.h"
#include "controller/pki/authority.h"

namespace farboot {

/// Certificates in the book, revoked ones too. Those that expired leave it.
inline constexpr std::size_t kOperatorCertificatesMax = 1000;

/// One certificate. A name may have several: a second machine, or the next one before the old one
/// expires.
struct OperatorRecord {
  std::string name;
  Role role = Role::viewer;
  std::string key_id;              ///< as PeerIdentity::key_id; unique
  std::string certificate_serial;  ///< hex
  WallTime issued{};
  WallTime certificate_expires{};
  std::string issued_by;  ///< operator, or `controller`
  bool revoked = false;
  WallTime revoked_at{};
  std::string revoked_by;
};
/// The value of `operator/<key id>`. Errors: corrupt.
Result<OperatorRecord> decode_operator_record(std::string_view value);
std::string encode_operator_record(const OperatorRecord& record);

class OperatorBook {
 public:
  OperatorBook(StateStore& state, Authority& authority, const Clock& clock);

  struct Request {
    std::string name;
    Role role = Role::viewer;
    std::string csr_pem;
    std::string by;  ///< who asks
  };
  struct Issued {
    OperatorRecord record;
    std::string certificate_pem;  ///< leaf then CA
    std::string ca_pem;
  };
  /// A certificate for the key of the request. The same key may ask again for the same name and
  /// role: its answer may have been lost, or its certificate be about to expire. Errors: invalid,
  /// denied (the key was revoked), conflict (the key is another operator's), exhausted.
  Result<Issued> issue(const Request& request);

  /// Takes a certificate of our authority that the book does not know into it: one that was issued
  /// before there was a book. Errors: as Authority::read_operator().
  Result<void> adopt(std::string_view certificate_pem);

  /// The record of the operator at the other end of a call. Errors: denied (unknown, or revoked),
  /// logged and counted.
  Result<OperatorRecord> admit(const PeerIdentity& peer);

  /// By name, then oldest first.
  Result<std::vector<OperatorRecord>> operators() const;

  /// Closes the door to all certificates of `name`, or to the one with this serial. Returns them.
  /// Errors: not_found, conflict (no admin would be left).
  Result<std::vector<OperatorRecord>> revoke(std::string_view name, std::string_view serial,
                                             std::string_view by);

  /// By admit(), since the start.
  std::uint64_t refused() const { return refused_.load(); }

 private:
  struct Row;
  Result<std::vector<Row>> rows() const;
  bool opens(const OperatorRecord& record) const;
  /// None: somebody changed the book meanwhile; look again.
  Result<std::optional<OperatorRecord>> issue_once(const Request& request,
                                                   const std::string& key_id,
                                                   const IssuedCertificate& issued);

  StateStore& state_;
  Authority& authority_;
  const Clock& clock_;
  std::atomic<std::uint64_t> refused_{0};
};

}  // namespace farboot
