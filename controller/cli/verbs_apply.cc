// farboot diff DIR, farboot apply DIR
#include <algorithm>

#include <CLI/CLI.hpp>

#include "controller/cli/fleet_check.h"
#include "controller/cli/fleet_spec.h"
#include "controller/cli/session.h"

namespace farboot {
namespace {

using Stub = v1::FleetService::Stub;

/// `fleet/sites/lyon.yaml:12: error: text` and, below it, what to do.
void print_findings(Session& session, const std::string& folder, const Findings& findings) {
  Terminal& terminal = session.terminal();
  for (const Finding& finding : findings.sorted()) {
    const bool error = finding.severity == Finding::Severity::error;
    std::string at = to_string(finding.place);
    if (!at.starts_with('/') && at != folder)
      at = fmt::format("{}{}{}", folder, folder.ends_with('/') ? "" : "/", at);
    session.note(fmt::format(
        "{}: {} {}\n", at,
        terminal.paint(error ? Colour::red : Colour::yellow, error ? "error:" : "warning:"),
        finding.text));
    if (!finding.hint.empty()) session.note("    " + finding.hint + "\n");
  }
}

std::string counted(std::size_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

/// What the controller has, so that the fleet can be judged by it. An unreachable controller is
/// reported after the mistakes that need none.
Result<KnownContent> known_content(Session& session) {
  KnownContent known;
  v1::ListImagesResponse answer;
  const auto listed = session.call(&Stub::ListImages, v1::ListImagesRequest(), answer);
  if (!listed) return listed.error();
  known.images.emplace();
  for (const v1::ImageRecord& image : answer.images())
    known.images->push_back({image.name(), image.tag(), image.version(), image.family()});
  v1::LoaderSet loaders;
  const auto got = session.call(&Stub::GetLoaders, v1::GetLoadersRequest(), loaders);
  if (!got && got.error().code != Errc::not_found) return got.error();
  known.loaders.emplace(loaders.files().begin(), loaders.files().end());
  return known;
}

/// The directory, if it may be sent; otherwise says why not and sets the exit code.
std::optional<FleetDirectory> checked_fleet(Session& session, const std::string& folder) {
  const auto known = known_content(session);
  Findings findings;
  FleetDirectory fleet = read_fleet(folder, findings);
  check_fleet(fleet, known ? *known : KnownContent(), findings);
  print_findings(session, folder, findings);
  if (findings.errors() > 0) {
    session.note(fmt::format(
        "{}{}: nothing was sent\n", counted(findings.errors(), "error"),
        findings.warnings() == 0 ? "" : ", " + counted(findings.warnings(), "warning")));
    session.exit = Exit::failed;
    return std::nullopt;
  }
  if (!known) {
    session.exit = session.report(known.error());
    return std::nullopt;
  }
  return fleet;
}

std::string changes_text(const Terminal& terminal,
                         const google::protobuf::RepeatedPtrField<v1::FleetChange>& changes) {
  std::string out;
  for (const v1::FleetChange& change : changes) {
    const bool added = change.kind() == v1::CHANGE_KIND_ADDED;
    const bool removed = change.kind() == v1::CHANGE_KIND_REMOVED;
    const Colour colour = added ? Colour::green : removed ? Colour::red : Colour::yellow;
    out += terminal.paint(colour, fmt::format("{} {}{}{}",
                                              added     ? "+"
                                              : removed ? "-"
                                                        : "~",
                                              change.what(), change.name().empty() ? "" : " ",
                                              change.name())) +
           "\n";
    std::size_t begin = 0;
    while (begin < change.diff().size()) {
      const std::size_t end = std::min(change.diff().find('\n', begin), change.diff().size());
      const std::string line = change.diff().substr(begin, end - begin);
      const Colour tint = line.starts_with('+')   ? Colour::green
                          : line.starts_with('-') ? Colour::red
                                                  : Colour::dim;
      out += "    " + terminal.paint(tint, line) + "\n";
      begin = end + 1;
    }
  }
  return out;
}

std::string diff_text(const Terminal& terminal, const v1::FleetDiff& diff) {
  std::string out;
  if (!diff.release().empty())
    out += (diff.newest_release() == 0 ? "a first release:\n"
                                       : fmt::format("a new release, against {}:\n",
                                                     release_text(diff.newest_release()))) +
           changes_text(terminal, diff.release());
  if (!diff.sites().empty()) out += "at once:\n" + changes_text(terminal, diff.sites());
  if (out.empty())
    out = fmt::format("nothing differs from {}\n", release_text(diff.newest_release()));
  return out;
}

/// Sends the fleet as the client side of a stream and reads the one answer.
template <class Open, class Answer>
Result<void> exchange(Session& session, const FleetDirectory& fleet, const std::string& comment,
                      Pieces pieces, Open open, Answer& answer) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kLongCallDeadline);
  const auto writer = open(&context, &answer);
  const auto sent = send_fleet(fleet, comment, pieces,
                               [&](const v1::FleetSpec& part) { return writer->Write(part); });
  if (!sent) {
    context.TryCancel();
    static_cast<void>(writer->Finish());
    return sent.error();
  }
  writer->WritesDone();
  return session.result(writer->Finish());
}

void diff(Session& session, const std::string& folder) {
  const auto fleet = checked_fleet(session, folder);
  if (!fleet) return;
  const auto stub = session.controller();
  v1::FleetDiff answer;
  const auto open = [&](grpc::ClientContext* context, v1::FleetDiff* out) {
    return (*stub)->DiffFleet(context, out);
  };
  const auto done = exchange(session, *fleet, "", Pieces::leave_out, open, answer);
  if (!done) {
    session.exit = session.report(done.error());
    return;
  }
  for (const std::string& note : answer.notes()) session.note("note: " + note + "\n");
  session.exit = session.print(answer, [&] { return diff_text(session.terminal(), answer); });
}

std::string applied_text(const Terminal& terminal, const v1::ApplyFleetResponse& answer) {
  const std::string release = release_text(answer.release().number());
  const bool sites = !answer.diff().sites().empty();
  std::string out;
  if (sites || answer.new_release()) out = diff_text(terminal, answer.diff());
  if (answer.new_release())
    out += fmt::format("made release {}; nobody serves it yet: `farboot rollout start {} --all`\n",
                       terminal.paint(Colour::bold, release), release);
  else if (sites)
    out += fmt::format("updated sites and hosts; the release is still {}\n", release);
  else
    out += fmt::format("nothing changed: {} and the sites are so already\n", release);
  return out;
}

void apply(Session& session, const std::string& folder, const std::string& comment) {
  const auto fleet = checked_fleet(session, folder);
  if (!fleet) return;
  const auto stub = session.controller();
  v1::ApplyFleetResponse answer;
  const auto open = [&](grpc::ClientContext* context, v1::ApplyFleetResponse* out) {
    return (*stub)->ApplyFleet(context, out);
  };
  const auto done = exchange(session, *fleet, comment, Pieces::send, open, answer);
  if (!done) {
    session.exit = session.report(done.error());
    return;
  }
  for (const std::string& note : answer.diff().notes()) session.note("note: " + note + "\n");
  session.exit = session.print(answer, [&] { return applied_text(session.terminal(), answer); });
}

}  // namespace

void add_apply_verbs(CLI::App& app, Session& session) {
  auto folder = std::make_shared<std::string>(), comment = std::make_shared<std::string>();
  CLI::App& show =
      add_verb(app, "diff", "what `apply` would change; stores nothing", "farboot diff ./fleet");
  show.add_option("dir", *folder, "the fleet directory")->required()->type_name("DIR");
  show.callback([&session, folder] { diff(session, *folder); });
  CLI::App& make =
      add_verb(app, "apply", "make a release of a fleet directory, and update sites and hosts",
               "farboot apply ./fleet --comment \"CentOS 7 for the web machines\"");
  make.add_option("dir", *folder, "the fleet directory")->required()->type_name("DIR");
  make.add_option("--comment", *comment, "kept with the release")->type_name("TEXT");
  make.callback([&session, folder, comment] { apply(session, *folder, *comment); });
}

}  // namespace farboot
