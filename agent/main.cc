// farboot-agent: serves one site from its own disk.

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>

#include <CLI/CLI.hpp>

#include "agent/agent.h"
#include "agent/config.h"
#include "agent/doctor/snippets.h"
#include "agent/link/enrol.h"
#include "agent/rebuild.h"
#include "agent/site/local_control.h"
#include "agent/site/site_doctor.h"
#include "common/base/log.h"
#include "common/rpc/grpc_log.h"

namespace farboot {
namespace {

int complain(const Error& error) {
  std::fprintf(stderr, "farboot-agent: %s\n", error.what.c_str());
  return 1;
}

/// Enrolment is run by root, the daemon by its own user: whose the state folder is writes into it,
/// as root would follow any link that lies there. Before the first start there is no folder yet;
/// systemd then gives what root made to the daemon's user.
Result<void> become_owner(const std::filesystem::path& state_dir) {
  struct stat owner {};
  if (::geteuid() != 0 || ::stat(state_dir.c_str(), &owner) != 0 || owner.st_uid == 0) return {};
  if (::setgroups(0, nullptr) != 0 || ::setgid(owner.st_gid) != 0 || ::setuid(owner.st_uid) != 0)
    return fail(Errc::denied, "{}: its owner's part cannot be taken: {}", state_dir.string(),
                std::generic_category().message(errno));
  return {};
}

int enroll(const AgentConfig& config, const std::string& token) {
  EnrolSettings settings;
  settings.state_dir = config.state_dir;
  settings.version = FARBOOT_VERSION;
  if (auto became = become_owner(config.state_dir); !became) return complain(became.error());
  auto enrolled = enrol(token, settings);
  if (!enrolled) return complain(enrolled.error());
  std::printf("enrolled as %s at %s\n", enrolled->agent.c_str(), enrolled->address.c_str());
  return 0;
}

int install_host(const AgentConfig& config, const std::string& host) {
  auto ordered = order_at_agent(config.control_socket(), host);
  if (!ordered) return complain(ordered.error());
  std::printf("%s is armed: its next network boot installs it\n", host.c_str());
  return 0;
}

/// Status 1 if machines do not boot.
int examine(const AgentConfig& config, const std::string& output) {
  const auto findings = examine_at_agent(config.control_socket());
  if (!findings) return complain(findings.error());
  const std::string text = output == "json" ? doctor::findings_json(*findings, 2) + "\n"
                                            : doctor::findings_text(*findings);
  std::fputs(text.c_str(), stdout);
  return doctor::worst(*findings) == doctor::Severity::fail ? 1 : 0;
}

/// The agent knows which loaders it holds; where it does not run, their usual names stand there.
int print_snippet(const AgentConfig& config, const std::string& kind) {
  auto text = snippet_at_agent(config.control_socket(), kind);
  if (!text && text.error().code == Errc::unavailable) {
    std::fprintf(stderr, "farboot-agent: %s\nwith the usual names of boot loaders:\n",
                 text.error().what.c_str());
    dhcp::Policy policy;
    policy.http_port = config.http_port;
    text = make_snippet(kind, config.interfaces, policy, nullptr);
  }
  if (!text) return complain(text.error());
  std::fputs(text->c_str(), stdout);
  return 0;
}

int rebuild(const AgentConfig& config) {
  auto rebuilt = rebuild_store(config);
  if (!rebuilt) return complain(rebuilt.error());
  std::fputs(rebuilt->c_str(), stdout);
  return 0;
}

int serve(const AgentConfig& config) {
  auto agent = Agent::open(config);
  if (!agent) return complain(agent.error());
  (*agent)->run();
  return 0;
}

int run(int argc, char** argv) {
  AgentConfig config;
  KeyTable keys = agent_keys(config);
  CLI::App app(
      "Serves a site's machines: proxyDHCP, TFTP and HTTP from a verified copy on this disk.",
      "farboot-agent");
  app.footer("Settings (TOML):\n" + keys.help());
  app.set_version_flag("--version", FARBOOT_VERSION);
  std::string file = "/etc/farboot/agent.toml";
  bool check_only = false;
  std::string token;
  app.add_option("--config", file, "settings file")->capture_default_str();
  app.add_flag("--check-config", check_only, "check the settings and stop");
  CLI::App* enroll_command = app.add_subcommand(
      "enroll", "join a site with the token that `farboot agent enroll` printed");
  enroll_command->add_option("TOKEN", token, "one-time token")->required();
  CLI::App* host_command = app.add_subcommand("host", "the site's machines");
  host_command->require_subcommand(1);
  CLI::App* install_command = host_command->add_subcommand(
      "install", "arm a machine here, for when the controller cannot be reached");
  std::string host;
  install_command->add_option("HOST", host, "its name, or a MAC of it")->required();
  CLI::App* doctor_command = app.add_subcommand(
      "doctor", "ask the LAN who answers machines, and walk one of each kind to its kernel");
  std::string output = "table", snippet_kind;
  doctor_command->add_option("-o,--output", output, "table for people, json for programs")
      ->check(CLI::IsMember({"table", "json"}));
  const auto& kinds = doctor::snippet_kinds();
  doctor_command
      ->add_option("--snippet", snippet_kind,
                   "print lines for the site's DHCP server instead, for dhcp_mode = \"off\"")
      ->check(CLI::IsMember(std::vector<std::string>(kinds.begin(), kinds.end())));
  CLI::App* store_command = app.add_subcommand("store", "the content on this disk");
  store_command->require_subcommand(1);
  CLI::App* rebuild_command = store_command->add_subcommand(
      "rebuild", "make its index anew from the pack files; the agent must be stopped");
  CLI11_PARSE(app, argc, argv);

  if (auto loaded = keys.load_file(file); !loaded) return complain(loaded.error());
  if (auto checked = check_config(config); !checked) {
    return complain(prefix(file, checked.error()));
  }
  if (check_only) return 0;
  log::set_level(config.log_level);
  if (install_command->parsed()) return install_host(config, host);
  if (rebuild_command->parsed()) return rebuild(config);
  if (doctor_command->parsed())
    return snippet_kind.empty() ? examine(config, output) : print_snippet(config, snippet_kind);
  take_over_grpc_log();
  return enroll_command->parsed() ? enroll(config, token) : serve(config);
}

}  // namespace
}  // namespace farboot

int main(int argc, char** argv) {
  try {
    return farboot::run(argc, argv);
  } catch (const std::exception& error) {
    farboot::log::error("agent.failed", farboot::log::kv("error", error.what()));
    return 1;
  }
}
