#include "agent/tftp/path.h"

#include <gtest/gtest.h>

namespace farboot {
namespace {

TEST(TftpPath, NormalisesWhatClientsWrite) {
  for (const char* raw : {"boot/x.efi", "/boot/x.efi", "//boot//x.efi", "\\boot\\x.efi",
                          "./boot/./x.efi", "boot/x.efi\xff", "boot/x.efi\xff\xff", "boot\\/x.efi/",
                          "boot/x.efi\xff/.", "boot/x.efi\xff\xff\\.\xff/./"})
    EXPECT_EQ(normalise_tftp_path(raw).value(), "boot/x.efi") << raw;
}

TEST(TftpPath, KeepsEveryOtherByte) {
  EXPECT_EQ(normalise_tftp_path("a b/%2e%2e/+~*").value(), "a b/%2e%2e/+~*");
  EXPECT_EQ(normalise_tftp_path("Boot/BCD").value(), "Boot/BCD");
  EXPECT_EQ(normalise_tftp_path("...").value(), "...");
}

TEST(TftpPath, RefusesToLeaveTheRoot) {
  for (const char* raw :
       {"..", "../x", "/../x", "a/../b", "a/..", "..\\x", "a\\..\\b", "..\xff", "a/..\xff/."})
    EXPECT_EQ(normalise_tftp_path(raw).error().code, Errc::denied) << raw;
}

TEST(TftpPath, RefusesControlBytes) {
  for (const char* raw : {"a\nb", "\x01", "x\x7f"})
    EXPECT_EQ(normalise_tftp_path(raw).error().code, Errc::denied);
}

TEST(TftpPath, ADirectoryIsNotFound) {
  for (const char* raw : {"/", "\\", ".", "//./", "\xff"})
    EXPECT_EQ(normalise_tftp_path(raw).error().code, Errc::not_found);
}

}  // namespace
}  // namespace farboot
