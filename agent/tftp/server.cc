#include "agent/tftp/server.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "agent/net/live_interfaces.h"
#include "agent/net/readiness.h"
#include "agent/net/udp_socket.h"
#include "agent/tftp/fingerprint.h"
#include "agent/tftp/negotiate.h"
#include "agent/tftp/open_file.h"
#include "agent/tftp/path.h"
#include "agent/tftp/session_peer.h"
#include "agent/tftp/session_ports.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/log_limit.h"

namespace farboot {
namespace {

constexpr int kPacketsPerTurn = 32;        ///< then the sessions get their turn
constexpr std::uint32_t kFrameBytes = 32;  ///< IP, UDP and TFTP headers in front of a block
constexpr std::size_t kManySessions = 64;  ///< from here on each reads ahead less
constexpr std::size_t kPieceBytesMany = 64 * 1024;
constexpr Milliseconds kStalled{2000};  ///< a client silent for so long may have started again

/// Lines that anyone on the network can cause.
struct Lines {
  LogLimit limited{1, Seconds(60)};
  LogLimit rejected;
  LogLimit refused;
  LogLimit lost;
};

/// The interface a neighbour's answer leaves by: that of its request. Two interfaces may have the
/// same network, and the routing table knows one of them. Who is behind a router is left to it.
int way_back(const Interface& interface, const UdpArrival& arrival) {
  return interface.reaches(arrival.source) ? interface.index : 0;
}

using ClientKey = std::pair<Ipv4, std::uint16_t>;

struct Session {
  ClientKey client;
  Ipv4 server;  ///< our address as it asked
  Bytes request;
  std::string path;
  std::unique_ptr<TftpSessionPeer> peer;
  SteadyTime began;
  SteadyTime repeated;  ///< our first packet went out again
  unsigned repeats = 0;
  bool delivered = false;
};

std::string text(const ClientKey& client) {
  return client.first.to_string() + ":" + std::to_string(client.second);
}

/// What a client is told: no paths of ours, no names of our parts.
std::string_view error_text(tftp::ErrorCode code) {
  switch (code) {
    case tftp::ErrorCode::not_found: return "file not found";
    case tftp::ErrorCode::access: return "access violation";
    case tftp::ErrorCode::illegal: return "illegal operation";
    case tftp::ErrorCode::undefined:
    case tftp::ErrorCode::full:
    case tftp::ErrorCode::unknown_transfer:
    case tftp::ErrorCode::exists:
    case tftp::ErrorCode::no_user:
    case tftp::ErrorCode::option_refused: break;
  }
  return "not available now";
}

}  // namespace

struct TftpServer::Impl : std::enable_shared_from_this<TftpServer::Impl> {
  Impl(Loop& the_loop, TftpFileSource& the_source, TftpServerOptions the_options)
      : loop(the_loop),
        source(the_source),
        options(std::move(the_options)),
        ports(loop, options.session_port_first, options.session_port_last) {}

  static Task<void> serve(std::shared_ptr<Impl> self);
  static Task<void> run(std::shared_ptr<Impl> self, std::shared_ptr<Session> session,
                        tftp::Request request, TftpParties parties, TftpCaps caps);
  Task<Result<std::uint64_t>> transfer(Session& session, const tftp::Request& request,
                                       TftpParties parties, TftpCaps caps);
  void on_packet(ByteView packet, const UdpArrival& arrival);
  void on_request(ByteView packet, const UdpArrival& arrival);
  bool joins_session(ByteView packet, const ClientKey& client);
  void repeat_first(Session& session);
  bool within_limits(const ClientKey& client);
  bool make_room();
  Result<std::unique_ptr<TftpSessionPeer>> open_peer(const TftpParties& parties);
  void refuse(const UdpArrival& arrival, tftp::ErrorCode code, std::string_view why);
  void finish(const Session& session, const Result<std::uint64_t>& sent);

  Loop& loop;
  TftpFileSource& source;
  TftpServerOptions options;
  std::optional<UdpSocket> socket;
  std::optional<Readiness> ready;
  std::map<ClientKey, std::shared_ptr<Session>> sessions;
  Counters counters;
  LiveInterfaces interfaces;
  SessionPorts ports;
  Lines lines;
  bool stopped = false;
};

Task<void> TftpServer::Impl::serve(std::shared_ptr<Impl> self) {
  std::array<std::uint8_t, tftp::kRequestBytesMax> buffer;
  while (!self->stopped) {
    const auto [error] = co_await self->ready->readable();
    if (error || self->stopped) co_return;
    for (int i = 0; i < kPacketsPerTurn; ++i) {
      const auto arrival = self->socket->receive(buffer);
      if (!arrival) break;
      if (arrival->cut)
        ++self->counters.dropped;
      else
        self->on_packet(ByteView(buffer).first(arrival->size_bytes), *arrival);
    }
  }
}

void TftpServer::Impl::on_packet(ByteView packet, const UdpArrival& arrival) {
  if (arrival.source.is_zero() || arrival.source_port == 0) return;
  const auto operation = tftp::opcode(packet);
  if (operation == tftp::Opcode::rrq || operation == tftp::Opcode::wrq)
    return on_request(packet, arrival);
  // With one port for all this is where the sessions hear their clients; otherwise it is no
  // business of ours, and an answer would begin a quarrel.
  if (!options.single_port) return;
  const auto at = sessions.find({arrival.source, arrival.source_port});
  if (at != sessions.end()) at->second->peer->deliver(packet);
}

void TftpServer::Impl::on_request(ByteView packet, const UdpArrival& arrival) {
  const Interface* known = interfaces.now().find(arrival.interface);
  if (known == nullptr) return;
  const Interface interface = *known;  // the table may be another one at the next look
  if (!options.interfaces.empty() && std::find(options.interfaces.begin(), options.interfaces.end(),
                                               interface.name) == options.interfaces.end())
    return;
  ++counters.requests;
  const ClientKey client{arrival.source, arrival.source_port};
  if (joins_session(packet, client)) return;
  auto request = tftp::decode_request(packet);
  if (!request) return refuse(arrival, tftp::ErrorCode::illegal, request.error().what);
  if (request->write) return refuse(arrival, tftp::ErrorCode::access, "a write request");
  if (request->mode == tftp::Mode::other)
    return refuse(arrival, tftp::ErrorCode::illegal, "an unknown mode");
  auto path = normalise_tftp_path(request->path);
  if (!path) return refuse(arrival, tftp::error_code(path.error().code), path.error().what);
  if (!within_limits(client)) return;

  const TftpParties parties{.client = client.first,
                            .client_port = client.second,
                            .server = arrival.local,
                            .interface = way_back(interface, arrival)};
  auto peer = open_peer(parties);
  if (!peer) return refuse(arrival, tftp::ErrorCode::undefined, peer.error().what);
  auto session = std::make_shared<Session>();
  session->client = client;
  session->server = parties.server;
  session->request.assign(packet.begin(), packet.end());
  session->path = std::move(*path);
  session->peer = std::move(*peer);
  session->began = system_clock().steady();
  session->repeated = session->began;
  sessions[client] = session;
  const std::uint32_t fitting =
      std::max(interface.mtu, kFrameBytes + tftp::kBlockBytesDefault) - kFrameBytes;
  const TftpCaps caps{.block_bytes_max = options.block_bytes_max == 0
                                             ? fitting
                                             : std::min(options.block_bytes_max, fitting),
                      .window_blocks_max = options.window_blocks_max,
                      .timing = options.timing};
  spawn(loop, "tftp.session",
        run(shared_from_this(), std::move(session), std::move(*request), parties, caps));
}

/// True if the request was a repetition that a session has dealt with. A session its client has
/// left behind is closed.
bool TftpServer::Impl::joins_session(ByteView packet, const ClientKey& client) {
  const auto at = sessions.find(client);
  if (at == sessions.end()) return false;
  Session& session = *at->second;
  const bool same =
      std::equal(packet.begin(), packet.end(), session.request.begin(), session.request.end());
  if (same && !session.delivered) {
    if (!session.peer->answered()) {
      repeat_first(session);
      return true;
    }
    if (session.peer->heard_within(kStalled)) return true;  // a packet that was long on its way
  }
  session.peer->close();
  sessions.erase(at);
  return false;
}

/// A forged request costs its victim one packet of ours, however often it is repeated.
void TftpServer::Impl::repeat_first(Session& session) {
  const SteadyTime now = system_clock().steady();
  if (session.repeats >= options.repeats_max || now - session.repeated < options.repeat_gap) {
    ++counters.dropped;
    return;
  }
  ++session.repeats;
  session.repeated = now;
  session.peer->resend_first();
}

/// Ends the session that waits longest for its client's first answer. False: there is none.
bool TftpServer::Impl::make_room() {
  auto oldest = sessions.end();
  for (auto at = sessions.begin(); at != sessions.end(); ++at) {
    if (at->second->peer->answered()) continue;
    if (oldest == sessions.end() || at->second->began < oldest->second->began) oldest = at;
  }
  if (oldest == sessions.end()) return false;
  ++counters.displaced;
  oldest->second->peer->close();
  sessions.erase(oldest);
  return true;
}

bool TftpServer::Impl::within_limits(const ClientKey& client) {
  const auto first = sessions.lower_bound({client.first, 0});
  const auto last = sessions.upper_bound({client.first, 0xffff});
  const auto own = static_cast<std::size_t>(std::distance(first, last));
  const auto unanswered = static_cast<std::size_t>(
      std::count_if(sessions.begin(), sessions.end(),
                    [](const auto& item) { return !item.second->peer->answered(); }));
  const bool full = sessions.size() >= options.sessions_max;
  if (own < options.sessions_per_client_max) {
    if (!full && unanswered < options.sessions_unanswered_max) return true;
    if (make_room()) return true;
  }
  // No ERROR: the client would give up where its next try in a second may find a place.
  ++counters.dropped;
  const SteadyTime now = system_clock().steady();
  if (const auto left_out = lines.limited.take(now)) {
    log::warn("tftp.limited", log::kv("client", text(client)), log::kv("sessions", sessions.size()),
              log::kv("of_client", own), log::kv("left_out", *left_out));
  }
  return false;
}

Result<std::unique_ptr<TftpSessionPeer>> TftpServer::Impl::open_peer(const TftpParties& parties) {
  if (options.single_port) return share_server_port(loop, *socket, parties);
  std::set<std::uint16_t> taken;
  if (options.session_port_first != 0)
    for (const auto& [client, session] : sessions)
      if (session->server == parties.server) taken.insert(session->peer->port());
  return ports.open(parties, taken);
}

/// An answer without a session.
void TftpServer::Impl::refuse(const UdpArrival& arrival, tftp::ErrorCode code,
                              std::string_view why) {
  ++counters.refused;
  const ClientKey client{arrival.source, arrival.source_port};
  if (const auto left_out = lines.rejected.take(system_clock().steady()))
    log::info("tftp.rejected", log::kv("client", text(client)), log::kv("why", why),
              log::kv("left_out", *left_out));
  const Interface* interface = interfaces.now().find(arrival.interface);
  const UdpRoute route{.to = client.first,
                       .to_port = client.second,
                       .from = arrival.local,
                       .interface = interface == nullptr ? 0 : way_back(*interface, arrival)};
  if (auto sent = socket->send(tftp::encode_error(code, error_text(code)), route); !sent)
    ++counters.dropped;
}

Task<void> TftpServer::Impl::run(std::shared_ptr<Impl> self, std::shared_ptr<Session> session,
                                 tftp::Request request, TftpParties parties, TftpCaps caps) {
  const Result<std::uint64_t> sent = co_await self->transfer(*session, request, parties, caps);
  if (!session->delivered) self->finish(*session, sent);
  session->peer->close();
  // The client may have begun another session from the same port meanwhile.
  const auto at = self->sessions.find(session->client);
  if (at != self->sessions.end() && at->second == session) self->sessions.erase(at);
}

Task<Result<std::uint64_t>> TftpServer::Impl::transfer(Session& session,
                                                       const tftp::Request& request,
                                                       TftpParties parties, TftpCaps caps) {
  const TftpAsker asker{
      .client = parties.client, .server = parties.server, .ipxe = is_ipxe_request(request)};
  auto file = co_await open_file(source, session.path, asker, request.mode);
  TftpTransfer terms;
  if (file) terms = negotiate(request, (*file)->size_bytes(), caps);
  if (file && (*file)->acts() && terms.oack.empty())
    file = fail(Errc::denied, "file: only for a request with options (RFC 2347)");
  if (!file) {
    // At once, and truthfully: shim, GRUB, Pis and iPXE go on to their next name only on code 1.
    const tftp::ErrorCode code = tftp::error_code(file.error().code);
    const bool text_mode = file.error().code == Errc::invalid;
    const Bytes error =
        tftp::encode_error(code, text_mode ? "too large for text mode: binary" : error_text(code));
    const TftpPacket packet{.header = {}, .payload = error, .header_bytes = 0};
    session.peer->send(std::span(&packet, 1));
    co_return file.error();
  }
  if (sessions.size() > kManySessions) terms.piece_bytes = kPieceBytesMany;
  terms.delivered = [this, &session, &whole = **file] {
    session.delivered = true;
    finish(session, whole.size_bytes());
    whole.delivered();
  };
  co_return co_await send_file(*session.peer, **file, std::move(terms));
}

void TftpServer::Impl::finish(const Session& session, const Result<std::uint64_t>& sent) {
  const SteadyTime now = system_clock().steady();
  const auto took = std::chrono::duration_cast<Milliseconds>(now - session.began);
  if (sent) {
    ++counters.sent;
    counters.sent_bytes += *sent;
    log::info("tftp.sent", log::kv("client", text(session.client)), log::kv("path", session.path),
              log::kv("bytes", *sent), log::kv("ms", took.count()));
    return;
  }
  const Error& error = sent.error();
  if (error.code == Errc::cancelled) {  // size probes end so: no failure
    ++counters.aborted;
    log::debug("tftp.aborted", log::kv("client", text(session.client)),
               log::kv("path", session.path), log::kv("why", error.what));
  } else if (error.code == Errc::timeout) {
    ++counters.lost;
    if (const auto left_out = lines.lost.take(now))
      log::info("tftp.lost", log::kv("client", text(session.client)), log::kv("path", session.path),
                log::kv("why", error.what), log::kv("left_out", *left_out));
  } else {
    ++counters.refused;
    if (const auto left_out = lines.refused.take(now))
      log::info("tftp.refused", log::kv("client", text(session.client)),
                log::kv("path", session.path), log::kv("code", to_string(error.code)),
                log::kv("why", error.what), log::kv("left_out", *left_out));
  }
}

TftpServer::TftpServer(Loop& loop, TftpFileSource& source, TftpServerOptions options)
    : impl_(std::make_shared<Impl>(loop, source, std::move(options))) {}

TftpServer::~TftpServer() { stop(); }

Result<void> TftpServer::bind() {
  auto socket = UdpSocket::open({.address = impl_->options.address, .port = impl_->options.port});
  if (!socket) return socket.error();
  impl_->socket.emplace(std::move(*socket));
  impl_->ready.emplace(impl_->loop, impl_->socket->fd());
  log::info("tftp.listening", log::kv("address", impl_->options.address.to_string()),
            log::kv("port", port()));
  return {};
}

void TftpServer::start() { spawn(impl_->loop, "tftp.serve", Impl::serve(impl_)); }

void TftpServer::stop() {
  impl_->stopped = true;
  if (impl_->ready) impl_->ready->close();
  for (const auto& [client, session] : impl_->sessions) session->peer->close();
}

std::uint16_t TftpServer::port() const { return impl_->socket ? impl_->socket->port() : 0; }
std::size_t TftpServer::sessions() const { return impl_->sessions.size(); }
const TftpServer::Counters& TftpServer::counters() const { return impl_->counters; }

}  // namespace farboot
