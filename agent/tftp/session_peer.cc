#include "agent/tftp/session_peer.h"

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <optional>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>

#include "agent/net/readiness.h"
#include "agent/tftp/batch_sender.h"
#include "common/base/clock.h"

namespace farboot {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kReceiveBytesMax = 2048;  ///< clients send ACKs, errors, requests
constexpr std::size_t kInboxMax = 64;
constexpr int kStrayPacketsPerTurn = 64;

sockaddr_in to_sockaddr(Ipv4 address, std::uint16_t port) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(port);
  in.sin_addr.s_addr = htonl(address.value);
  return in;
}

/// What both kinds remember for a client that repeats its request.
class RememberingPeer : public TftpSessionPeer {
 public:
  void send(std::span<const TftpPacket> packets) final {
    if (first_.empty() && !packets.empty()) {
      const TftpPacket& packet = packets.front();
      first_.assign(packet.header.begin(),
                    packet.header.begin() + static_cast<std::ptrdiff_t>(packet.header_bytes));
      first_.insert(first_.end(), packet.payload.begin(), packet.payload.end());
    }
    transmit(packets);
  }
  void resend_first() final {
    if (first_.empty()) return;  // the file is still being opened
    const TftpPacket packet{.header = {}, .payload = first_, .header_bytes = 0};
    transmit(std::span(&packet, 1));
  }
  bool answered() const final { return heard_.has_value(); }
  bool heard_within(Milliseconds time) const final { return heard_ && now() - *heard_ < time; }
  SteadyTime now() const final { return system_clock().steady(); }

 protected:
  virtual void transmit(std::span<const TftpPacket> packets) = 0;
  void heard() { heard_ = now(); }

 private:
  Bytes first_;
  std::optional<SteadyTime> heard_;
};

/// Lets everything else that is ready on the loop have its turn.
Task<void> take_turn(Loop& loop) { co_await asio::post(loop, asio::use_awaitable); }

class OwnPortPeer final : public RememberingPeer {
 public:
  OwnPortPeer(Loop& loop, UdpSocket socket, const TftpParties& parties)
      : loop_(loop),
        to_(to_sockaddr(parties.client, parties.client_port)),
        sender_(to_),
        port_(socket.port()),
        state_(std::make_shared<State>(loop, std::move(socket))) {
    // A client that went away without a word answers "port unreachable"; so we hear of it.
    const int on = 1;
    ::setsockopt(fd(), IPPROTO_IP, IP_RECVERR, &on, sizeof on);
    const std::uint32_t interface = htonl(static_cast<std::uint32_t>(parties.interface));
    ::setsockopt(fd(), IPPROTO_IP, IP_UNICAST_IF, &interface, sizeof interface);
  }
  ~OwnPortPeer() override { close(); }

  Task<TftpArrival> receive(SteadyTime deadline) override;
  std::uint16_t port() const override { return port_; }
  void close() override {
    state_->closed = true;
    state_->ready.close();
    state_->timer.cancel();
  }
  void deliver(ByteView) override {}

 private:
  /// Shared with the handler of the timer, which may outlive the peer by a turn.
  struct State {
    State(Loop& loop, UdpSocket udp)
        : socket(std::move(udp)), ready(loop, socket.fd()), timer(loop) {}
    UdpSocket socket;
    Readiness ready;
    asio::steady_timer timer;
    SteadyTime deadline;
    std::optional<SteadyTime> timer_at;
    bool waiting = false;
    bool closed = false;
  };
  static void arm(const std::shared_ptr<State>& state);

  void transmit(std::span<const TftpPacket> packets) override {
    send_failed_ = !sender_.send(fd(), packets) || send_failed_;
  }
  std::optional<TftpArrival> receive_now();
  bool client_is_gone() const;

  int fd() const { return state_->socket.fd(); }

  Loop& loop_;
  sockaddr_in to_;
  BatchSender sender_;
  std::uint16_t port_;
  std::shared_ptr<State> state_;
  bool send_failed_ = false;  ///< the reason may be that nobody listens there
  std::array<std::uint8_t, kReceiveBytesMax> buffer_;
};

/// Empties the queue of what routers and hosts reported (RFC 1122 §4.1.3.3). Only "port
/// unreachable" from the client ends a transfer: other reports may be of a moment.
bool OwnPortPeer::client_is_gone() const {
  bool gone = false;
  sockaddr_in about{};
  alignas(cmsghdr) std::array<char, 512> control;
  for (int i = 0; i < kStrayPacketsPerTurn; ++i) {
    msghdr message{};
    message.msg_name = &about;
    message.msg_namelen = sizeof about;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    if (::recvmsg(fd(), &message, MSG_ERRQUEUE) < 0) break;
    if (about.sin_addr.s_addr != to_.sin_addr.s_addr || about.sin_port != to_.sin_port) continue;
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
         part = CMSG_NXTHDR(&message, part)) {
      sock_extended_err error{};
      if (part->cmsg_level != IPPROTO_IP || part->cmsg_type != IP_RECVERR) continue;
      std::memcpy(&error, CMSG_DATA(part), sizeof error);
      gone = gone || error.ee_errno == ECONNREFUSED;
    }
  }
  return gone;
}

std::optional<TftpArrival> OwnPortPeer::receive_now() {
  for (int i = 0; i < kStrayPacketsPerTurn; ++i) {
    sockaddr_in source{};
    socklen_t length = sizeof source;
    const ssize_t size = ::recvfrom(fd(), buffer_.data(), buffer_.size(), 0,
                                    reinterpret_cast<sockaddr*>(&source), &length);
    if (size < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK) return std::nullopt;
      if (errno != EINTR && client_is_gone())
        return TftpArrival{.what = TftpArrival::What::gone, .bytes = {}};
      continue;
    }
    const ByteView packet = ByteView(buffer_).first(static_cast<std::size_t>(size));
    if (source.sin_addr.s_addr == to_.sin_addr.s_addr && source.sin_port == to_.sin_port) {
      heard();
      return TftpArrival{.what = TftpArrival::What::packet, .bytes = packet};
    }
    if (tftp::opcode(packet) == tftp::Opcode::error) continue;  // two servers would play for ever
    const Bytes refusal = tftp::encode_error(tftp::ErrorCode::unknown_transfer, "unknown transfer");
    ::sendto(fd(), refusal.data(), refusal.size(), 0, reinterpret_cast<const sockaddr*>(&source),
             sizeof source);
  }
  return std::nullopt;
}

/// One timer for many deadlines: it is set only where none is running that fires early enough, and
/// sets itself again when the deadline has moved on meanwhile. A packet costs no timer call.
void OwnPortPeer::arm(const std::shared_ptr<State>& state) {
  if (state->timer_at && *state->timer_at <= state->deadline) return;
  state->timer_at = state->deadline;
  state->timer.expires_at(state->deadline);
  state->timer.async_wait([state](const boost::system::error_code& error) {
    if (error || state->closed) return;
    state->timer_at.reset();
    if (!state->waiting) return;
    if (system_clock().steady() < state->deadline) return arm(state);
    state->ready.cancel();
  });
}

Task<TftpArrival> OwnPortPeer::receive(SteadyTime deadline) {
  TftpArrival arrival;
  if (deadline <= now()) {
    co_await take_turn(loop_);
    if (state_->closed) {
      arrival.what = TftpArrival::What::gone;
    } else if (const auto waiting = receive_now()) {
      arrival = *waiting;
    }
    co_return arrival;
  }
  while (true) {
    // The kernel may have handed the report of a lost client to a send, which cannot tell it apart.
    if (std::exchange(send_failed_, false) && client_is_gone()) {
      arrival.what = TftpArrival::What::gone;
      co_return arrival;
    }
    state_->deadline = deadline;
    state_->waiting = true;
    arm(state_);
    co_await state_->ready.readable();
    state_->waiting = false;
    if (state_->closed) {
      arrival.what = TftpArrival::What::gone;
      co_return arrival;
    }
    if (const auto waiting = receive_now()) co_return *waiting;
    // A report that a send has heard of still waits in its queue, and would wake us for ever.
    if (client_is_gone()) {
      arrival.what = TftpArrival::What::gone;
      co_return arrival;
    }
    if (now() >= deadline) co_return arrival;
  }
}

class SharedPortPeer final : public RememberingPeer {
 public:
  SharedPortPeer(Loop& loop, const UdpSocket& socket, const TftpParties& parties)
      : loop_(loop), socket_(socket), parties_(parties), wake_(loop) {}

  Task<TftpArrival> receive(SteadyTime deadline) override {
    TftpArrival arrival;
    if (inbox_.empty() && !closed_) {
      if (deadline <= now()) {
        co_await take_turn(loop_);
      } else {
        wake_.expires_at(deadline);
        const auto token = asio::as_tuple(asio::use_awaitable);
        co_await wake_.async_wait(token);
      }
    }
    if (closed_) {
      arrival.what = TftpArrival::What::gone;
    } else if (!inbox_.empty()) {
      current_ = std::move(inbox_.front());
      inbox_.pop_front();
      arrival.what = TftpArrival::What::packet;
      arrival.bytes = current_;
    }
    co_return arrival;
  }
  std::uint16_t port() const override { return socket_.port(); }
  void close() override {
    closed_ = true;
    wake_.cancel();
  }
  void deliver(ByteView packet) override {
    heard();
    if (inbox_.size() >= kInboxMax) return;
    inbox_.emplace_back(packet.begin(), packet.end());
    wake_.cancel();
  }

 private:
  void transmit(std::span<const TftpPacket> packets) override {
    if (closed_) return;
    const UdpRoute route{.to = parties_.client,
                         .to_port = parties_.client_port,
                         .from = parties_.server,
                         .interface = parties_.interface};
    for (const TftpPacket& packet : packets) {
      joined_.assign(packet.header.begin(),
                     packet.header.begin() + static_cast<std::ptrdiff_t>(packet.header_bytes));
      joined_.insert(joined_.end(), packet.payload.begin(), packet.payload.end());
      if (!socket_.send(joined_, route)) return;  // lost like on the wire
    }
  }

  Loop& loop_;
  const UdpSocket& socket_;
  TftpParties parties_;
  asio::steady_timer wake_;
  std::deque<Bytes> inbox_;
  Bytes current_;
  Bytes joined_;
  bool closed_ = false;
};

}  // namespace

Result<std::unique_ptr<TftpSessionPeer>> open_session_port(Loop& loop, const TftpParties& parties,
                                                           std::uint16_t port) {
  auto socket = UdpSocket::open({.address = parties.server, .port = port});
  if (!socket) return socket.error();
  std::unique_ptr<TftpSessionPeer> peer =
      std::make_unique<OwnPortPeer>(loop, std::move(*socket), parties);
  return peer;
}

std::unique_ptr<TftpSessionPeer> share_server_port(Loop& loop, const UdpSocket& socket,
                                                   const TftpParties& parties) {
  return std::make_unique<SharedPortPeer>(loop, socket, parties);
}

}  // namespace farboot
