// farboot-controller: holds images, releases and the fleet, and pushes them to the agents.

#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>

#include "common/base/log.h"
#include "common/rpc/grpc_log.h"
#include "controller/config.h"
#include "controller/controller.h"

namespace farboot {
namespace {

int complain(const Error& error) {
  std::fprintf(stderr, "farboot-controller: %s\n", error.what.c_str());
  return 1;
}

int run(int argc, char** argv) {
  ControllerConfig config;
  KeyTable keys = controller_keys(config);
  CLI::App app("Holds images, releases and the fleet, and pushes them to the agents.",
               "farboot-controller");
  app.footer("Settings (TOML):\n" + keys.help());
  app.set_version_flag("--version", FARBOOT_VERSION);
  std::string file = "/etc/farboot/controller.toml";
  bool check_only = false;
  app.add_option("--config", file, "settings file")->capture_default_str();
  app.add_flag("--check-config", check_only, "check the settings and stop");
  CLI11_PARSE(app, argc, argv);

  if (auto loaded = keys.load_file(file); !loaded) return complain(loaded.error());
  if (check_only) return 0;
  log::set_level(config.log_level);
  take_over_grpc_log();
  auto controller = Controller::open(config);
  if (!controller) return complain(controller.error());
  (*controller)->run();
  return 0;
}

}  // namespace
}  // namespace farboot

int main(int argc, char** argv) {
  try {
    return farboot::run(argc, argv);
  } catch (const std::exception& error) {
    farboot::log::error("controller.failed", farboot::log::kv("error", error.what()));
    return 1;
  }
}
