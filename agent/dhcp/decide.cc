#include "agent/dhcp/decide.h"

#include <algorithm>
#include <utility>

#include "agent/dhcp/classify.h"

namespace farboot::dhcp {
namespace {

constexpr std::uint16_t kServerPort = 67;
constexpr std::uint16_t kHttpPort = 80;

/// What the answer says, before it is a packet.
struct Answer {
  std::string_view class_id = "PXEClient";
  std::string boot_file;
  std::vector<Option> vendor;  ///< option 43; empty: none
  bool file_option = false;    ///< a copy in option 67
  bool server_name = true;     ///< our address as text in sname: some ROMs read it
};

struct Loader {
  std::string name;
  bool bios = false;
};

std::string http_url(Ipv4 server, const Policy& policy, std::string_view path) {
  std::string url = "http://" + server.to_string();
  if (policy.http_port != kHttpPort) url += ":" + std::to_string(policy.http_port);
  if (!path.starts_with('/')) url += '/';
  return url.append(path);
}

/// Option 43 with which a client takes the file of this packet and asks nobody.
std::vector<Option> use_this_file() {
  return {{.code = pxe::kDiscoveryControl, .value = {pxe::kUseThisFile}}};
}

/// What a Pi's boot ROM looks for before it believes an offer: its very text in a menu.
std::vector<Option> raspberry_pi_menu(std::string_view text) {
  Bytes prompt = {0, 'P', 'X', 'E'};
  Bytes menu = {0, 0, static_cast<std::uint8_t>(text.size())};
  menu.insert(menu.end(), text.begin(), text.end());
  return {{.code = pxe::kDiscoveryControl, .value = {3}},
          {.code = pxe::kPrompt, .value = std::move(prompt)},
          {.code = pxe::kMenu, .value = std::move(menu)}};
}

struct Context {
  const Packet& request;
  const Arrival& arrival;
  const Policy& policy;
  const LoaderSet& loaders;
  Client client;
  ClientWish wish;
  std::vector<const Choice*> rules;
  ReplyStyle uefi_style = ReplyStyle::binl;

  bool is_ack() const { return request.message_type() == MessageType::request; }
};

/// What is for HTTP boot alone comes first: it is the more exact word.
void add_names(std::vector<std::string_view>& names, const Choice& choice, const Client& client,
               std::uint16_t arch) {
  for (const ArchLoader& loader : choice.loaders)
    if (loader.arch != arch && means(loader.arch, client, arch)) names.push_back(loader.name);
  for (const ArchLoader& loader : choice.loaders)
    if (loader.arch == arch) names.push_back(loader.name);
}

/// What may start a machine of this architecture, the best first: what is said of it most exactly.
std::vector<std::string_view> names_for(const Context& c, std::uint16_t arch) {
  std::vector<std::string_view> names;
  add_names(names, c.wish.host, c.client, arch);
  for (const Choice* rule : c.rules) add_names(names, *rule, c.client, arch);
  if (const Quirk* quirk = c.client.quirk; quirk != nullptr && quirk->who.arch == arch)
    names.insert(names.end(), quirk->loaders.begin(), quirk->loaders.end());
  add_names(names, c.wish.site, c.client, arch);
  for (const LoaderRow& row : c.policy.loaders)
    if (row.arch == arch) names.insert(names.end(), row.names.begin(), row.names.end());
  return names;
}

/// For what the client is taken for; the first file that exists is served.
std::variant<Why, Loader> loader_for(const Context& c) {
  if (c.client.archs.empty()) return Why::unknown_arch;
  const std::uint16_t arch = c.client.archs.front();
  for (const std::string_view name : names_for(c, arch))
    if (c.loaders.loader_exists(name))
      return Loader{.name = std::string(name), .bios = is_bios(arch)};
  return architecture(arch) == nullptr ? Why::unknown_arch : Why::no_loader;
}

std::variant<Why, Answer> firmware_answer(const Context& c) {
  auto loader = loader_for(c);
  if (const Why* why = std::get_if<Why>(&loader)) return *why;
  const Loader& chosen = std::get<Loader>(loader);
  Answer answer;
  answer.boot_file = chosen.name;
  if (c.client.kind == ClientKind::http_boot) {
    if (chosen.bios) return Why::no_loader;  // HTTP boot starts no PXE program
    answer.class_id = "HTTPClient";
    answer.boot_file = http_url(c.arrival.our_address, c.policy, answer.boot_file);
    answer.file_option = true;
    answer.server_name = false;
    return answer;
  }
  // BIOS ROMs take the file of the offer; UEFI firmware comes back on 4011, where 43 would only
  // lead it astray again.
  if (chosen.bios || c.uefi_style == ReplyStyle::one_shot) answer.vendor = use_this_file();
  answer.file_option = !chosen.bios && c.is_ack();
  return answer;
}

std::variant<Why, Answer> ipxe_answer(const Context& c) {
  Answer answer;
  if (c.client.kind == ClientKind::ipxe) {
    answer.boot_file = http_url(c.arrival.our_address, c.policy, c.policy.script_path);
    return answer;
  }
  auto loader = loader_for(c);
  if (const Why* why = std::get_if<Why>(&loader)) return *why;
  // VirtualBox's cut-down iPXE ignores next-server with a plain name: it wants a URL.
  answer.boot_file = "tftp://" + c.arrival.our_address.to_string() + "/";
  answer.boot_file.append(kFullIpxeFolder).append(std::get<Loader>(loader).name);
  return answer;
}

std::variant<Why, Answer> answer_for(const Context& c) {
  switch (c.client.kind) {
    case ClientKind::bios:
    case ClientKind::uefi:
    case ClientKind::http_boot: return firmware_answer(c);
    case ClientKind::ipxe:
    case ClientKind::ipxe_limited: return ipxe_answer(c);
    case ClientKind::raspberry_pi: {
      const auto wanted = [](const Choice* rule) { return rule->raspberry_pi_rom; };
      if (!c.policy.raspberry_pi_roms && std::none_of(c.rules.begin(), c.rules.end(), wanted))
        return Why::raspberry_pi;
      Answer answer;
      answer.vendor = raspberry_pi_menu(c.client.quirk->menu_text);
      return answer;
    }
  }
  return Why::unknown_arch;
}

/// The item of somebody's menu that the client chose; of several the first.
std::optional<Option> boot_item(const Packet& request) {
  constexpr std::size_t kBootItemBytes = 4;  // type, layer
  const auto asked = request.vendor_options();
  if (!asked) return std::nullopt;
  for (const Option& option : *asked)
    if (option.code == pxe::kBootItem && option.value.size() == kBootItemBytes) return option;
  return std::nullopt;
}

/// A client that has its lease looks for a boot server (PXE 2.1 §2.2.5): to everybody on 67, where
/// option 54 would make it the choice of a lease, or on 4011.
bool seeks_boot_server(const Packet& request, const Arrival& arrival) {
  return request.message_type() == MessageType::request &&
         (arrival.port == Port::pxe || (!request.server_id() && boot_item(request)));
}

/// Servers of another type are asked for: an item of a menu that is not ours.
bool seeks_another(const Packet& request, const Arrival& arrival) {
  const auto item = arrival.to_everybody ? boot_item(request) : std::nullopt;
  return item && (item->value[0] != 0 || item->value[1] != 0);
}

void put_boot_file(Packet& packet, const Answer& answer) {
  const bool fits = answer.boot_file.size() <= kFileTextMax;
  if (fits) packet.file = answer.boot_file;
  if (answer.boot_file.empty() || (fits && !answer.file_option)) return;
  Bytes value = to_bytes(answer.boot_file);
  value.push_back(0);  // EDK2 stores a NUL after the value, over the next option's tag otherwise
  packet.options.push_back({.code = code::kBootFile, .value = std::move(value)});
}

Packet reply_packet(const Context& c, const Answer& answer, MessageType type) {
  const Packet& request = c.request;
  Packet packet;
  packet.op = Op::reply;
  packet.xid = request.xid;
  packet.flags = request.flags;
  packet.chaddr = request.chaddr;
  packet.giaddr = request.giaddr;
  if (type == MessageType::ack) packet.ciaddr = request.ciaddr;
  packet.siaddr = c.arrival.our_address;
  if (answer.server_name) packet.sname = packet.siaddr.to_string();

  const std::uint32_t us = c.arrival.our_address.value;
  packet.options = {
      {.code = code::kMessageType, .value = {static_cast<std::uint8_t>(type)}},
      {.code = code::kServerId,
       .value = {static_cast<std::uint8_t>(us >> 24), static_cast<std::uint8_t>(us >> 16),
                 static_cast<std::uint8_t>(us >> 8), static_cast<std::uint8_t>(us)}},
      {.code = code::kClassId, .value = to_bytes(answer.class_id)}};
  if (const auto guid = request.find(code::kMachineGuid))
    packet.options.push_back({.code = code::kMachineGuid, .value = {guid->begin(), guid->end()}});
  std::vector<Option> vendor = answer.vendor;
  // A boot server's reply must name the item the client chose.
  if (const auto item = boot_item(request); item && type == MessageType::ack)
    vendor.push_back(*item);
  if (!vendor.empty())
    if (auto value = encode_sub_options(vendor))
      packet.options.push_back({.code = code::kVendorSpecific, .value = std::move(*value)});
  put_boot_file(packet, answer);
  if (const auto relay = request.find(code::kRelayAgent))
    packet.options.push_back({.code = code::kRelayAgent, .value = {relay->begin(), relay->end()}});
  return packet;
}

/// The packet as bytes; without its copy of the file name where only that does not fit.
Result<Bytes> encode_reply(Packet packet, std::size_t bytes_max) {
  auto bytes = encode(packet, bytes_max);
  if (bytes || packet.file.empty()) return bytes;
  std::erase_if(packet.options, [](const Option& o) { return o.code == code::kBootFile; });
  return encode(packet, bytes_max);
}

void address_reply(const Context& c, Reply& reply) {
  const bool has_address = c.is_ack() && !c.arrival.source.is_zero();
  if (c.arrival.port == Port::pxe || (has_address && c.request.giaddr.is_zero())) {
    reply.to = c.arrival.source;  // EDK2 asks from 4011, ROMs and iPXE from 68
    reply.to_port = c.arrival.source_port;
  } else if (!c.request.giaddr.is_zero()) {
    reply.to = c.request.giaddr;
    reply.to_port = kServerPort;
  } else {  // it has no address yet, and we give none: whatever its broadcast flag says
    reply.to = Ipv4::broadcast();
    reply.to_port = kClientPort;
  }
}

/// The relay and the sender on 4011 have an address of the client's network; a client that has none
/// yet is on ours.
Ipv4 network_of(const Packet& request, const Arrival& arrival) {
  if (!request.giaddr.is_zero()) return request.giaddr;
  if (arrival.port == Port::pxe) return arrival.source;
  return request.ciaddr.is_zero() ? arrival.our_address : request.ciaddr;
}

/// Reasons that need no look at the client.
std::optional<Why> not_for_us(const Packet& request, const Arrival& arrival) {
  if (request.op != Op::request) return Why::not_a_request;
  const auto type = request.message_type();
  if (type != MessageType::discover && type != MessageType::request) return Why::message_type;
  if (!speaks_pxe(request)) return Why::not_pxe;
  // Any other REQUEST on 67 selects a lease, and we have none.
  const bool discover = type == MessageType::discover && arrival.port == Port::dhcp;
  if (!discover && !seeks_boot_server(request, arrival)) return Why::not_ours;
  if (seeks_another(request, arrival)) return Why::other_boot_server;
  if (arrival.our_address.is_zero()) return Why::no_address;
  const Ipv4 relay = request.giaddr;
  if (!relay.is_zero() && (!relay.is_unicast() || relay == arrival.our_address))
    return Why::reflected;
  if (arrival.port == Port::pxe && arrival.source.is_zero()) return Why::reflected;
  if (!discover && arrival.source_port == 0) return Why::reflected;
  return std::nullopt;
}

/// What operators want for what the client is taken for.
void hear_operators(Context& c) {
  c.rules.clear();
  for (const ClientRule& rule : c.policy.rules)
    if (rule.who.fits(c.request, c.client)) c.rules.push_back(&rule.what);
  std::vector<const Choice*> said = c.rules;
  said.insert(said.begin(), &c.wish.host);
  said.push_back(&c.wish.site);
  const auto first = std::find_if(said.begin(), said.end(),
                                  [](const Choice* choice) { return choice->uefi_style; });
  c.uefi_style = first == said.end() ? c.policy.uefi_style : *(*first)->uefi_style;
}

/// As what it says it is; of several architectures, in its order, as the first for which there is
/// a loader.
std::variant<Why, Answer> best_answer(Context& c) {
  const Client usual = c.client;
  const bool needs_loader =
      usual.kind != ClientKind::ipxe && usual.kind != ClientKind::raspberry_pi;
  const auto listed = listed_archs(c.request);
  if (needs_loader && listed.size() > 1) {
    for (const std::uint16_t arch : listed) {
      c.client = classify_as(arch, c.request, c.policy.quirks);
      hear_operators(c);
      auto answer = answer_for(c);
      if (std::holds_alternative<Answer>(answer)) return answer;
    }
    c.client = usual;
  }
  hear_operators(c);
  return answer_for(c);
}

std::string_view name_of(const Quirk* quirk) { return quirk == nullptr ? "" : quirk->name; }

/// Of those that do not speak PXE, some are worth a word: somebody may wait for them to boot.
Silence not_pxe(const Packet& request, Why why, std::span<const Quirk> quirks) {
  if (why != Why::not_pxe && why != Why::message_type) return {why, {}};
  const Quirk* quirk = quirk_of(request, {}, quirks);
  if (quirk == nullptr || !quirk->left_alone) return {why, {}};
  return {Why::firmware, quirk->name};
}

}  // namespace

Decision decide(const Packet& request, const Arrival& arrival, const Policy& policy,
                const LoaderSet& loaders) {
  if (const auto why = not_for_us(request, arrival)) return not_pxe(request, *why, policy.quirks);
  Context context{.request = request,
                  .arrival = arrival,
                  .policy = policy,
                  .loaders = loaders,
                  .client = classify(request, policy.quirks)};
  const std::string_view quirk = name_of(context.client.quirk);
  const Asker asker{
      .mac = request.mac(), .network = network_of(request, arrival), .uuid = machine_uuid(request)};
  if (!policy.answers(asker)) return Silence{Why::denied, quirk};
  if (policy.elsewhere && policy.elsewhere(asker.mac, asker.uuid))
    return Silence{Why::elsewhere, quirk};
  if (context.client.kind == ClientKind::http_boot && context.is_ack())
    return Silence{Why::not_ours, quirk};
  if (policy.wish) context.wish = policy.wish(asker.mac, asker.uuid);
  auto answer = best_answer(context);
  if (const Why* why = std::get_if<Why>(&answer)) return Silence{*why, quirk};

  Reply reply;
  reply.kind = context.client.kind;
  reply.style = context.uefi_style;
  reply.quirk = name_of(context.client.quirk);
  reply.type = context.is_ack() ? MessageType::ack : MessageType::offer;
  reply.boot_file = std::get<Answer>(answer).boot_file;
  auto bytes = encode_reply(reply_packet(context, std::get<Answer>(answer), reply.type),
                            request.reply_bytes_max());
  if (!bytes) return Silence{Why::too_long, quirk};
  reply.packet = std::move(*bytes);
  address_reply(context, reply);
  return reply;
}

std::string_view to_string(Why why) {
  switch (why) {
    case Why::not_a_request: return "not_a_request";
    case Why::not_pxe: return "not_pxe";
    case Why::message_type: return "message_type";
    case Why::not_ours: return "not_ours";
    case Why::reflected: return "reflected";
    case Why::denied: return "denied";
    case Why::raspberry_pi: return "raspberry_pi";
    case Why::unknown_arch: return "unknown_arch";
    case Why::no_loader: return "no_loader";
    case Why::no_address: return "no_address";
    case Why::too_long: return "too_long";
    case Why::elsewhere: return "elsewhere";
    case Why::firmware: return "firmware";
    case Why::other_boot_server: return "other_boot_server";
  }
  return "?";
}

}  // namespace farboot::dhcp
