#include "agent/dhcp/server.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>

#include "agent/dhcp/describe.h"
#include "agent/dhcp/rate_limit.h"
#include "agent/loop.h"
#include "agent/net/interfaces.h"
#include "agent/net/raw_socket.h"
#include "agent/net/readiness.h"
#include "agent/net/udp_socket.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/log_limit.h"

namespace farboot {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kPacketBytesMax = 2048;  ///< fits every frame a client may send
constexpr int kPacketsPerTurn = 64;            ///< then others on the loop get theirs
constexpr std::size_t kSilencesRemembered = 1024;

/// What a socket listens to.
enum class Listens : std::uint8_t {
  broadcasts,  ///< 255.255.255.255:67: takes no unicast from a DHCP server on this machine
  unicast,     ///< 0.0.0.0:67: relays; open only where no other server is
  boot         ///< 0.0.0.0:4011
};

struct Listener {
  Listener(asio::io_context& loop, std::unique_ptr<DatagramSocket> made, Listens what)
      : socket(std::move(made)), ready(loop, socket->fd()), listens(what) {}
  std::unique_ptr<DatagramSocket> socket;
  Readiness ready;
  Listens listens;
};

/// Lines that anyone on the network can cause. A rack that powers on is a few for each machine.
struct Lines {
  LogLimit answered{2000, Milliseconds(100)};
  LogLimit observed{2000, Milliseconds(100)};
  LogLimit silent{500};
  LogLimit send_failed;
  LogLimit limited{1, Seconds(60)};
};

std::string kind_text(const dhcp::Reply& reply) {
  std::string text(dhcp::to_string(reply.kind));
  if (reply.kind == dhcp::ClientKind::uefi && reply.style == dhcp::ReplyStyle::one_shot)
    text += "/one_shot";
  return text;
}

std::string_view quirk_text(std::string_view quirk) { return quirk.empty() ? "none" : quirk; }

}  // namespace

struct DhcpServer::Impl : std::enable_shared_from_this<DhcpServer::Impl> {
  Impl(asio::io_context& the_loop, const dhcp::LoaderSet& the_loaders,
       DhcpServerOptions the_options, dhcp::Policy the_policy)
      : loop(the_loop),
        loaders(the_loaders),
        options(std::move(the_options)),
        policy(std::move(the_policy)),
        rate(options.answers_per_second_max, options.answers_per_client_second_max) {}

  Result<void> bind();
  Result<void> bind_all();
  void begin();
  Result<void> listen(const UdpBinding& binding, Listens what);
  Result<void> listen_to_broadcasts();
  void rescan();
  bool chosen(const Interface& interface) const;
  Ipv4 first_address() const;
  std::uint16_t port_of(Listens what) const;

  static Task<void> serve(std::shared_ptr<Impl> self, std::shared_ptr<Listener> listener);
  static Task<void> watch_interfaces(std::shared_ptr<Impl> self);
  static Task<void> bind_later(std::shared_ptr<Impl> self);
  void on_packet(const Listener& listener, ByteView bytes, const UdpArrival& arrival);
  void answer(const Listener& listener, const dhcp::Packet& request, const dhcp::Reply& reply,
              const Interface& interface, Ipv4 from);
  void stay_silent(const dhcp::Packet& request, const Interface& interface, dhcp::Silence silence);
  bool within_rate(const Mac& client);

  asio::io_context& loop;
  const dhcp::LoaderSet& loaders;
  DhcpServerOptions options;
  dhcp::Policy policy;
  dhcp::RateLimit rate;
  InterfaceTable interfaces;
  std::vector<std::shared_ptr<Listener>> listeners;
  UniqueFd watch_fd;
  std::optional<Readiness> watch;
  asio::steady_timer retry{loop};
  std::string trouble;
  bool stopped = false;
  Counters counters;
  std::set<std::pair<Mac, dhcp::Why>> silences_logged;
  Lines lines;
};

Result<void> DhcpServer::Impl::listen(const UdpBinding& binding, Listens what) {
  auto socket = UdpSocket::open(binding);
  if (!socket) return socket.error();
  listeners.push_back(
      std::make_shared<Listener>(loop, std::make_unique<UdpSocket>(std::move(*socket)), what));
  return {};
}

Result<void> DhcpServer::Impl::listen_to_broadcasts() {
  auto bound = listen(
      {.address = Ipv4::broadcast(), .port = options.dhcp_port, .reuse = true, .broadcast = true},
      Listens::broadcasts);
  if (bound || bound.error().code != Errc::conflict) return bound;
  // A DHCP server on this machine does not share its port: listen below it.
  auto raw = RawSocket::open(options.dhcp_port);
  if (!raw) return prefix(bound.error().what, raw.error());
  listeners.push_back(std::make_shared<Listener>(loop, std::move(*raw), Listens::broadcasts));
  return {};
}

Result<void> DhcpServer::Impl::bind() {
  if (options.mode == DhcpMode::off) return {};
  auto bound = bind_all();
  const std::string why = bound ? std::string() : bound.error().what;
  if (!bound) listeners.clear();
  if (!bound && why != trouble) log::error("dhcp.bind_failed", log::kv("error", why));
  trouble = why;
  return bound;
}

Result<void> DhcpServer::Impl::bind_all() {
  auto changes = open_interface_watch();
  if (!changes) return changes.error();
  watch_fd = std::move(*changes);
  rescan();
  // Two sockets on 0.0.0.0:67 both get broadcasts, but unicast goes to the one bound last only: we
  // would take the renewals of a DHCP server on this machine. So ask first whether there is one.
  const bool alone =
      options.dhcp_port == 0 || UdpSocket::open({.address = {}, .port = options.dhcp_port});
  auto bound = listen_to_broadcasts();
  if (!bound) return bound.error();
  if (alone)
    bound = listen(
        {.address = {}, .port = port_of(Listens::broadcasts), .reuse = true, .broadcast = true},
        Listens::unicast);
  if (!bound) return bound.error();
  bound = listen({.address = {}, .port = options.pxe_port}, Listens::boot);
  if (!bound) return bound.error();
  log::info("dhcp.listening",
            log::kv("mode", options.mode == DhcpMode::proxy ? "proxy" : "observe"),
            log::kv("port", port_of(Listens::broadcasts)),
            log::kv("pxe_port", port_of(Listens::boot)), log::kv("relays", alone ? "yes" : "no"));
  return {};
}

/// Others keep the ports, or we may not have them yet: the site's other servers serve meanwhile.
Task<void> DhcpServer::Impl::bind_later(std::shared_ptr<Impl> self) {
  while (!self->stopped) {
    self->retry.expires_after(self->options.bind_retry);
    boost::system::error_code ignored;
    co_await self->retry.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    if (self->stopped) co_return;
    if (!self->bind()) continue;
    self->begin();
    co_return;
  }
}

void DhcpServer::Impl::begin() {
  for (const auto& listener : listeners)
    spawn(loop, "dhcp.serve", serve(shared_from_this(), listener));
  watch.emplace(loop, watch_fd.get());
  spawn(loop, "dhcp.watch_interfaces", watch_interfaces(shared_from_this()));
}

void DhcpServer::Impl::rescan() {
  auto now = scan_interfaces();
  if (!now) {
    log::warn("dhcp.scan_failed", log::kv("error", now.error().what));
    return;
  }
  if (*now == interfaces) return;
  interfaces = std::move(*now);
  std::string places;
  for (const Interface& interface : interfaces.all())
    if (chosen(interface))
      for (const InterfaceAddress& own : interface.addresses)
        places += (places.empty() ? "" : ",") + interface.name + "=" + own.address.to_string();
  log::info("dhcp.interfaces", log::kv("answers_on", places.empty() ? "none" : places));
}

bool DhcpServer::Impl::chosen(const Interface& interface) const {
  if (options.interfaces.empty()) return interface.up && !interface.loopback;
  return std::find(options.interfaces.begin(), options.interfaces.end(), interface.name) !=
         options.interfaces.end();
}

Ipv4 DhcpServer::Impl::first_address() const {
  for (const Interface& interface : interfaces.all())
    if (chosen(interface) && !interface.addresses.empty())
      return interface.addresses.front().address;
  return {};
}

std::uint16_t DhcpServer::Impl::port_of(Listens what) const {
  for (const auto& listener : listeners)
    if (listener->listens == what) return listener->socket->port();
  return 0;
}

Task<void> DhcpServer::Impl::serve(std::shared_ptr<Impl> self, std::shared_ptr<Listener> listener) {
  std::array<std::uint8_t, kPacketBytesMax> buffer;
  while (!self->stopped) {
    const auto [error] = co_await listener->ready.readable();
    if (error || self->stopped) co_return;
    for (int i = 0; i < kPacketsPerTurn; ++i) {
      const auto arrival = listener->socket->receive(buffer);
      if (!arrival) break;
      if (!arrival->cut)
        self->on_packet(*listener, ByteView(buffer).first(arrival->size_bytes), *arrival);
    }
  }
}

Task<void> DhcpServer::Impl::watch_interfaces(std::shared_ptr<Impl> self) {
  while (!self->stopped) {
    const auto [error] = co_await self->watch->readable();
    if (error || self->stopped) co_return;
    drain_interface_watch(self->watch_fd);
    self->rescan();
  }
}

void DhcpServer::Impl::on_packet(const Listener& listener, ByteView bytes,
                                 const UdpArrival& arrival) {
  const Interface* interface = interfaces.find(arrival.interface);
  if (interface == nullptr || !chosen(*interface)) return;
  // The other socket has had this broadcast already.
  if (listener.listens == Listens::unicast && arrival.destination == Ipv4::broadcast()) return;
  ++counters.received;
  const auto request = dhcp::decode(bytes);
  if (!request) {
    ++counters.malformed;
    log::debug("dhcp.malformed", log::kv("interface", interface->name),
               log::kv("source", arrival.source.to_string()),
               log::kv("error", request.error().what));
    return;
  }
  // Written to one address of ours: that one, also if no scan has seen it yet (the kernel's word
  // counts: all of 127.0.0.0/8 is ours). A broadcast: the one its network knows us by.
  const bool unicast = !arrival.local.is_zero() && arrival.local == arrival.destination;
  const Ipv4 hint = request->giaddr.is_zero() ? request->ciaddr : request->giaddr;
  const Ipv4 from = unicast ? arrival.destination : interface->address_for(hint).value_or(Ipv4{});
  const dhcp::Arrival place{
      .port = listener.listens == Listens::boot ? dhcp::Port::pxe : dhcp::Port::dhcp,
      .our_address = from,
      .source = arrival.source,
      .source_port = arrival.source_port};
  dhcp::Decision decision = dhcp::Silence{dhcp::Why::reflected};
  if (request->giaddr.is_zero() || !interfaces.holds(request->giaddr))
    decision = dhcp::decide(*request, place, policy, loaders);
  if (const auto* silence = std::get_if<dhcp::Silence>(&decision))
    stay_silent(*request, *interface, *silence);
  else if (within_rate(request->mac()))
    answer(listener, *request, std::get<dhcp::Reply>(decision), *interface, from);
}

void DhcpServer::Impl::answer(const Listener& listener, const dhcp::Packet& request,
                              const dhcp::Reply& reply, const Interface& interface, Ipv4 from) {
  const bool offer = reply.type == dhcp::MessageType::offer;
  const SteadyTime now = system_clock().steady();
  if (options.mode == DhcpMode::observe) {
    if (const auto left_out = lines.observed.take(now))
      log::info("dhcp.observed", log::kv("mac", request.mac().to_string()),
                log::kv("interface", interface.name), log::kv("would", dhcp::to_string(reply.type)),
                log::kv("client", kind_text(reply)), log::kv("file", reply.boot_file),
                log::kv("quirk", quirk_text(reply.quirk)), log::kv("left_out", *left_out));
    return;
  }
  const UdpRoute route{
      .to = reply.to,
      .to_port = reply.to_port == dhcp::kClientPort && offer ? options.client_port : reply.to_port,
      .from = from,
      // A relay may be many hops away: there the routing table knows the way.
      .interface = reply.to == Ipv4::broadcast() ? interface.index : 0};
  if (auto sent = listener.socket->send(reply.packet, route); !sent) {
    ++counters.send_failed;
    if (const auto left_out = lines.send_failed.take(now))
      log::warn("dhcp.send_failed", log::kv("mac", request.mac().to_string()),
                log::kv("interface", interface.name), log::kv("error", sent.error().what),
                log::kv("left_out", *left_out));
    return;
  }
  ++(offer ? counters.offers : counters.acks);
  if (const auto left_out = lines.answered.take(now))
    log::info("dhcp.answered", log::kv("mac", request.mac().to_string()),
              log::kv("interface", interface.name), log::kv("type", dhcp::to_string(reply.type)),
              log::kv("client", kind_text(reply)), log::kv("from", from.to_string()),
              log::kv("file", reply.boot_file), log::kv("quirk", quirk_text(reply.quirk)),
              log::kv("left_out", *left_out));
}

/// Plain DHCP is only counted. A PXE client we leave alone is worth one line for each reason.
void DhcpServer::Impl::stay_silent(const dhcp::Packet& request, const Interface& interface,
                                   dhcp::Silence silence) {
  const dhcp::Why why = silence.why;
  ++counters.silent[static_cast<std::size_t>(why)];
  switch (why) {
    case dhcp::Why::not_a_request:
    case dhcp::Why::not_pxe:
    case dhcp::Why::message_type:
    case dhcp::Why::not_ours: return;
    case dhcp::Why::reflected:
    case dhcp::Why::denied:
    case dhcp::Why::raspberry_pi:
    case dhcp::Why::unknown_arch:
    case dhcp::Why::no_loader:
    case dhcp::Why::no_address:
    case dhcp::Why::too_long:
    case dhcp::Why::elsewhere:
    case dhcp::Why::firmware: break;
  }
  if (silences_logged.size() >= kSilencesRemembered) silences_logged.clear();
  if (!silences_logged.emplace(request.mac(), why).second) return;
  const auto left_out = lines.silent.take(system_clock().steady());
  if (!left_out) return;
  log::info("dhcp.silent", log::kv("mac", request.mac().to_string()),
            log::kv("interface", interface.name), log::kv("why", dhcp::to_string(why)),
            log::kv("arch", dhcp::arch_text(request)), log::kv("left_out", *left_out));
}

bool DhcpServer::Impl::within_rate(const Mac& client) {
  const SteadyTime now = system_clock().steady();
  if (rate.take(client, now)) return true;
  ++counters.limited;
  if (lines.limited.take(now)) {
    log::warn("dhcp.limited", log::kv("mac", client.to_string()),
              log::kv("dropped_since_start", counters.limited));
  }
  return false;
}

DhcpServer::DhcpServer(asio::io_context& loop, const dhcp::LoaderSet& loaders,
                       DhcpServerOptions options, dhcp::Policy policy)
    : impl_(std::make_shared<Impl>(loop, loaders, std::move(options), std::move(policy))) {}

DhcpServer::~DhcpServer() { stop(); }

Result<void> DhcpServer::bind() { return impl_->bind(); }

void DhcpServer::start() {
  if (impl_->options.mode == DhcpMode::off) return;
  if (impl_->listeners.empty())
    spawn(impl_->loop, "dhcp.bind_later", Impl::bind_later(impl_));
  else
    impl_->begin();
}

void DhcpServer::stop() {
  impl_->stopped = true;
  impl_->retry.cancel();
  for (const auto& listener : impl_->listeners) listener->ready.close();
  impl_->listeners.clear();
  if (impl_->watch) impl_->watch->close();
}

Ipv4 DhcpServer::address() const { return impl_->first_address(); }
const std::string& DhcpServer::trouble() const { return impl_->trouble; }
std::uint16_t DhcpServer::dhcp_port() const { return impl_->port_of(Listens::broadcasts); }
std::uint16_t DhcpServer::pxe_port() const { return impl_->port_of(Listens::boot); }
const DhcpServer::Counters& DhcpServer::counters() const { return impl_->counters; }

}  // namespace farboot
