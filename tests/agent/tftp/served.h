// A TFTP server on a loop of its own, and what a client does with it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "agent/tftp/server.h"
#include "tests/support/fake_tftp_file.h"
#include "tests/support/loop_thread.h"
#include "tests/support/udp_client.h"

namespace farboot {

inline constexpr Ipv4 kLocal = Ipv4::of(127, 0, 0, 1);

/// Names with their sizes; remembers who asked for what.
class FakeTftpSource final : public TftpFileSource {
 public:
  struct Asked {
    std::string path;
    TftpAsker by;
  };
  Task<Result<std::unique_ptr<TftpFile>>> open(std::string path, TftpAsker asker) override {
    asked.push_back({path, asker});
    if (path == "busy") co_return fail(Errc::unavailable, "store /var/x: not now");
    const auto at = files.find(path);
    if (at == files.end()) co_return fail(Errc::not_found, "file {}: none", path);
    auto made = std::make_unique<FakeTftpFile>(at->second);
    made->unprepared = path == "being fetched";
    std::unique_ptr<TftpFile> file = std::move(made);
    co_return file;
  }
  std::map<std::string, std::uint64_t> files = {{"boot/x.efi", 100'000}, {"boot/text", 1000},
                                                {"small", 10},           {"empty", 0},
                                                {"big", 40'000'000},     {"being fetched", 5000}};
  std::vector<Asked> asked;
};

class ServedTftp {
 public:
  explicit ServedTftp(TftpServerOptions options = {}) {
    options.port = 0;
    server_ = std::make_unique<TftpServer>(thread_.loop(), source_, std::move(options));
    const auto bound = server_->bind();
    EXPECT_TRUE(bound) << bound.error().what;
    port_ = server_->port();
    thread_.call([this] { server_->start(); });
  }
  ~ServedTftp() { stop(); }
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
  std::vector<FakeTftpSource::Asked> asked() {
    return thread_.call([this] { return source_.asked; });
  }

 private:
  FakeTftpSource source_;
  LoopThread thread_;
  std::unique_ptr<TftpServer> server_;
  std::uint16_t port_ = 0;
};

inline Bytes read_request(std::string path, std::vector<tftp::Option> options = {},
                          tftp::Mode mode = tftp::Mode::octet) {
  tftp::Request request;
  request.mode = mode;
  request.path = std::move(path);
  request.options = std::move(options);
  return tftp::encode_request(request);
}

inline void acknowledge(const UdpClient& client, const UdpMessage& to, std::uint16_t block) {
  client.send(tftp::encode_ack(block), to.from, to.from_port);
}

inline std::optional<std::uint16_t> error_of(const std::optional<UdpMessage>& message) {
  if (!message) return std::nullopt;
  const auto error = tftp::decode_error(message->bytes);
  if (!error) return std::nullopt;
  return error->code;
}

/// Fetches a whole file as a polite client; fails the test if it cannot.
inline Bytes fetch(const UdpClient& client, const ServedTftp& served, const std::string& path,
                   std::uint32_t block_bytes = 1468, std::uint32_t window = 1, Ipv4 at = kLocal) {
  const Bytes request = read_request(
      path, {{"blksize", std::to_string(block_bytes)}, {"windowsize", std::to_string(window)}});
  client.send(request, at, served.port());
  int tries = 0;
  Bytes content;
  std::uint16_t last = 0;
  std::uint32_t in_window = 0;
  while (true) {
    const auto message = client.receive();
    if (!message && last == 0 && tries++ < 3) {
      client.send(request, at, served.port());  // as any client does: UDP promises nothing
      continue;
    }
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

}  // namespace farboot
