#include "agent/tftp/fingerprint.h"

#include <gtest/gtest.h>

namespace farboot {
namespace {

/// How clients ask, as docs/protocols.md lists them.
struct Shape {
  std::string name;
  std::vector<tftp::Option> options;
  bool ipxe = false;
};

class TftpFingerprint : public testing::TestWithParam<Shape> {};

TEST_P(TftpFingerprint, TellsIpxeFromAllOthers) {
  tftp::Request request;
  request.path = "undionly.kpxe";
  request.options = GetParam().options;
  EXPECT_EQ(is_ipxe_request(request), GetParam().ipxe);
}

INSTANTIATE_TEST_SUITE_P(
    Clients, TftpFingerprint,
    testing::Values(
        Shape{"Ipxe", {{"blksize", "1432"}, {"tsize", "0"}}, true},
        Shape{"Edk2Probe", {{"tsize", "0"}, {"blksize", "1468"}, {"windowsize", "4"}}},
        Shape{"Edk2Read", {{"blksize", "1468"}, {"windowsize", "4"}}},
        Shape{"OldEdk2Probe", {{"tsize", "0"}, {"blksize", "1468"}}},
        Shape{"OldEdk2Read", {{"blksize", "1468"}}},  //
        Shape{"IntelProbe", {{"tsize", "0"}}},        //
        Shape{"IntelRead", {{"blksize", "1456"}}},    //
        Shape{"Shim", {{"blksize", "512"}}},          //
        Shape{"Grub", {{"blksize", "1024"}, {"tsize", "0"}}},
        Shape{"WdsBootmgr", {{"tsize", "0"}, {"blksize", "1456"}, {"windowsize", "4"}}},
        Shape{"UBoot", {{"timeout", "5"}, {"tsize", "0"}, {"blksize", "1468"}}},
        Shape{"UBootWithWindow",
              {{"timeout", "5"}, {"tsize", "0"}, {"blksize", "1468"}, {"windowsize", "8"}}},
        Shape{"RaspberryPi", {{"tsize", "0"}, {"blksize", "1024"}}}, Shape{"RaspberryPiPlain", {}},
        // Whoever is not sure to be iPXE is not.
        Shape{"OtherOrder", {{"tsize", "0"}, {"blksize", "1432"}}},
        Shape{"OneMore", {{"blksize", "1432"}, {"tsize", "0"}, {"timeout", "5"}}},
        Shape{"OtherSize", {{"blksize", "1431"}, {"tsize", "0"}}}),
    [](const auto& param) { return param.param.name; });

TEST(TftpFingerprintMode, IsOfBinaryReadsOnly) {
  tftp::Request request;
  request.options = {{"blksize", "1432"}, {"tsize", "0"}};
  request.mode = tftp::Mode::netascii;
  EXPECT_FALSE(is_ipxe_request(request));
  request.mode = tftp::Mode::octet;
  request.write = true;
  EXPECT_FALSE(is_ipxe_request(request));
}

}  // namespace
}  // namespace farboot
