#include "common/service/service.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include "common/base/unique_fd.h"

namespace farboot {
namespace {

/// The socket systemd would listen on, in the abstract namespace.
class NotifySocket {
 public:
  NotifySocket() : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    // An empty address asks the kernel for a free abstract name.
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(sa_family_t)), 0);
    socklen_t length = sizeof address;
    EXPECT_EQ(::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
    name_ = "@" + std::string(address.sun_path + 1, length - sizeof(sa_family_t) - 1);
    ::setenv("NOTIFY_SOCKET", name_.c_str(), 1);
  }
  ~NotifySocket() { ::unsetenv("NOTIFY_SOCKET"); }

  std::string receive() {
    char buffer[512];
    const ssize_t n = ::recv(fd_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    return n < 0 ? std::string() : std::string(buffer, static_cast<std::size_t>(n));
  }

 private:
  UniqueFd fd_;
  std::string name_;
};

TEST(Service, TellsSystemdThatItIsReadyAliveAndStopping) {
  NotifySocket systemd;
  service::ready("serving r7");
  EXPECT_EQ(systemd.receive(), "READY=1\nSTATUS=serving r7");
  service::alive();
  EXPECT_EQ(systemd.receive(), "WATCHDOG=1");
  service::stopping();
  EXPECT_EQ(systemd.receive(), "STOPPING=1");
}

TEST(Service, DoesNothingWithoutSystemd) {
  ::unsetenv("NOTIFY_SOCKET");
  service::ready("serving");
  ::unsetenv("WATCHDOG_USEC");
  EXPECT_EQ(service::watchdog_interval(), std::nullopt);
}

TEST(Service, HalvesTheTimeTheUnitAllows) {
  ::setenv("WATCHDOG_USEC", "30000000", 1);
  EXPECT_EQ(service::watchdog_interval(), Milliseconds(15000));
  ::unsetenv("WATCHDOG_USEC");
}

}  // namespace
}  // namespace farboot
