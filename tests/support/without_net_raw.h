// The calling thread without CAP_NET_RAW, as an agent that was started by hand.
#pragma once

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

#include <gtest/gtest.h>

namespace farboot::testing {

/// Until it goes; who had no such right to begin with is as before.
class WithoutNetRaw {
 public:
  WithoutNetRaw() {
    EXPECT_EQ(::syscall(SYS_capget, &header_, before_.data()), 0);
    auto less = before_;
    less[0].effective &= ~(1U << CAP_NET_RAW);
    EXPECT_EQ(::syscall(SYS_capset, &header_, less.data()), 0);
  }
  ~WithoutNetRaw() { EXPECT_EQ(::syscall(SYS_capset, &header_, before_.data()), 0); }
  WithoutNetRaw(const WithoutNetRaw&) = delete;
  WithoutNetRaw& operator=(const WithoutNetRaw&) = delete;

 private:
  __user_cap_header_struct header_{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, 2> before_{};
};

}  // namespace farboot::testing
