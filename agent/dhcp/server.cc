#include "agent/dhcp/server.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>

#include "agent/dhcp/foreign.h"
#include "agent/dhcp/ports.h"
#include "agent/dhcp/rate_limit.h"
#include "agent/dhcp/report.h"
#include "agent/loop.h"
#include "agent/net/interfaces.h"
#include "agent/net/readiness.h"
#include "common/base/clock.h"
#include "common/base/log.h"

namespace farboot {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kPacketBytesMax = 2048;  ///< fits every frame a client may send
constexpr int kPacketsPerTurn = 64;            ///< then others on the loop get theirs
constexpr std::string_view kRelaysAdvice =
    "Give the agent CAP_NET_RAW, as its systemd unit does, or set dhcp_relays to \"off\"";
constexpr std::string_view kSeeingAdvice = "Give the agent CAP_NET_RAW, as its systemd unit does";

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
  void rescan();
  void join_boot_servers();
  bool chosen(const Interface& interface) const;
  Ipv4 first_address() const;

  static Task<void> serve(std::shared_ptr<Impl> self, std::shared_ptr<dhcp::Listener> listener);
  static Task<void> watch_interfaces(std::shared_ptr<Impl> self);
  static Task<void> bind_later(std::shared_ptr<Impl> self);
  void on_packet(const dhcp::Listener& listener, ByteView bytes, const UdpArrival& arrival);
  void answer(const dhcp::Listener& listener, const dhcp::Packet& request, const dhcp::Reply& reply,
              const Interface& interface, Ipv4 from);
  void on_reply(ByteView bytes, const UdpArrival& arrival, const Interface& interface);
  bool within_rate(const Mac& client);

  asio::io_context& loop;
  const dhcp::LoaderSet& loaders;
  DhcpServerOptions options;
  dhcp::Policy policy;
  dhcp::RateLimit rate;
  InterfaceTable interfaces;
  dhcp::Ports ports{loop};
  UniqueFd watch_fd;
  std::optional<Readiness> watch;
  asio::steady_timer retry{loop};
  std::string trouble;
  bool stopped = false;
  Counters counters;
  dhcp::Report report;
  dhcp::ForeignServers foreign;
};

Result<void> DhcpServer::Impl::bind() {
  if (options.mode == DhcpMode::off) return {};
  auto bound = bind_all();
  const std::string why = bound ? std::string() : bound.error().what;
  if (!bound && why != trouble) log::error("dhcp.bind_failed", log::kv("error", why));
  trouble = why;
  return bound;
}

Result<void> DhcpServer::Impl::bind_all() {
  auto changes = open_interface_watch();
  if (!changes) return changes.error();
  watch_fd = std::move(*changes);
  rescan();
  auto bound = ports.open(
      {.dhcp = options.dhcp_port, .client = options.client_port, .pxe = options.pxe_port},
      options.relays);
  if (!bound) return bound;
  join_boot_servers();
  log::info(
      "dhcp.listening", log::kv("mode", options.mode == DhcpMode::proxy ? "proxy" : "observe"),
      log::kv("port", ports.port_of(dhcp::Listens::broadcasts)),
      log::kv("pxe_port", ports.port_of(dhcp::Listens::boot)), log::kv("relays", ports.relays()));
  if (const auto& why = ports.relays_unheard())
    log::error("dhcp.relays_unheard", log::kv("error", why->what),
               log::kv("advice", kRelaysAdvice));
  if (const auto& why = ports.servers_unseen())
    log::warn("dhcp.servers_unseen", log::kv("error", why->what), log::kv("advice", kSeeingAdvice));
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
  for (const auto& listener : ports.all())
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
  join_boot_servers();
  log::info("dhcp.interfaces", log::kv("answers_on", places.empty() ? "none" : places));
}

void DhcpServer::Impl::join_boot_servers() {
  for (const Interface& interface : interfaces.all())
    if (chosen(interface) && !interface.addresses.empty()) ports.join_boot_servers(interface);
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

Task<void> DhcpServer::Impl::serve(std::shared_ptr<Impl> self,
                                   std::shared_ptr<dhcp::Listener> listener) {
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

void DhcpServer::Impl::on_packet(const dhcp::Listener& listener, ByteView bytes,
                                 const UdpArrival& arrival) {
  const Interface* interface = interfaces.find(arrival.interface);
  if (interface == nullptr || !chosen(*interface)) return;
  if (listener.listens == dhcp::Listens::clients) return on_reply(bytes, arrival, *interface);
  // The other socket has had this broadcast already.
  if (listener.listens == dhcp::Listens::unicast && arrival.destination == Ipv4::broadcast())
    return;
  // A router sees what passes through it, too.
  const bool copy = listener.listens == dhcp::Listens::relayed;
  if (copy && !interfaces.holds(arrival.destination)) return;
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
  const bool unicast = copy || (!arrival.local.is_zero() && arrival.local == arrival.destination);
  Ipv4 hint = request->giaddr.is_zero() ? request->ciaddr : request->giaddr;
  if (hint.is_zero()) hint = arrival.source;
  const Ipv4 from = unicast ? arrival.destination : interface->address_for(hint).value_or(Ipv4{});
  // A forged address elsewhere must not have our answer sent there.
  const bool boot = listener.listens == dhcp::Listens::boot;
  const Ipv4 place_source = boot || interface->reaches(arrival.source) ? arrival.source : Ipv4{};
  const dhcp::Arrival place{
      .port = listener.listens == dhcp::Listens::boot ? dhcp::Port::pxe : dhcp::Port::dhcp,
      .our_address = from,
      .source = place_source,
      .source_port = arrival.source_port,
      .to_everybody = !unicast};
  dhcp::Decision decision = dhcp::Silence{dhcp::Why::reflected};
  if (request->giaddr.is_zero() || !interfaces.holds(request->giaddr))
    decision = dhcp::decide(*request, place, policy, loaders);
  if (const auto* silence = std::get_if<dhcp::Silence>(&decision)) {
    ++counters.silent[static_cast<std::size_t>(silence->why)];
    report.silent(*request, *silence, {interface->name, from});
  } else if (within_rate(request->mac())) {
    answer(listener, *request, std::get<dhcp::Reply>(decision), *interface, from);
  }
}

void DhcpServer::Impl::answer(const dhcp::Listener& listener, const dhcp::Packet& request,
                              const dhcp::Reply& reply, const Interface& interface, Ipv4 from) {
  const dhcp::Report::Place place{interface.name, from};
  if (options.mode == DhcpMode::observe) {
    ++counters.observed;
    return report.observed(request, reply, place);
  }
  const bool broadcast = reply.to == Ipv4::broadcast();
  const UdpRoute route{.to = reply.to,
                       .to_port = broadcast ? options.client_port : reply.to_port,
                       .from = from,
                       // Two networks may have the same numbers: back by the card it asked by. What
                       // is many hops away the routing table knows.
                       .interface = broadcast || interface.reaches(reply.to) ? interface.index : 0};
  if (auto sent = listener.socket->send(reply.packet, route); !sent) {
    ++counters.send_failed;
    return report.send_failed(request, sent.error(), place);
  }
  ++(reply.type == dhcp::MessageType::offer ? counters.offers : counters.acks);
  report.answered(request, reply, place);
}

/// Of another server, to a client.
void DhcpServer::Impl::on_reply(ByteView bytes, const UdpArrival& arrival,
                                const Interface& interface) {
  const auto packet = dhcp::decode(bytes);
  if (!packet) return;
  const auto server = dhcp::foreign_server(*packet, interfaces);
  if (!server) return;
  if (const auto left_out = foreign.note(*server, arrival.source, system_clock().steady()))
    report.foreign(*server, interface.name, *left_out);
}

bool DhcpServer::Impl::within_rate(const Mac& client) {
  if (rate.take(client, system_clock().steady())) return true;
  report.limited(client, ++counters.limited);
  return false;
}

DhcpServer::DhcpServer(asio::io_context& loop, const dhcp::LoaderSet& loaders,
                       DhcpServerOptions options, dhcp::Policy policy)
    : impl_(std::make_shared<Impl>(loop, loaders, std::move(options), std::move(policy))) {}

DhcpServer::~DhcpServer() { stop(); }

Result<void> DhcpServer::bind() { return impl_->bind(); }

void DhcpServer::start() {
  if (impl_->options.mode == DhcpMode::off) return;
  if (!impl_->ports.is_open())
    spawn(impl_->loop, "dhcp.bind_later", Impl::bind_later(impl_));
  else
    impl_->begin();
}

void DhcpServer::stop() {
  impl_->stopped = true;
  impl_->retry.cancel();
  impl_->ports.close();
  if (impl_->watch) impl_->watch->close();
}

Ipv4 DhcpServer::address() const { return impl_->first_address(); }
const std::string& DhcpServer::trouble() const { return impl_->trouble; }
std::uint16_t DhcpServer::dhcp_port() const {
  return impl_->ports.port_of(dhcp::Listens::broadcasts);
}
std::uint16_t DhcpServer::pxe_port() const { return impl_->ports.port_of(dhcp::Listens::boot); }
std::vector<std::string> DhcpServer::unheard() const {
  std::vector<std::string> all;
  if (const auto& why = impl_->ports.relays_unheard())
    all.push_back(
        fmt::format("Machines behind DHCP relays get no answer: {}. {}", why->what, kRelaysAdvice));
  // Who only watches may well have another server boot the machines.
  if (const auto& why = impl_->ports.servers_unseen();
      why && impl_->options.mode == DhcpMode::proxy)
    all.push_back(
        fmt::format("It is not seen if another server tells PXE clients what to boot: {}. {}",
                    why->what, kSeeingAdvice));
  return all;
}
std::vector<std::string> DhcpServer::foreign() const {
  if (impl_->options.mode != DhcpMode::proxy) return {};  // as above
  return impl_->foreign.troubles(system_clock().steady());
}
const DhcpServer::Counters& DhcpServer::counters() const { return impl_->counters; }

}  // namespace farboot
