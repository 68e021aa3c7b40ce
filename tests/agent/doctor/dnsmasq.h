// A real DHCP server for tests on a wire.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/eventually.h"
#include "tests/support/temp_folder.h"

namespace farboot::doctor {

/// Listens on client0 of the namespace that made it.
class Dnsmasq {
 public:
  explicit Dnsmasq(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(),
                     {"/usr/sbin/dnsmasq", "--conf-file=/dev/null", "--keep-in-foreground",
                      "--port=0", "--interface=client0", "--bind-interfaces", "--no-ping",
                      "--user=root", "--log-facility=" + (folder_ / "log").string(),
                      "--dhcp-leasefile=" + (folder_ / "leases").string(),
                      "--pid-file=" + (folder_ / "pid").string()});
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    if (::posix_spawn(&pid_, argv[0], nullptr, nullptr, argv.data(), environ) != 0) pid_ = -1;
    EXPECT_TRUE(eventually([&] { return std::filesystem::exists(folder_ / "pid"); }));
  }
  ~Dnsmasq() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
  }
  Dnsmasq(const Dnsmasq&) = delete;
  Dnsmasq& operator=(const Dnsmasq&) = delete;

 private:
  TempFolder folder_;
  pid_t pid_ = -1;
};

}  // namespace farboot::doctor
