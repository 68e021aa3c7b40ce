#include "agent/doctor/wire_client.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <optional>
#include <system_error>
#include <utility>

#include "common/base/unique_fd.h"
#include "common/wire/tftp.h"

namespace farboot::doctor {
namespace {

constexpr Milliseconds kTurn{100};  ///< so soon a stop is seen
constexpr std::uint32_t kBlockBytes = 1428;
constexpr std::size_t kDatagramMax = 2048;
constexpr std::size_t kHeadMax = 16 << 10;
constexpr std::size_t kPieceBytes = 64 << 10;

sockaddr_in place(Ipv4 address, std::uint16_t port) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(port);
  in.sin_addr.s_addr = htonl(address.value);
  return in;
}

Error failed(std::string_view what) {
  return fail(Errc::unavailable, "{}: {}", what, std::generic_category().message(errno));
}

Result<void> wait(int fd, short events, Milliseconds patience, const std::stop_token& stop) {
  const SteadyTime end = system_clock().steady() + patience;
  for (;;) {
    if (stop.stop_requested()) return fail(Errc::cancelled, "stopping");
    const auto left = std::chrono::ceil<Milliseconds>(end - system_clock().steady());
    if (left <= Milliseconds(0)) return fail(Errc::timeout, "nothing came back");
    pollfd ready{.fd = fd, .events = events, .revents = 0};
    if (::poll(&ready, 1, static_cast<int>(std::min(left, kTurn).count())) > 0) return {};
  }
}

/// A datagram of `from`, whatever port it comes from.
struct Datagram {
  Bytes bytes;
  std::uint16_t port = 0;
};

class Udp {
 public:
  explicit Udp(std::stop_token stop)
      : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
        stop_(std::move(stop)) {}

  Result<void> send(ByteView bytes, Ipv4 to, std::uint16_t port) const {
    const sockaddr_in at = place(to, port);
    const auto sent = ::sendto(fd_.get(), bytes.data(), bytes.size(), 0,
                               reinterpret_cast<const sockaddr*>(&at), sizeof at);
    // EPERM: a firewall of this machine's own; as if it were lost on the way.
    if (sent < 0 && errno != EPERM) return failed("send");
    return {};
  }
  Result<Datagram> receive(Ipv4 from, Milliseconds patience) const {
    const SteadyTime end = system_clock().steady() + patience;
    for (;;) {
      const auto left = std::chrono::ceil<Milliseconds>(end - system_clock().steady());
      if (auto ready = wait(fd_.get(), POLLIN, left, stop_); !ready) return ready.error();
      std::array<std::uint8_t, kDatagramMax> buffer;
      sockaddr_in source{};
      socklen_t length = sizeof source;
      const auto size = ::recvfrom(fd_.get(), buffer.data(), buffer.size(), 0,
                                   reinterpret_cast<sockaddr*>(&source), &length);
      if (size >= 0 && ntohl(source.sin_addr.s_addr) == from.value)
        return Datagram{{buffer.begin(), buffer.begin() + size}, ntohs(source.sin_port)};
    }
  }

 private:
  UniqueFd fd_;
  std::stop_token stop_;
};

/// Takes a file in, piece by piece.
class Intake {
 public:
  explicit Intake(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}
  bool take(ByteView piece) {
    fetched_.size_bytes += piece.size();
    hash_.update(piece);
    const std::size_t room = kBeginningMax - fetched_.beginning.size();
    fetched_.beginning += as_text(piece.first(std::min(room, piece.size())));
    return fetched_.size_bytes <= bytes_max_;
  }
  std::uint64_t size_bytes() const { return fetched_.size_bytes; }
  Fetched finish() {
    fetched_.sha256 = hash_.finish();
    return std::move(fetched_);
  }

 private:
  std::uint64_t bytes_max_;
  Fetched fetched_;
  Sha256 hash_;
};

/// The client's half of RFC 1350 with options: what it says next to what it has heard.
class TftpRead {
 public:
  TftpRead(const std::string& name, std::uint64_t bytes_max) : intake_(bytes_max) {
    tftp::Request request;
    request.path = name;
    request.options = {{"blksize", std::to_string(kBlockBytes)}, {"tsize", "0"}};
    next_ = tftp::encode_request(request);
  }

  const Bytes& next() const { return next_; }
  bool done() const { return done_; }
  Fetched finish() { return intake_.finish(); }

  /// False: it was nothing new. Errors: what the server refuses.
  Result<bool> hear(ByteView packet) {
    switch (tftp::opcode(packet).value_or(tftp::Opcode::rrq)) {
      case tftp::Opcode::oack: return hear_oack(packet);
      case tftp::Opcode::data: return hear_data(packet);
      case tftp::Opcode::error: return refusal(packet);
      case tftp::Opcode::rrq:
      case tftp::Opcode::wrq:
      case tftp::Opcode::ack: break;
    }
    return fail(Errc::invalid, "no answer of TFTP's");
  }

 private:
  Result<bool> hear_oack(ByteView packet) {
    const auto oack = tftp::decode_oack(packet);
    if (!oack) return oack.error();
    if (expected_ != 1) return false;
    for (const tftp::Option& option : oack->options)
      if (tftp::same_name(option.name, "blksize"))
        block_bytes_ = std::clamp<std::uint64_t>(tftp::number(option.value).value_or(kBlockBytes),
                                                 tftp::kBlockBytesMin, kBlockBytes);
    acknowledge(0);
    return true;
  }
  Result<bool> hear_data(ByteView packet) {
    const auto data = tftp::decode_data(packet);
    if (!data) return data.error();
    if (data->block != expected_) return false;
    if (!intake_.take(data->payload)) return fail(Errc::exhausted, "larger than expected");
    acknowledge(expected_++);
    done_ = data->payload.size() < block_bytes_;
    return true;
  }
  static Error refusal(ByteView packet) {
    const auto error = tftp::decode_error(packet);
    if (!error) return error.error();
    return fail(error->code == 1 ? Errc::not_found : Errc::unavailable, "refused: {}",
                printable(error->text));
  }
  void acknowledge(std::uint16_t block) {
    const auto ack = tftp::encode_ack(block);
    next_.assign(ack.begin(), ack.end());
  }

  Intake intake_;
  Bytes next_;
  std::uint64_t block_bytes_ = tftp::kBlockBytesDefault;
  std::uint16_t expected_ = 1;
  bool done_ = false;
};

/// Status line and headers of an answer.
struct Head {
  int status = 0;
  std::optional<std::uint64_t> length;
};

std::optional<Head> parse_head(std::string_view text) {
  constexpr std::string_view kVersion = "HTTP/1.1 ";
  constexpr std::string_view kLength = "content-length:";
  if (!text.starts_with(kVersion)) return std::nullopt;
  Head head;
  const char* status = text.data() + kVersion.size();
  std::from_chars(status, text.data() + text.size(), head.status);
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const auto at = lower.find("\r\n" + std::string(kLength));
  if (at == std::string::npos) return head;
  const auto value = lower.find_first_not_of(' ', at + 2 + kLength.size());
  std::uint64_t length = 0;
  if (value != std::string::npos &&
      std::from_chars(lower.data() + value, lower.data() + lower.size(), length).ec == std::errc{})
    head.length = length;
  return head;
}

class Tcp {
 public:
  Tcp(Milliseconds patience, std::stop_token stop)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
        patience_(patience),
        stop_(std::move(stop)) {}

  Result<void> connect(Ipv4 to, std::uint16_t port) const {
    const sockaddr_in at = place(to, port);
    if (::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0) return {};
    if (errno != EINPROGRESS) return failed("connect");
    if (auto ready = wait(fd_.get(), POLLOUT, patience_, stop_); !ready) return ready;
    socklen_t length = sizeof(int);
    int error = 0;
    ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &length);
    errno = error;
    return error == 0 ? Result<void>() : failed("connect");
  }
  /// Short enough for the send buffer of a fresh connection.
  Result<void> send(const std::string& text) const {
    const auto sent = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
    return sent == static_cast<ssize_t>(text.size()) ? Result<void>() : failed("send");
  }
  /// Empty at the end.
  Result<ByteView> receive() {
    if (auto ready = wait(fd_.get(), POLLIN, patience_, stop_); !ready) return ready.error();
    const auto size = ::recv(fd_.get(), buffer_.data(), buffer_.size(), 0);
    if (size < 0) return failed("receive");
    return ByteView(buffer_).first(static_cast<std::size_t>(size));
  }

 private:
  UniqueFd fd_;
  Milliseconds patience_;
  std::stop_token stop_;
  Bytes buffer_ = Bytes(kPieceBytes);
};

}  // namespace

Result<dhcp::Packet> WireClient::boot_server(const dhcp::Packet& request) const {
  const auto bytes = dhcp::encode(request, dhcp::kDatagramBytesMax);
  if (!bytes) return bytes.error();
  const Udp udp(stop_);
  for (unsigned i = 0; i < patience_.tries; ++i) {
    if (auto sent = udp.send(*bytes, servers_.address, servers_.pxe_port); !sent)
      return sent.error();
    const auto answer = udp.receive(servers_.address, patience_.datagram);
    if (!answer && answer.error().code != Errc::timeout) return answer.error();
    if (!answer) continue;
    auto packet = dhcp::decode(answer->bytes);
    if (!packet) return packet.error();
    if (packet->message_type() != dhcp::MessageType::ack || packet->xid != request.xid)
      return fail(Errc::invalid, "no ACK of ours");
    return packet;
  }
  return fail(Errc::timeout, "nothing came back");
}

Result<Fetched> WireClient::tftp(const std::string& name) const {
  const Udp udp(stop_);
  TftpRead read(name, patience_.bytes_max);
  std::uint16_t port = servers_.tftp_port;
  unsigned tries = 0;
  if (auto sent = udp.send(read.next(), servers_.address, port); !sent) return sent.error();
  while (!read.done()) {
    const auto answer = udp.receive(servers_.address, patience_.datagram);
    if (!answer && (answer.error().code != Errc::timeout || ++tries >= patience_.tries))
      return answer.error();
    if (answer) {
      const auto fresh = read.hear(answer->bytes);
      if (!fresh) return fresh.error();
      port = answer->port;  // the session's own
      if (*fresh) tries = 0;
      if (!*fresh) continue;  // only silence makes us say it again
    }
    if (auto sent = udp.send(read.next(), servers_.address, port); !sent) return sent.error();
  }
  return read.finish();
}

Result<Fetched> WireClient::http(Method method, const std::string& path) const {
  Tcp tcp(patience_.stream, stop_);
  if (auto connected = tcp.connect(servers_.address, servers_.http_port); !connected)
    return connected.error();
  const std::string request = fmt::format(
      "{} {} HTTP/1.1\r\nHost: {}:{}\r\nUser-Agent: farboot-doctor\r\n"
      "Connection: close\r\n\r\n",
      method == Method::head ? "HEAD" : "GET", path, servers_.address.to_string(),
      servers_.http_port);
  if (auto sent = tcp.send(request); !sent) return sent.error();
  std::string text;
  std::size_t end = std::string::npos;
  while (end == std::string::npos) {
    const auto piece = tcp.receive();
    if (!piece) return piece.error();
    if (piece->empty() || text.size() > kHeadMax) return fail(Errc::invalid, "no answer of HTTP's");
    text += as_text(*piece);
    end = text.find("\r\n\r\n");
  }
  const auto head = parse_head(std::string_view(text).substr(0, end + 2));
  if (!head) return fail(Errc::invalid, "no answer of HTTP's");
  if (head->status == 404) return fail(Errc::not_found, "status 404");
  if (head->status != 200) return fail(Errc::unavailable, "status {}", head->status);
  if (!head->length) return fail(Errc::invalid, "an answer without a length");
  if (method == Method::head) return Fetched{*head->length, {}, {}};
  Intake intake(std::min(patience_.bytes_max, *head->length));
  bool fits = intake.take(as_bytes(std::string_view(text).substr(end + 4)));
  while (fits && intake.size_bytes() < *head->length) {
    const auto piece = tcp.receive();
    if (!piece) return piece.error();
    if (piece->empty()) return fail(Errc::unavailable, "broken off");
    fits = intake.take(*piece);
  }
  if (!fits) return fail(Errc::exhausted, "larger than expected");
  return intake.finish();
}

Result<Fetched> WireClient::http_get(const std::string& path) const {
  return http(Method::get, path);
}

Result<std::uint64_t> WireClient::http_head(const std::string& path) const {
  const auto head = http(Method::head, path);
  if (!head) return head.error();
  return head->size_bytes;
}

}  // namespace farboot::doctor
