#include "agent/net/udp_socket.h"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <thread>

namespace farboot {
namespace {

int system_limit() {
  int bytes = 0;
  std::ifstream("/proc/sys/net/core/rmem_max") >> bytes;
  return bytes;
}

/// Of the calling thread.
void give_up_all_capabilities() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, 2> none{};
  EXPECT_EQ(::syscall(SYS_capset, &header, none.data()), 0);
}

TEST(UdpReceiveBuffer, IsNotCutToTheSystemsLimitWhereWeMayGoBeyond) {
  const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const int wanted = 2 * system_limit();
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &wanted, sizeof wanted) != 0)
    GTEST_SKIP() << "needs CAP_NET_ADMIN";
  const UniqueFd fresh(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(widen_receive_buffer(fresh.get(), wanted), wanted);
}

TEST(UdpReceiveBuffer, SaysOnceThatItIsSmall) {
  std::thread([] {
    give_up_all_capabilities();
    const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    testing::internal::CaptureStderr();
    EXPECT_EQ(widen_receive_buffer(fd.get(), 2 * system_limit()), system_limit());
    EXPECT_EQ(widen_receive_buffer(fd.get(), 2 * system_limit()), system_limit());
    const std::string lines = testing::internal::GetCapturedStderr();
    const auto first = lines.find("net.receive_buffer_small");
    EXPECT_NE(first, std::string::npos);
    EXPECT_EQ(lines.find("net.receive_buffer_small", first + 1), std::string::npos) << lines;
  }).join();
}

TEST(UdpReceiveBuffer, IsWideInEverySocket) {
  auto socket = UdpSocket::open({.address = Ipv4::of(127, 0, 0, 1)});
  ASSERT_TRUE(socket);
  int doubled = 0;
  socklen_t length = sizeof doubled;
  ASSERT_EQ(::getsockopt(socket->fd(), SOL_SOCKET, SO_RCVBUF, &doubled, &length), 0);
  EXPECT_GE(doubled, 2 * std::min(kReceiveRoomBytes, system_limit()));
}

}  // namespace
}  // namespace farboot
