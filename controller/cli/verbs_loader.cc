// farboot loader import|show|remove
#include <CLI/CLI.hpp>

#include "controller/cli/session.h"

namespace farboot {
namespace {

using Stub = v1::FleetService::Stub;

std::string loaders_table(Session& session, const v1::LoaderSet& loaders) {
  Table table({"FILE", "SOURCE"});
  for (int i = 0; i < loaders.files_size(); ++i)
    table.add({loaders.files(i),
               i < loaders.file_sources_size() ? loaders.file_sources(i) : loaders.source()});
  return table.text(session.terminal());
}

/// What a change made of them.
Exit tell(Session& session, const v1::LoaderSet& loaders) {
  for (const std::string& warning : loaders.warnings())
    session.note(session.terminal().paint(Colour::yellow, "warning:") + " " + warning + "\n");
  return session.print(loaders, [&] {
    return loaders_table(session, loaders) + "the next `farboot apply` makes a release with them\n";
  });
}

/// A controller that knows neither `add` nor several sources would drop the set without a word. It
/// tells where the set as a whole came from, not each file.
Result<void> check_age(Session& session) {
  v1::LoaderSet held;
  const auto got = session.call(&Stub::GetLoaders, v1::GetLoadersRequest(), held);
  if (!got && got.error().code != Errc::not_found) return got.error();
  if (!held.files().empty() && held.file_sources().empty())
    return fail(Errc::conflict,
                "this controller is older: it would take the first source only and drop the files "
                "that are there; upgrade it, or put all loaders into one folder and import that "
                "without --add");
  return {};
}

Exit import_loaders(Session& session, const std::vector<std::string>& sources, bool add) {
  v1::ImportLoadersRequest request;
  for (const std::string& source : sources)
    if (request.source().empty())
      request.set_source(whole_source(source));  // all that a controller before 0.1 knows
    else
      request.add_sources(whole_source(source));
  request.set_add(add);
  if (add || sources.size() > 1)
    if (const auto able = check_age(session); !able) return session.report(able.error());
  v1::LoaderSet loaders;
  const auto done = session.call(&Stub::ImportLoaders, request, loaders, kLongCallDeadline);
  if (!done) return session.report(done.error());
  if ((add || sources.size() > 1) && loaders.file_sources().empty())
    session.note("farboot: this controller is older: it took the first source only\n");
  return tell(session, loaders);
}

Exit remove_loaders(Session& session, const std::vector<std::string>& files) {
  v1::RemoveLoadersRequest request;
  for (const std::string& file : files) request.add_files(file);
  v1::LoaderSet loaders;
  const auto done = session.call(&Stub::RemoveLoaders, request, loaders, kLongCallDeadline);
  if (!done) return session.report(done.error());
  return tell(session, loaders);
}

Exit show_loaders(Session& session) {
  v1::LoaderSet loaders;
  const auto done = session.call(&Stub::GetLoaders, v1::GetLoadersRequest(), loaders);
  if (!done) return session.report(done.error());
  return session.print(loaders, [&] {
    return fmt::format("boot loaders, as of {}:\n{}", time_text(loaders.imported()),
                       loaders_table(session, loaders));
  });
}

}  // namespace

void add_loader_verbs(CLI::App& app, Session& session) {
  CLI::App& loader = add_noun(app, "loader", "what machines load first: iPXE, shim and GRUB, …");
  {
    auto sources = std::make_shared<std::vector<std::string>>();
    auto add = std::make_shared<bool>(false);
    CLI::App& verb =
        add_verb(loader, "import",
                 "import boot loaders from folders, .deb files or single files on the controller",
                 "farboot loader import            # Debian's ipxe package\n"
                 "  farboot loader import /srv/wimboot /srv/memtest86+.deb --add");
    verb.add_option("source", *sources, "default: where Debian's ipxe package is installed")
        ->type_name("PATH");
    verb.add_flag("--add", *add, "keep the files that are there; without it they go");
    verb.callback(
        [&session, sources, add] { session.exit = import_loaders(session, *sources, *add); });
  }
  add_verb(loader, "show", "the boot loaders in use, and where each came from",
           "farboot loader show")
      .alias("list")
      ->callback([&session] { session.exit = show_loaders(session); });
  {
    auto files = std::make_shared<std::vector<std::string>>();
    CLI::App& verb = add_verb(loader, "remove", "take files out of the set",
                              "farboot loader remove wimboot memtest/");
    verb.add_option("file", *files, "as `farboot loader show` lists it, or a folder of it")
        ->required()
        ->type_name("FILE");
    verb.callback([&session, files] { session.exit = remove_loaders(session, *files); });
  }
}

}  // namespace farboot
