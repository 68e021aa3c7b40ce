#include "agent/tftp/server.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "tests/support/fake_tftp_file.h"
#include "tests/support/loop_thread.h"
#include "tests/support/udp_client.h"

namespace farboot {
namespace {

constexpr Ipv4 kLocal = Ipv4::of(127, 0, 0, 1);

/// Names with their sizes; remembers who asked for what.
class FakeSource final : public TftpFileSource {
 public:
  struct Asked {
    std::string path;
    Ipv4 client, server;
  };
  Task<Result<std::unique_ptr<TftpFile>>> open(std::string path, Ipv4 client,
                                               Ipv4 server) override {
    asked.push_back({path, client, server});
    if (path == "busy") co_return fail(Errc::unavailable, "store /var/x: not now");
    const auto at = files.find(path);
    if (at == files.end()) co_return fail(Errc::not_found, "file {}: none", path);
    std::unique_ptr<TftpFile> file = std::make_unique<FakeTftpFile>(at->second);
    co_return file;
  }
  std::map<std::string, std::uint64_t> files = {
      {"boot/x.efi", 100'000}, {"small", 10}, {"empty", 0}, {"big", 40'000'000}};
  std::vector<Asked> asked;
};

class Served {
 public:
  explicit Served(TftpServerOptions options = {}) {
    options.port = 0;
    server_ = std::make_unique<TftpServer>(thread_.loop(), source_, std::move(options));
    const auto bound = server_->bind();
    EXPECT_TRUE(bound) << bound.error().what;
    port_ = server_->port();
    thread_.call([this] { server_->start(); });
  }
  ~Served() { stop(); }
  void stop() {
    if (!server_) return;
    thread_.call([this] { server_->stop(); });
    thread_.finish();
    server_.reset();
  }
  std::uint16_t port() const { return port_; }
  TftpServer::Counters counters() {
    return thread_.call([this] { return server_->counters(); });
  }
  std::size_t sessions() {
    return thread_.call([this] { return server_->sessions(); });
  }
  std::vector<FakeSource::Asked> asked() {
    return thread_.call([this] { return source_.asked; });
  }

 private:
  FakeSource source_;
  LoopThread thread_;
  std::unique_ptr<TftpServer> server_;
  std::uint16_t port_ = 0;
};

Bytes read_request(std::string path, std::vector<tftp::Option> options = {}) {
  tftp::Request request;
  request.path = std::move(path);
  request.options = std::move(options);
  return tftp::encode_request(request);
}

void acknowledge(const UdpClient& client, const UdpMessage& to, std::uint16_t block) {
  client.send(tftp::encode_ack(block), to.from, to.from_port);
}

std::optional<std::uint16_t> error_of(const std::optional<UdpMessage>& message) {
  if (!message) return std::nullopt;
  const auto error = tftp::decode_error(message->bytes);
  if (!error) return std::nullopt;
  return error->code;
}

/// Fetches a whole file as a polite client; fails the test if it cannot.
Bytes fetch(const UdpClient& client, const Served& served, const std::string& path,
            std::uint32_t block_bytes = 1468, std::uint32_t window = 1, Ipv4 at = kLocal) {
  client.send(read_request(path, {{"blksize", std::to_string(block_bytes)},
                                  {"windowsize", std::to_string(window)}}),
              at, served.port());
  Bytes content;
  std::uint16_t last = 0;
  std::uint32_t in_window = 0;
  while (true) {
    const auto message = client.receive();
    if (!message) {
      ADD_FAILURE() << "no packet after block " << last;
      return content;
    }
    EXPECT_EQ(message->from, at);
    if (tftp::opcode(message->bytes) == tftp::Opcode::oack) {
      acknowledge(client, *message, 0);
      continue;
    }
    const auto data = tftp::decode_data(message->bytes);
    if (!data) {
      ADD_FAILURE() << "error " << error_of(message).value_or(999);
      return content;
    }
    if (data->block != static_cast<std::uint16_t>(last + 1)) {
      acknowledge(client, *message, last);
      in_window = 0;
      continue;
    }
    ++last;
    content.insert(content.end(), data->payload.begin(), data->payload.end());
    const bool end = data->payload.size() < block_bytes;
    if (++in_window >= window || end) {
      acknowledge(client, *message, last);
      in_window = 0;
    }
    if (end) return content;
  }
}

TEST(TftpServer, ServesFiles) {
  Served served;
  const UdpClient client;
  EXPECT_EQ(fetch(client, served, "boot/x.efi"), FakeTftpFile::bytes_of(100'000));
  EXPECT_EQ(fetch(client, served, "boot/x.efi", 512, 16), FakeTftpFile::bytes_of(100'000));
  EXPECT_EQ(fetch(client, served, "\\boot\\x.efi", 8192, 4), FakeTftpFile::bytes_of(100'000));
  EXPECT_EQ(fetch(client, served, "empty").size(), 0U);
  EXPECT_EQ(served.asked().at(2).path, "boot/x.efi");
  EXPECT_EQ(served.asked().at(0).client, kLocal);
}

TEST(TftpServer, AnswersFromTheAddressAsked) {
  Served served;
  const UdpClient client;
  const Ipv4 other = Ipv4::of(127, 0, 0, 9);
  EXPECT_EQ(fetch(client, served, "boot/x.efi", 1468, 4, other), FakeTftpFile::bytes_of(100'000));
  EXPECT_EQ(served.asked().at(0).server, other);
}

TEST(TftpServer, GivesEachSessionAPortOfItsOwn) {
  Served served;
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
  Served served(options);
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
  Served served(options);
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

TEST(TftpServer, RefusesAtOnceAndTruthfully) {
  Served served;
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

TEST(TftpServer, TellsNothingOfItsInside) {
  Served served;
  const UdpClient client;
  client.send(read_request("busy"), kLocal, served.port());
  const auto message = client.receive();
  ASSERT_TRUE(message);
  EXPECT_EQ(tftp::decode_error(message->bytes)->text, "not available now");
}

TEST(TftpServer, SaysNothingToStraySessionPackets) {
  Served served;
  const UdpClient client;
  client.send(tftp::encode_ack(1), kLocal, served.port());
  client.send(tftp::encode_error(tftp::ErrorCode::undefined, "x"), kLocal, served.port());
  client.send(tftp::data_header(1), kLocal, served.port());
  client.send(Bytes{1}, kLocal, served.port());
  client.send(read_request("missing"), kLocal, served.port());
  EXPECT_EQ(error_of(client.receive()), 1);  // the answer to the request, the only one
}

TEST(TftpServer, TellsAStrangerThatItsTransferIsUnknown) {
  Served served;
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

TEST(TftpServer, ARepeatedRequestJoinsItsSession) {
  TftpServerOptions options;
  options.repeat_gap = Milliseconds(0);
  Served served(options);
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

/// Whoever forges requests in somebody's name gets him one packet, not one for each.
TEST(TftpServer, RepeatsItsFirstPacketOnlySoOften) {
  TftpServerOptions options;
  options.repeat_gap = Milliseconds(0);
  options.repeats_max = 2;
  options.timing.first_resend = Seconds(3600);  // no resend but for a repeated request
  Served served(options);
  const UdpClient client;
  const Bytes request = read_request("boot/x.efi", {{"tsize", "0"}});
  client.send(request, kLocal, served.port());
  ASSERT_TRUE(client.receive());
  for (int i = 0; i < 20; ++i) client.send(request, kLocal, served.port());
  while (served.counters().dropped < 18) {
  }
  EXPECT_TRUE(client.receive());
  EXPECT_TRUE(client.receive());
  EXPECT_FALSE(client.waiting());
  EXPECT_EQ(served.sessions(), 1U);
}

TEST(TftpServer, RepeatsItsFirstPacketNotTooSoon) {
  TftpServerOptions options;
  options.repeat_gap = Seconds(3600);
  options.timing.first_resend = Seconds(3600);
  Served served(options);
  const UdpClient client;
  const Bytes request = read_request("boot/x.efi", {{"tsize", "0"}});
  client.send(request, kLocal, served.port());
  ASSERT_TRUE(client.receive());
  client.send(request, kLocal, served.port());
  while (served.counters().dropped < 1) {
  }
  EXPECT_FALSE(client.waiting());
}

/// Forged requests never get an answer from whom they name: they must not take every session.
TEST(TftpServer, MakesRoomAmongThoseThatNeverAnswered) {
  TftpServerOptions options;
  options.sessions_max = 3;
  options.sessions_unanswered_max = 2;
  Served served(options);
  const UdpClient busy;
  busy.send(read_request("big"), kLocal, served.port());
  const auto first = busy.receive();
  ASSERT_TRUE(first);
  acknowledge(busy, *first, 1);
  ASSERT_TRUE(busy.receive());
  std::vector<std::unique_ptr<UdpClient>> silent;
  for (int i = 0; i < 5; ++i) {
    silent.push_back(std::make_unique<UdpClient>());
    silent.back()->send(read_request("big"), kLocal, served.port());
    ASSERT_TRUE(silent.back()->receive()) << i;
  }
  EXPECT_EQ(served.counters().displaced, 3U);
  const UdpClient honest;
  EXPECT_EQ(fetch(honest, served, "small"), FakeTftpFile::bytes_of(10));
  acknowledge(busy, *first, 1);
  EXPECT_LE(served.sessions(), 3U);
}

TEST(TftpServer, CountsLinesThatStrangersCause) {
  std::string lines;
  {
    Served served;
    const UdpClient client;
    tftp::Request write;
    write.path = "x";
    write.write = true;
    testing::internal::CaptureStderr();
    for (int i = 0; i < 200; ++i) {
      client.send(tftp::encode_request(write), kLocal, served.port());
      EXPECT_EQ(error_of(client.receive()), 2);
    }
    lines = testing::internal::GetCapturedStderr();
  }
  std::size_t written = 0;
  for (std::size_t at = lines.find("tftp.rejected"); at != std::string::npos;
       at = lines.find("tftp.rejected", at + 1))
    ++written;
  EXPECT_GT(written, 0U);
  EXPECT_LT(written, 150U);
}

TEST(TftpServer, AnotherRequestFromTheSamePortReplacesTheSession) {
  Served served;
  const UdpClient client;
  client.send(read_request("boot/x.efi", {{"tsize", "0"}}), kLocal, served.port());
  const auto probe = client.receive();
  ASSERT_TRUE(probe);
  EXPECT_EQ(fetch(client, served, "boot/x.efi", 1456), FakeTftpFile::bytes_of(100'000));
}

TEST(TftpServer, ASizeProbeIsNoFailure) {
  Served served;
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
  Served served;
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

TEST(TftpServer, LimitsTheSessionsOfOneClient) {
  TftpServerOptions options;
  options.sessions_per_client_max = 3;
  Served served(options);
  std::vector<std::unique_ptr<UdpClient>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(std::make_unique<UdpClient>());
    clients.back()->send(read_request("big"), kLocal, served.port());
    ASSERT_TRUE(clients.back()->receive());
  }
  const UdpClient fourth;
  fourth.send(read_request("small"), kLocal, served.port());
  while (served.counters().dropped == 0) {
  }
  // Another machine still gets in.
  const UdpClient neighbour(Ipv4::of(127, 0, 0, 77));
  EXPECT_EQ(fetch(neighbour, served, "small"), FakeTftpFile::bytes_of(10));
}

TEST(TftpServer, StopsInTheMiddleOfTransfers) {
  auto served = std::make_unique<Served>();
  const UdpClient client;
  client.send(read_request("big"), kLocal, served->port());
  ASSERT_TRUE(client.receive());
  served->stop();  // its loop runs empty, or this waits for ever
  TftpServerOptions options;
  options.single_port = true;
  Served shared(options);
  client.send(read_request("big"), kLocal, shared.port());
  ASSERT_TRUE(client.receive());
  shared.stop();
}

TEST(TftpServer, ServesManyAtOnce) {
  Served served;
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

TEST(TftpServer, ServesCurl) {
  if (std::system("curl --version 2>/dev/null | grep -qw tftp") != 0)
    GTEST_SKIP() << "no curl with TFTP here";
  Served served;
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
