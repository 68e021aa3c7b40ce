// farboot release list|show
#include <CLI/CLI.hpp>

#include "controller/cli/session.h"

namespace farboot {
namespace {

using Stub = v1::FleetService::Stub;

template <class Words>
std::string words_text(const Words& words) {
  return join({words.begin(), words.end()}, ", ");
}

Exit list_releases(Session& session) {
  v1::ListReleasesResponse answer;
  const auto done = session.call(&Stub::ListReleases, v1::ListReleasesRequest(), answer);
  if (!done) return session.report(done.error());
  return session.print(answer, [&]() -> std::string {
    if (answer.releases().empty()) return "no releases yet; `farboot apply DIR` makes one\n";
    Table table({"RELEASE", "MADE", "DIGEST", "IMAGES", "SITES>", "COMMENT"});
    for (const v1::ReleaseRecord& release : answer.releases())
      table.add({release_text(release.number()), time_text(release.created()),
                 release.digest().substr(0, 12), words_text(release.images()),
                 std::to_string(release.sites_size()), release.comment()});
    return table.text(session.terminal());
  });
}

Exit show_release(Session& session, const std::string& name) {
  v1::GetReleaseRequest request;
  request.set_release(name);
  v1::ReleaseRecord release;
  const auto done = session.call(&Stub::GetRelease, request, release);
  if (!done) return session.report(done.error());
  return session.print(release, [&] {
    std::string out;
    const auto line = [&](std::string_view what, const std::string& value) {
      out += fmt::format("{:<10} {}\n", what, value.empty() ? "-" : value);
    };
    line("release", release_text(release.number()));
    line("digest", release.digest());
    line("parent", release.parent());
    line("made", time_text(release.created()));
    line("comment", release.comment());
    line("images", words_text(release.images()));
    line("size", size_text(release.size_bytes()));
    line("entries", words_text(release.entries()));
    line("kickstarts", words_text(release.kickstarts()));
    line("menus", words_text(release.menus()));
    line("snippets", words_text(release.snippets()));
    line("loaders", release.loaders());
    line("assets", release.assets());
    line("sites", words_text(release.sites()));
    return out;
  });
}

}  // namespace

void add_release_verbs(CLI::App& app, Session& session) {
  CLI::App& release = add_noun(app, "release", "everything a site serves: numbered, signed, fixed");
  add_verb(release, "list", "all releases, newest first", "farboot release list")
      .callback([&session] { session.exit = list_releases(session); });
  auto name = std::make_shared<std::string>();
  CLI::App& verb = add_verb(release, "show", "one release (with -o json: its signed document too)",
                            "farboot release show r7");
  verb.add_option("release", *name, "r7, or the beginning of its digest (default: the newest)");
  verb.callback([&session, name] { session.exit = show_release(session, *name); });
}

}  // namespace farboot
