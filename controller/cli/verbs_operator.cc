// farboot operator request|issue|list|revoke
#include <CLI/CLI.hpp>

#include "common/base/atomic_file.h"
#include "common/rpc/identity.h"
#include "common/rpc/operator_files.h"
#include "controller/cli/session.h"

namespace farboot {
namespace {

using Stub = v1::FleetService::Stub;
using Path = std::filesystem::path;

constexpr std::size_t kRequestBytesMax = 64 * 1024;

Error whole_already(const Path& folder) {
  return fail(Errc::conflict, "{}: is an operator's folder already; name another one with --out",
              folder.string());
}

/// Makes a key here, and the request that says whose it is.
Exit request(Session& session, const std::string& out) {
  const auto chosen = out.empty() ? session.folder() : Result<Path>(Path(out));
  if (!chosen) return session.report(chosen.error());
  if (has_operator_context(*chosen)) return session.report(whole_already(*chosen));
  const auto key = open_operator_key(*chosen);
  if (!key) return session.report(key.error());
  const Path file = *chosen / "request.pem";
  const auto written = write_file_atomically(file, as_bytes(key->csr_pem()), 0644);
  if (!written) return session.report(written.error());
  session.note(
      "send this file to an admin, who says:\n  farboot operator issue NAME --role ROLE "
      "--csr request.pem\nand put the three files that makes beside key.pem, which stays "
      "here\n");
  session.say((session.json() ? to_json("request", file.string()) : file.string()) + "\n");
  return Exit::done;
}

struct IssueWish {
  std::string name, role = "operator", csr_file, out;
};

/// The request of the file, or of a key made here, in the folder that is to be the operator's.
Result<std::string> csr_of(const IssueWish& wish, const Path& folder) {
  if (!wish.csr_file.empty()) return read_file(wish.csr_file, kRequestBytesMax);
  const auto key = open_operator_key(folder);
  if (!key) return key.error();
  return key->csr_pem();
}

Exit issue(Session& session, const IssueWish& wish) {
  const Path folder = wish.out.empty() ? Path("operator-" + wish.name) : Path(wish.out);
  if (has_operator_context(folder)) return session.report(whole_already(folder));
  const auto csr = csr_of(wish, folder);
  if (!csr) return session.report(csr.error());
  v1::IssueOperatorRequest request;
  request.set_name(wish.name);
  request.set_role(wish.role);
  request.set_csr_pem(*csr);
  v1::IssueOperatorResponse answer;
  const auto done = session.call(&Stub::IssueOperator, request, answer);
  if (!done) return session.report(done.error());
  const auto written =
      write_operator_files(folder, {answer.ca_pem(), answer.certificate_pem(), session.address()});
  if (!written) return session.report(written.error());
  return session.print(answer.record(), [&] {
    session.note(wish.csr_file.empty()
                     ? "whoever holds this folder is that operator; use it with --context\n"
                     : "these files belong beside the operator's key.pem\n");
    return fmt::format("{} ({}) until {}: {}\n", answer.record().name(), answer.record().role(),
                       time_text(answer.record().certificate_expires()), folder.string());
  });
}

std::string state_text(const v1::OperatorRecord& record) {
  if (record.revoked())
    return fmt::format("revoked {} by {}", time_text(record.revoked_at()), record.revoked_by());
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const bool expired =
      record.certificate_expires().seconds() <= std::chrono::duration_cast<Seconds>(now).count();
  return expired ? "expired" : "good";
}

std::string operator_table(const Terminal& terminal, const v1::ListOperatorsResponse& answer) {
  Table table({"OPERATOR", "ROLE", "SERIAL", "ISSUED", "BY", "EXPIRES", "STATE"});
  for (const v1::OperatorRecord& record : answer.operators()) {
    const std::string state = state_text(record);
    table.add({record.name(),
               record.role(),
               record.certificate_serial(),
               time_text(record.issued()),
               record.issued_by(),
               time_text(record.certificate_expires()),
               {state, state == "good" ? Colour::green : Colour::dim}});
  }
  return table.text(terminal);
}

Exit list_operators(Session& session) {
  v1::ListOperatorsResponse answer;
  const auto done = session.call(&Stub::ListOperators, v1::ListOperatorsRequest(), answer);
  if (!done) return session.report(done.error());
  return session.print(answer, [&] { return operator_table(session.terminal(), answer); });
}

Exit revoke_operator(Session& session, const std::string& name, const std::string& serial) {
  v1::RevokeOperatorRequest request;
  request.set_name(name);
  request.set_certificate_serial(serial);
  v1::RevokeOperatorResponse answer;
  const auto done = session.call(&Stub::RevokeOperator, request, answer);
  if (!done) return session.report(done.error());
  return session.print(answer, [&] {
    std::string out;
    for (const v1::OperatorRecord& record : answer.operators())
      out += fmt::format("revoked {} ({}): certificate {} is refused from now on\n", record.name(),
                         record.role(), record.certificate_serial());
    return out;
  });
}

void add_issue_verb(CLI::App& noun, Session& session) {
  const auto wish = std::make_shared<IssueWish>();
  CLI::App& verb =
      add_verb(noun, "issue", "give somebody a certificate, by a request or with a new key",
               "farboot operator issue ada --role operator --csr request.pem --out for-ada");
  verb.add_option("name", wish->name, "who")
      ->check([](const std::string& text) {
        return is_peer_word(text) ? std::string() : "want a name like ada or ada-laptop";
      })
      ->required();
  verb.add_option("--role", wish->role, "viewer looks, operator changes, admin lets people in")
      ->check(CLI::IsMember({"viewer", "operator", "admin"}))
      ->capture_default_str();
  verb.add_option("--csr", wish->csr_file,
                  "what `farboot operator request` wrote where the key is to stay (default: make a "
                  "key here)")
      ->type_name("FILE");
  verb.add_option("--out", wish->out, "folder for the files (default: operator-NAME)")
      ->type_name("DIR");
  verb.callback([&session, wish] { session.exit = issue(session, *wish); });
}

}  // namespace

void add_operator_verbs(CLI::App& app, Session& session) {
  CLI::App& noun = add_noun(app, "operator", "who may use this program, and as what");
  {
    const auto out = std::make_shared<std::string>();
    CLI::App& verb = add_verb(noun, "request", "make a key here, and the request for an admin",
                              "farboot operator request");
    verb.add_option("--out", *out, "folder for them (default: the context's)")->type_name("DIR");
    verb.callback([&session, out] { session.exit = request(session, *out); });
  }
  add_issue_verb(noun, session);
  add_verb(noun, "list", "all certificates, revoked ones too", "farboot operator list")
      .callback([&session] { session.exit = list_operators(session); });
  const auto name = std::make_shared<std::string>(), serial = std::make_shared<std::string>();
  CLI::App& verb = add_verb(noun, "revoke", "cut an operator off for good: gone, lost, replaced",
                            "farboot operator revoke ada");
  verb.add_option("name", *name, "who")->required();
  verb.add_option("--serial", *serial, "this certificate only, of those `operator list` shows");
  verb.callback(
      [&session, name, serial] { session.exit = revoke_operator(session, *name, *serial); });
}

}  // namespace farboot
