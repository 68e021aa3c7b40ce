#include "controller/cli/cli.h"

#include <CLI/CLI.hpp>

#include "controller/cli/session.h"

namespace farboot {
namespace {

constexpr const char* kFooter =
    "Exit codes: 0 done, 1 failed, 2 used wrongly, 3 not found or refused, 4 controller not "
    "reached.\n"
    "\n"
    "From an ISO to a machine that installs itself:\n"
    "  farboot image import /srv/CentOS-7-x86_64-DVD-1708.iso --name centos7 --tag 1708\n"
    "  farboot loader import\n"
    "  farboot diff ./fleet && farboot apply ./fleet\n"
    "  farboot agent enroll --site lyon\n"
    "  farboot rollout start r1 --all && farboot rollout watch\n"
    "  farboot host install lyon/web1\n";

}  // namespace

CLI::App& add_noun(CLI::App& app, const std::string& name, const std::string& help) {
  CLI::App& noun = *app.add_subcommand(name, help);
  noun.require_subcommand(1);
  noun.fallthrough();
  return noun;
}

CLI::App& add_verb(CLI::App& noun, const std::string& name, const std::string& help,
                   const std::string& example) {
  CLI::App& verb = *noun.add_subcommand(name, help);
  verb.fallthrough();
  verb.footer("Example:\n  " + example);
  return verb;
}

int run_cli(int argc, const char* const* argv, Terminal& terminal) {
  CLI::App app("Netboot for many far-away sites: images, releases, rollouts, hosts.", "farboot");
  Session session(terminal);
  app.footer(kFooter);
  app.set_version_flag("--version", "farboot " FARBOOT_VERSION);
  app.add_option("--context", session.context_option,
                 "folder with ca.pem, cert.pem, key.pem, context.json (default: $FARBOOT_CONTEXT, "
                 "else ~/.config/farboot)")
      ->type_name("DIR");
  app.add_option("-o,--output", session.output, "table for people, json for programs")
      ->check(CLI::IsMember({"table", "json"}))
      ->type_name("FORMAT");
  app.require_subcommand(1);
  app.fallthrough();
  add_image_verbs(app, session);
  add_loader_verbs(app, session);
  add_apply_verbs(app, session);
  add_release_verbs(app, session);
  add_rollout_verbs(app, session);
  add_site_verbs(app, session);
  add_host_verbs(app, session);
  add_doctor_verbs(app, session);
  add_operator_verbs(app, session);
  add_status_verbs(app, session);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error, terminal.out, terminal.err);
    return code == 0 ? 0 : static_cast<int>(Exit::usage);
  } catch (const std::exception& error) {
    terminal.err << "farboot: " << error.what() << "\n";
    return static_cast<int>(Exit::failed);
  }
  terminal.out.flush();
  return static_cast<int>(session.exit);
}

}  // namespace farboot
