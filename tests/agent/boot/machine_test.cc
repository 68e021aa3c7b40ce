#include "agent/boot/machine.h"

#include <gtest/gtest.h>

namespace farboot {
namespace {

TEST(Cleaned, KeepsOnlyWhatAFactCanBe) {
  MachineFacts facts{.mac = "52:54:00:00:00:01",
                     .uuid = "4C4C4544-0051-3510-8052-B4C04F4D4E31",
                     .serial = " ABC 1/+\n\x80\x01 ",
                     .manufacturer = std::string(1000, 'x'),
                     .buildarch = "x86||64",
                     .platform = "efi\nshell"};
  const MachineFacts clean = cleaned(facts);
  EXPECT_EQ(clean.uuid, "4c4c4544-0051-3510-8052-b4c04f4d4e31");
  EXPECT_EQ(clean.serial, " ABC 1/+");
  EXPECT_EQ(clean.manufacturer.size(), 128u);
  EXPECT_EQ(clean.buildarch, "");
  EXPECT_EQ(clean.platform, "");
  facts.buildarch = "riscv64";
  EXPECT_EQ(cleaned(facts).buildarch, "riscv64") << "known or not: it is no x86";
  facts.buildarch = "a_word_of_over_16";
  EXPECT_EQ(cleaned(facts).buildarch, "");
  facts.uuid = "4c4c4544-0051-3510-8052-b4c04f4d4e3$";
  EXPECT_EQ(cleaned(facts).uuid, "");
}

TEST(Tame, LeavesNothingAShellOrIpxeUnderstands) {
  EXPECT_EQ(tame("VMware-42 1c/+"), "VMware-42_1c/+");
  EXPECT_EQ(tame("x || shell ; ${net0/ip} #\n`id` $(id) 'a' \"b\" \\"),
            "x____shell_____net0/ip____id____id___a___b___");
}

TEST(ScriptLine, IsOneLineWithoutWordsOfTheLanguage) {
  EXPECT_EQ(script_line("CentOS 7 (1708)"), "CentOS 7 (1708)");
  EXPECT_EQ(script_line("a\nshell\r\n\tb"), "a shell   b");
  EXPECT_EQ(script_line("a || b && c ; d"), "a  b  c  d");
  EXPECT_EQ(script_line("ds=nocloud;s=http://x/"), "ds=nocloud;s=http://x/");
  EXPECT_EQ(script_line("rack #4 a#b"), "rack 4 a#b");
  EXPECT_EQ(script_line("goes on \\"), "goes on");
  EXPECT_EQ(script_line("goes on \\\\ "), "goes on");
  EXPECT_EQ(script_line("at ${ip}"), "at ${ip}");
  for (const char* ends : {"x ||", "x ||\\", "x ||\\ ", "x ||\\ ;", "x #\\ #|| \\ "})
    EXPECT_EQ(script_line(ends), "x") << ends;
}

TEST(Url, EscapesAllButTheHarmless) {
  EXPECT_EQ(url_path("Packages/gcc-c++ 4~1.rpm"), "Packages/gcc-c%2B%2B%204~1.rpm");
  EXPECT_EQ(url_value("a&b=c/d${x}\n"), "a%26b%3Dc%2Fd%24%7Bx%7D%0A");
}

}  // namespace
}  // namespace farboot
