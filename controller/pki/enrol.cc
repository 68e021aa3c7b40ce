#include "controller/pki/enrol.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <nlohmann/json.hpp>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/rpc/credentials.h"
#include "controller/pki/record_json.h"

namespace farboot {
namespace {

constexpr Seconds kUsedTokensKept{30 * 24 * 3600};  // so that "used" can be said, not "unknown"

std::string agent_key(std::string_view id) { return "agent/" + std::string(id); }

Digest secret_digest(const EnrolToken& token) {
  Bytes message = to_bytes("farboot token 1\n");
  message.insert(message.end(), token.id.begin(), token.id.end());
  message.insert(message.end(), token.secret.begin(), token.secret.end());
  return sha256(message);
}

}  // namespace

struct Enrolment::StoredToken {
  std::string key;  ///< in the StateStore
  std::uint64_t revision = 0;
  std::string site, agent, address, secret_digest_hex, used_by;
  WallTime created{}, expires{}, used{};

  std::string encode() const {
    const nlohmann::json json = {{"site", site},
                                 {"agent", agent},
                                 {"address", address},
                                 {"created_ms", created.time_since_epoch().count()},
                                 {"expires_ms", expires.time_since_epoch().count()},
                                 {"secret_sha256", secret_digest_hex},
                                 {"used_ms", used.time_since_epoch().count()},
                                 {"used_by", used_by}};
    return json.dump();
  }
  static Result<StoredToken> decode(const StateEntry& entry) {
    const auto json = nlohmann::json::parse(entry.value, nullptr, false);
    if (!json.is_object()) return fail(Errc::corrupt, "{}: not JSON", entry.key);
    StoredToken token;
    token.key = entry.key;
    token.revision = entry.revision;
    token.site = record_json::text(json, "site");
    token.agent = record_json::text(json, "agent");
    token.address = record_json::text(json, "address");
    token.created = record_json::time(json, "created_ms");
    token.expires = record_json::time(json, "expires_ms");
    token.secret_digest_hex = record_json::text(json, "secret_sha256");
    token.used = record_json::time(json, "used_ms");
    token.used_by = record_json::text(json, "used_by");
    return token;
  }
};

Enrolment::Enrolment(StateStore& state, Authority& authority, const Clock& clock)
    : state_(state), authority_(authority), clock_(clock) {}

Result<std::string> Enrolment::create_token(const TokenRequest& request) {
  if (!is_peer_word(request.site))
    return fail(Errc::invalid, "site '{}': not a name", printable(request.site, 80));
  if (!is_peer_word(request.agent))
    return fail(Errc::invalid, "agent '{}': not a name", printable(request.agent, 80));
  if (!is_address(request.controller_address))
    return fail(Errc::invalid, "controller address '{}': not host:port",
                printable(request.controller_address, 80));
  if (request.ttl <= Seconds(0) || request.ttl > kTokenLifeMax)
    return fail(Errc::invalid, "token life of {} s: 1 to {} expected", request.ttl.count(),
                kTokenLifeMax.count());
  const std::string id = request.site + "/" + request.agent;
  auto existing = agent(id);
  if (!existing && existing.error().code != Errc::not_found) return existing.error();
  if (existing && !existing->revoked)
    return fail(Errc::conflict, "agent {}: enrolled already; revoke it first to enrol it anew", id);
  auto dropped = drop_old_tokens();
  if (!dropped) return dropped.error();

  EnrolToken token;
  token.address = request.controller_address;
  token.site = request.site;
  token.agent = request.agent;
  token.expires = std::chrono::floor<Seconds>(clock_.wall() + request.ttl);
  auto fingerprint = Digest::from_hex(authority_.fingerprint());
  if (!fingerprint) return fingerprint.error();
  token.ca_fingerprint = *fingerprint;
  FARBOOT_CHECK(RAND_bytes(token.id.data(), static_cast<int>(token.id.size())) == 1);
  FARBOOT_CHECK(RAND_bytes(token.secret.data(), static_cast<int>(token.secret.size())) == 1);

  StoredToken stored;
  stored.key = "token/" + to_hex(token.id);
  stored.site = request.site;
  stored.agent = request.agent;
  stored.address = request.controller_address;
  stored.created = clock_.wall();
  stored.expires = token.expires;
  stored.secret_digest_hex = secret_digest(token).hex();
  auto kept = state_.commit(Transaction{}.expect(stored.key, 0).put(stored.key, stored.encode()));
  if (!kept) return kept.error();
  log::info("pki.token_created", log::kv("agent", id), log::kv("token", to_hex(token.id)),
            log::kv("expires", to_iso8601(token.expires)));
  return encode_token(token);
}

Error Enrolment::refuse(Guarded<LogLimit>& limit, std::atomic<std::uint64_t>& counter,
                        std::string_view reason, const EnrolToken* token, Error error) {
  counter.fetch_add(1, std::memory_order_relaxed);
  const std::string id = token != nullptr ? to_hex(token->id) : std::string("-");
  const std::string who = token != nullptr ? token->site + "/" + token->agent : std::string("-");
  const auto left_out = limit.with([&](LogLimit& lines) { return lines.take(clock_.steady()); });
  if (left_out)
    log::warn("pki.token_refused", log::kv("reason", reason), log::kv("token", id),
              log::kv("agent", who), log::kv("left_out", *left_out));
  return error;
}

Result<Enrolment::StoredToken> Enrolment::check_token(const EnrolToken& token,
                                                      std::string_view key_id) {
  auto entry = state_.get("token/" + to_hex(token.id));
  if (!entry) return entry.error();
  if (!*entry)
    return refuse(nonsense_lines_, counters_.token_unknown, "unknown", &token,
                  fail(Errc::denied, "token: unknown here; make a new one on this controller"));
  auto stored = StoredToken::decode(**entry);
  if (!stored) return stored.error();
  const std::string given = secret_digest(token).hex();
  if (given.size() != stored->secret_digest_hex.size() ||
      CRYPTO_memcmp(given.data(), stored->secret_digest_hex.data(), given.size()) != 0)
    return refuse(token_lines_, counters_.token_wrong, "wrong secret", &token,
                  fail(Errc::denied, "token: wrong secret"));
  const bool same_key = stored->used_by == key_id;
  if (stored->used != WallTime{} && !same_key)
    return refuse(
        token_lines_, counters_.token_used, "used", &token,
        fail(Errc::denied, "token: used already, at {}; make a new one", to_iso8601(stored->used)));
  if (clock_.wall() >= stored->expires)
    return refuse(
        token_lines_, counters_.token_expired, "expired", &token,
        fail(Errc::denied, "token: expired at {}; make a new one", to_iso8601(stored->expires)));
  return stored;
}

Result<Enrolment::Enrolled> Enrolment::redeem(std::string_view text, std::string_view csr_pem) {
  auto token = decode_token(text);
  if (!token)
    return refuse(nonsense_lines_, counters_.token_malformed, "malformed", nullptr, token.error());
  auto public_key = csr_public_key_pem(csr_pem);
  if (!public_key) return public_key.error();
  auto key_id = public_key_id(*public_key);
  if (!key_id) return key_id.error();
  // Two at once: one commit wins, the other looks again and finds the token used.
  for (int attempt = 0; attempt < kConflictRetriesMax; ++attempt) {
    auto stored = check_token(*token, *key_id);
    if (!stored) return stored.error();
    auto enrolled = enrol(*stored, csr_pem, *public_key);
    if (enrolled || enrolled.error().code != Errc::conflict) return enrolled;
  }
  return fail(Errc::unavailable, "token: too many at once; try again");
}

Result<Enrolment::Enrolled> Enrolment::enrol(const StoredToken& stored, std::string_view csr_pem,
                                             const std::string& public_key_pem) {
  const std::string id = stored.site + "/" + stored.agent;
  auto before = state_.get(agent_key(id));
  if (!before) return before.error();
  auto issued = authority_.issue_agent(csr_pem, stored.site, stored.agent);
  if (!issued) return issued.error();
  auto key_id = public_key_id(public_key_pem);
  if (!key_id) return key_id.error();

  AgentRecord record;
  record.id = id;
  record.site = stored.site;
  record.name = stored.agent;
  record.enrolled = clock_.wall();
  record.certificate_serial = issued->serial_hex;
  record.certificate_expires = issued->expires;
  record.public_key_pem = public_key_pem;
  record.key_id = *key_id;
  if (*before) {
    auto old = decode_agent_record((*before)->value);
    // Two tokens for one name: the first one used has it, unless its agent was revoked since.
    if (old && !old->revoked && old->key_id != record.key_id) {
      // The record may be younger than our look at the token: then it was this token that was used.
      auto again = state_.get(stored.key);
      if (!again) return again.error();
      if (!*again || (*again)->revision != stored.revision)
        return fail(Errc::conflict, "token: used a moment ago");
      return fail(Errc::denied, "agent {}: enrolled already by another token", id);
    }
    if (old && old->revoked && old->key_id == record.key_id)
      return fail(Errc::denied, "agent {}: revoked", id);
  }
  StoredToken used = stored;
  used.used = clock_.wall();
  used.used_by = record.key_id;
  auto kept = state_.commit(Transaction{}
                                .expect(stored.key, stored.revision)
                                .expect(agent_key(id), *before ? (*before)->revision : 0)
                                .put(stored.key, used.encode())
                                .put(agent_key(id), encode_agent_record(record)));
  if (!kept) return kept.error();
  counters_.enrolled.fetch_add(1, std::memory_order_relaxed);
  log::info("pki.enrolled", log::kv("agent", id), log::kv("serial", record.certificate_serial),
            log::kv("expires", to_iso8601(record.certificate_expires)));
  return Enrolled{std::move(record), std::move(issued->certificate_pem), authority_.ca_pem(),
                  stored.address};
}

Result<Enrolment::Enrolled> Enrolment::renew(std::string_view agent_id, std::string_view csr_pem) {
  auto public_key = csr_public_key_pem(csr_pem);
  if (!public_key) return public_key.error();
  for (int attempt = 0; attempt < kConflictRetriesMax; ++attempt) {
    auto entry = state_.get(agent_key(agent_id));
    if (!entry) return entry.error();
    if (!*entry)
      return fail(Errc::not_found, "agent {}: not enrolled here", printable(agent_id, 140));
    auto record = decode_agent_record((*entry)->value);
    if (!record) return record.error();
    if (record->revoked) return fail(Errc::denied, "agent {}: revoked", record->id);
    if (*public_key != record->public_key_pem)
      return fail(Errc::denied, "agent {}: not the key that was enrolled", record->id);
    auto issued = authority_.issue_agent(csr_pem, record->site, record->name);
    if (!issued) return issued.error();
    record->certificate_serial = issued->serial_hex;
    record->certificate_expires = issued->expires;
    auto kept = state_.commit(Transaction{}
                                  .expect((*entry)->key, (*entry)->revision)
                                  .put((*entry)->key, encode_agent_record(*record)));
    if (!kept && kept.error().code == Errc::conflict) continue;
    if (!kept) return kept.error();
    counters_.renewed.fetch_add(1, std::memory_order_relaxed);
    log::info("pki.renewed", log::kv("agent", record->id),
              log::kv("expires", to_iso8601(record->certificate_expires)));
    return Enrolled{std::move(*record), std::move(issued->certificate_pem), authority_.ca_pem(),
                    ""};
  }
  return fail(Errc::unavailable, "agent {}: changed too often meanwhile", printable(agent_id, 140));
}

Result<AgentRecord> Enrolment::admit(const PeerIdentity& peer) {
  const auto refused = [&](std::string_view reason) -> Error {
    counters_.agent_refused.fetch_add(1, std::memory_order_relaxed);
    // Anybody can come with nothing; that must not hide who came with what was once good.
    auto& limit = peer.kind == PeerKind::agent ? agent_lines_ : stranger_lines_;
    const auto left_out = limit.with([&](LogLimit& lines) { return lines.take(clock_.steady()); });
    if (left_out)
      log::warn("pki.agent_refused", log::kv("agent", peer.id()), log::kv("reason", reason),
                log::kv("left_out", *left_out));
    return fail(Errc::denied, "agent {}: {}", peer.id(), reason);
  };
  if (peer.kind != PeerKind::agent) return refused("no agent's certificate");
  auto record = agent(peer.id());
  if (!record && record.error().code == Errc::not_found) return refused("not enrolled here");
  if (!record) return record.error();
  if (record->revoked) return refused("revoked");
  if (record->key_id != peer.key_id) return refused("certificate of an earlier enrolment");
  return record;
}

Result<std::vector<AgentRecord>> enrolled_agents(const StateStore& state,
                                                 std::string_view beginning) {
  auto entries = state.scan(agent_key(beginning));
  if (!entries) return entries.error();
  std::vector<AgentRecord> records;
  for (const StateEntry& entry : *entries) {
    auto record = decode_agent_record(entry.value);
    if (!record) return prefix(entry.key, record.error());
    records.push_back(std::move(*record));
  }
  return records;
}

Result<std::vector<AgentRecord>> Enrolment::agents() const { return enrolled_agents(state_); }

Result<AgentRecord> Enrolment::agent(std::string_view id) const {
  auto entry = state_.get(agent_key(id));
  if (!entry) return entry.error();
  if (!*entry) return fail(Errc::not_found, "agent {}: not enrolled here", printable(id, 140));
  return decode_agent_record((*entry)->value);
}

Result<void> Enrolment::revoke(std::string_view agent_id) {
  for (int attempt = 0; attempt < kConflictRetriesMax; ++attempt) {
    auto entry = state_.get(agent_key(agent_id));
    if (!entry) return entry.error();
    if (!*entry)
      return fail(Errc::not_found, "agent {}: not enrolled here", printable(agent_id, 140));
    auto record = decode_agent_record((*entry)->value);
    if (!record) return record.error();
    if (record->revoked) return {};
    record->revoked = true;
    auto kept = state_.commit(Transaction{}
                                  .expect((*entry)->key, (*entry)->revision)
                                  .put((*entry)->key, encode_agent_record(*record)));
    if (!kept && kept.error().code == Errc::conflict) continue;
    if (!kept) return kept.error();
    log::info("pki.revoked", log::kv("agent", record->id));
    return {};
  }
  return fail(Errc::unavailable, "agent {}: changed too often meanwhile", printable(agent_id, 140));
}

Result<void> Enrolment::drop_old_tokens() {
  auto entries = state_.scan("token/");
  if (!entries) return entries.error();
  Transaction old;
  for (const StateEntry& entry : *entries) {
    auto token = StoredToken::decode(entry);
    if (token && clock_.wall() < token->expires + kUsedTokensKept) continue;
    old.expect(entry.key, entry.revision).erase(entry.key);
  }
  if (old.writes.empty()) return {};
  auto dropped = state_.commit(old);
  if (!dropped && dropped.error().code != Errc::conflict) return dropped.error();
  return {};
}

Enrolment::Counts Enrolment::counts() const {
  Counts out;
  out.enrolled = counters_.enrolled.load();
  out.renewed = counters_.renewed.load();
  out.token_malformed = counters_.token_malformed.load();
  out.token_unknown = counters_.token_unknown.load();
  out.token_wrong = counters_.token_wrong.load();
  out.token_expired = counters_.token_expired.load();
  out.token_used = counters_.token_used.load();
  out.agent_refused = counters_.agent_refused.load();
  return out;
}

}  // namespace farboot
