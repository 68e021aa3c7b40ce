// Two network namespaces joined by a veth pair, gone with the process: nothing is left behind, and
// nothing of the machine's own network is touched.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "common/base/unique_fd.h"
#include "tests/support/eventually.h"

namespace farboot {

class Namespaces {
 public:
  /// Empty if it worked; else why it cannot work here. Moves the calling thread (the only one) out
  /// of the machine's namespace, for good.
  std::string create() {
    const uid_t user = ::geteuid();
    const gid_t group = ::getegid();
    // Root makes namespaces; others may inside a user namespace of their own, where allowed.
    if (::unshare(CLONE_NEWNET) != 0) {
      if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
        return fmt::format("no network namespaces here: {}", std::strerror(errno));
      write("/proc/self/setgroups", "deny");
      write("/proc/self/uid_map", fmt::format("0 {} 1", user));
      write("/proc/self/gid_map", fmt::format("0 {} 1", group));
    }
    server_ = own();
    if (::unshare(CLONE_NEWNET) != 0)
      return fmt::format("no second network namespace: {}", std::strerror(errno));
    client_ = own();
    enter_server();
    const std::string peer = fmt::format("/proc/{}/fd/{}", ::getpid(), client_.get());
    if (!run("ip link set lo up") ||
        !run(fmt::format("ip link add server0 type veth peer name client0 netns {}", peer)))
      return "no veth pair: the ip command or the right to use it is missing";
    return {};
  }

  /// Another pair between the two. False: it cannot be made.
  bool add_wire(const std::string& server_end, const std::string& client_end) const {
    enter_server();
    return run(fmt::format("ip link add {} type veth peer name {} netns /proc/{}/fd/{}", server_end,
                           client_end, ::getpid(), client_.get()));
  }

  /// Of the namespace the thread is in: an end with its addresses, `10.77.0.2/24`, one at least.
  /// What comes by it is heard even if the routing table leads elsewhere.
  static bool bring_up(const std::string& end, const std::vector<std::string>& addresses) {
    for (const std::string& address : addresses)
      if (!run(fmt::format("ip addr add {} brd + dev {}", address, end))) return false;
    const auto listens = [](const std::string& name) {
      return run(fmt::format("sysctl -qw net.ipv4.conf.{}.rp_filter=0", name));
    };
    std::string name = end;
    std::replace(name.begin(), name.end(), '.', '/');  // sysctl's word for a dot
    return listens("all") && listens(name) && run(fmt::format("ip link set {} up", end));
  }

  void enter_server() const { enter(server_); }
  void enter_client() const { enter(client_); }

  /// Both ends of the pair have been set up: waits until they carry packets too. The kernel arms a
  /// fresh veth some time after `ip link set up` has returned, and drops what is sent before.
  bool carries(const std::string& server_end = "server0",
               const std::string& client_end = "client0") const {
    const auto end_carries = [](const std::string& name) {
      return eventually(
          [&] { return run(fmt::format("ip -o link show {} | grep -q 'state UP'", name)); });
    };
    enter_client();
    const bool client = end_carries(client_end);
    enter_server();
    return client && end_carries(server_end);
  }

  /// In the namespace the thread is in.
  static bool run(const std::string& command) {
    return std::system((command + " 2>&1").c_str()) == 0;
  }

 private:
  static UniqueFd own() {
    return UniqueFd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  }
  static void enter(const UniqueFd& where) {
    if (::setns(where.get(), CLONE_NEWNET) != 0) std::abort();
  }
  static void write(const char* path, const std::string& text) {
    const UniqueFd file(::open(path, O_WRONLY | O_CLOEXEC));
    if (!file || ::write(file.get(), text.data(), text.size()) < 0) return;  // create() fails next
  }
  UniqueFd server_, client_;
};

}  // namespace farboot
