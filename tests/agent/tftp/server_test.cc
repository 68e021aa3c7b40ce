#include "agent/tftp/server.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "agent/tftp/netascii.h"
#include "tests/agent/tftp/served.h"

namespace farboot {
namespace {

/// With a port for each session, and through the one port for all.
class TftpServerModes : public testing::TestWithParam<bool> {
 protected:
  TftpServerModes() { options_.single_port = GetParam(); }
  TftpServerOptions options_;
};

INSTANTIATE_TEST_SUITE_P(Ports, TftpServerModes, testing::Bool(), [](const auto& param) {
  return param.param ? "OnePortForAll" : "PortsOfTheirOwn";
});

TEST_P(TftpServerModes, ServesFiles) {
  ServedTftp served(options_);
  const UdpClient client;
  EXPECT_EQ(fetch(client, served, "boot/x.efi"), FakeTftpFile::bytes_of(100'000));
  EXPECT_EQ(fetch(client, served, "boot/x.efi", 512, 16), FakeTftpFile::bytes_of(100'000));
  EXPECT_EQ(fetch(client, served, "\\boot\\x.efi", 8192, 4), FakeTftpFile::bytes_of(100'000));
  EXPECT_EQ(fetch(client, served, "empty").size(), 0U);
  EXPECT_EQ(served.asked().at(2).path, "boot/x.efi");
  EXPECT_EQ(served.asked().at(0).by.client, kLocal);
}

TEST_P(TftpServerModes, AnswersFromTheAddressAsked) {
  ServedTftp served(options_);
  const UdpClient client;
  const Ipv4 other = Ipv4::of(127, 0, 0, 9);
  EXPECT_EQ(fetch(client, served, "boot/x.efi", 1468, 4, other), FakeTftpFile::bytes_of(100'000));
  EXPECT_EQ(served.asked().at(0).by.server, other);
}

TEST(TftpServer, GivesEachSessionAPortOfItsOwn) {
  ServedTftp served;
  const UdpClient one, two;
  one.send(read_request("small"), kLocal, served.port());
  two.send(read_request("small"), kLocal, served.port());
  const auto first = one.receive(), second = two.receive();
  ASSERT_TRUE(first && second);
  EXPECT_NE(first->from_port, served.port());
  EXPECT_NE(first->from_port, second->from_port);
}

TEST(TftpServer, AnswersFromItsOwnPortIfToldSo) {
  TftpServerOptions options;
  options.single_port = true;
  ServedTftp served(options);
  const UdpClient client;
  client.send(read_request("small"), kLocal, served.port());
  const auto message = client.receive();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->from_port, served.port());
  const UdpClient other;
  EXPECT_EQ(fetch(other, served, "boot/x.efi", 1024, 8), FakeTftpFile::bytes_of(100'000));
}

TEST(TftpServer, TakesSessionPortsFromTheRange) {
  // Two ports that are free now; another test may take them, so any other failure is no verdict.
  std::uint16_t first = 0;
  {
    const UdpClient probe;
    first = probe.port();
  }
  TftpServerOptions options;
  options.session_port_first = first;
  options.session_port_last = first;
  ServedTftp served(options);
  const UdpClient client;
  client.send(read_request("small"), kLocal, served.port());
  const auto message = client.receive();
  ASSERT_TRUE(message);
  if (error_of(message)) GTEST_SKIP() << "somebody took port " << first;
  EXPECT_EQ(message->from_port, first);
  // The only port is taken while the first session lasts.
  const UdpClient second;
  second.send(read_request("small"), kLocal, served.port());
  EXPECT_EQ(error_of(second.receive()), 0);
}

TEST_P(TftpServerModes, RefusesAtOnceAndTruthfully) {
  ServedTftp served(options_);
  const auto code = [&served](const Bytes& packet) {
    const UdpClient client;
    client.send(packet, kLocal, served.port());
    return error_of(client.receive());
  };
  EXPECT_EQ(code(read_request("missing")), 1);
  EXPECT_EQ(code(read_request("/")), 1);
  EXPECT_EQ(code(read_request("../etc/passwd")), 2);
  EXPECT_EQ(code(read_request("busy")), 0);
  EXPECT_EQ(code(to_bytes(std::string_view("\0\1x\0mail\0", 9))), 4);
  EXPECT_EQ(code(to_bytes(std::string_view("\0\1x\0octet", 9))), 4);
  tftp::Request write;
  write.write = true;
  write.path = "small";
  EXPECT_EQ(code(tftp::encode_request(write)), 2);
  EXPECT_EQ(served.counters().refused, 7U);
}

/// After an OACK it would be too late: PXELINUX hangs.
TEST_P(TftpServerModes, RefusesBeforeTheOackWhatCannotBeRead) {
  ServedTftp served(options_);
  const UdpClient client;
  client.send(read_request("being fetched", {{"tsize", "0"}}), kLocal, served.port());
  EXPECT_EQ(error_of(client.receive()), 0);
}

TEST_P(TftpServerModes, ServesTextInNetascii) {
  ServedTftp served(options_);
  const UdpClient client;
  const Bytes text = to_netascii(FakeTftpFile::bytes_of(1000));
  ASSERT_NE(text.size(), 1000U);
  client.send(
      read_request("boot/text", {{"tsize", "0"}, {"blksize", "1468"}}, tftp::Mode::netascii),
      kLocal, served.port());
  const auto oack = client.receive();
  ASSERT_TRUE(oack);
  const auto options = tftp::decode_oack(oack->bytes);
  ASSERT_TRUE(options);
  EXPECT_EQ(options->options.front().value, std::to_string(text.size()));
  acknowledge(client, *oack, 0);
  const auto data = client.receive();
  ASSERT_TRUE(data);
  const auto block = tftp::decode_data(data->bytes);
  ASSERT_TRUE(block);
  EXPECT_EQ(Bytes(block->payload.begin(), block->payload.end()), text);
}

TEST_P(TftpServerModes, RefusesLargeFilesInNetascii) {
  ServedTftp served(options_);
  const UdpClient client;
  client.send(read_request("big", {{"tsize", "0"}}, tftp::Mode::netascii), kLocal, served.port());
  const auto message = client.receive();
  ASSERT_TRUE(message);
  const auto error = tftp::decode_error(message->bytes);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, 4);
  EXPECT_EQ(error->text, "too large for text mode: binary");
}

TEST_P(TftpServerModes, TellsNothingOfItsInside) {
  ServedTftp served(options_);
  const UdpClient client;
  client.send(read_request("busy"), kLocal, served.port());
  const auto message = client.receive();
  ASSERT_TRUE(message);
  EXPECT_EQ(tftp::decode_error(message->bytes)->text, "not available now");
}

TEST_P(TftpServerModes, SaysNothingToStraySessionPackets) {
  ServedTftp served(options_);
  const UdpClient client;
  client.send(tftp::encode_ack(1), kLocal, served.port());
  client.send(tftp::encode_error(tftp::ErrorCode::undefined, "x"), kLocal, served.port());
  client.send(tftp::data_header(1), kLocal, served.port());
  client.send(Bytes{1}, kLocal, served.port());
  client.send(read_request("missing"), kLocal, served.port());
  EXPECT_EQ(error_of(client.receive()), 1);  // the answer to the request, the only one
}

TEST(TftpServer, TellsAStrangerThatItsTransferIsUnknown) {
  ServedTftp served;
  const UdpClient client, stranger;
  client.send(read_request("boot/x.efi"), kLocal, served.port());
  const auto first = client.receive();
  ASSERT_TRUE(first);
  stranger.send(tftp::encode_ack(1), first->from, first->from_port);
  EXPECT_EQ(error_of(stranger.receive()), 5);
  acknowledge(client, *first, 1);
  const auto second = client.receive();
  ASSERT_TRUE(second);
  EXPECT_EQ(tftp::decode_data(second->bytes)->block, 2);
}

TEST_P(TftpServerModes, ARepeatedRequestJoinsItsSession) {
  TftpServerOptions options = options_;
  options.repeat_gap = Milliseconds(0);
  ServedTftp served(options);
  const UdpClient client;
  const Bytes request = read_request("boot/x.efi", {{"tsize", "0"}});
  client.send(request, kLocal, served.port());
  const auto first = client.receive();
  client.send(request, kLocal, served.port());
  const auto again = client.receive();
  ASSERT_TRUE(first && again);
  EXPECT_EQ(again->bytes, first->bytes);
  EXPECT_EQ(again->from_port, first->from_port);
  EXPECT_EQ(served.sessions(), 1U);
}

TEST_P(TftpServerModes, AnotherRequestFromTheSamePortReplacesTheSession) {
  ServedTftp served(options_);
  const UdpClient client;
  client.send(read_request("boot/x.efi", {{"tsize", "0"}}), kLocal, served.port());
  const auto probe = client.receive();
  ASSERT_TRUE(probe);
  EXPECT_EQ(fetch(client, served, "boot/x.efi", 1456), FakeTftpFile::bytes_of(100'000));
}

TEST_P(TftpServerModes, ASizeProbeIsNoFailure) {
  ServedTftp served(options_);
  const UdpClient client;
  client.send(read_request("boot/x.efi", {{"tsize", "0"}, {"blksize", "1468"}}), kLocal,
              served.port());
  const auto oack = client.receive();
  ASSERT_TRUE(oack);
  const auto options = tftp::decode_oack(oack->bytes);
  ASSERT_TRUE(options);
  EXPECT_EQ(options->options.front().value, "100000");
  client.send(tftp::encode_error(tftp::ErrorCode::option_refused, "User aborted the transfer"),
              oack->from, oack->from_port);
  while (served.counters().aborted == 0) {
  }
  EXPECT_EQ(served.counters().refused, 0U);
}

TEST(TftpServer, HearsThatAClientIsGone) {
  ServedTftp served;
  {
    const UdpClient client;
    client.send(read_request("boot/x.efi"), kLocal, served.port());
    const auto first = client.receive();
    ASSERT_TRUE(first);
    acknowledge(client, *first, 1);
    ASSERT_TRUE(client.receive());
  }
  while (served.counters().aborted == 0) {  // by "port unreachable", long before 30 s of silence
  }
  EXPECT_EQ(served.counters().lost, 0U);
}

TEST_P(TftpServerModes, StopsInTheMiddleOfTransfers) {
  auto served = std::make_unique<ServedTftp>(options_);
  const UdpClient client;
  client.send(read_request("big"), kLocal, served->port());
  ASSERT_TRUE(client.receive());
  served->stop();  // its loop runs empty, or this waits for ever
}

TEST_P(TftpServerModes, ServesManyAtOnce) {
  ServedTftp served(options_);
  std::vector<std::thread> machines;
  std::vector<Bytes> got(12);
  for (std::size_t i = 0; i < got.size(); ++i)
    machines.emplace_back([&served, &got, i] {
      const UdpClient client;
      got[i] = fetch(client, served, "boot/x.efi", 1428, i % 2 == 0 ? 16 : 1);
    });
  for (std::thread& machine : machines) machine.join();
  for (const Bytes& bytes : got) EXPECT_EQ(bytes, FakeTftpFile::bytes_of(100'000));
  EXPECT_EQ(served.counters().sent, got.size());
}

TEST_P(TftpServerModes, ServesCurl) {
  if (std::system("curl --version 2>/dev/null | grep -qw tftp") != 0)
    GTEST_SKIP() << "no curl with TFTP here";
  ServedTftp served(options_);
  const auto path =
      std::filesystem::temp_directory_path() /
      ("farboot-curl-" + std::to_string(::getpid()) + "-" + std::to_string(served.port()));
  const std::string command = "curl -s --max-time 60 --tftp-blksize 1400 -o " + path.string() +
                              " tftp://127.0.0.1:" + std::to_string(served.port()) + "/boot/x.efi";
  EXPECT_EQ(std::system(command.c_str()), 0);
  std::ifstream in(path, std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(in), {}};
  EXPECT_EQ(to_bytes(content), FakeTftpFile::bytes_of(100'000));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace farboot
