#include "common/wire/dhcp.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

namespace farboot::dhcp {
namespace {

constexpr std::array<std::uint8_t, 4> kCookie = {0x63, 0x82, 0x53, 0x63};
constexpr std::size_t kSnameAt = 44;
constexpr std::size_t kSnameBytes = 64;
constexpr std::size_t kFileAt = 108;
constexpr std::size_t kFileBytes = 128;
constexpr std::size_t kCookieAt = 236;
constexpr std::size_t kValueBytesMax = 255;
constexpr std::uint8_t kEthernet = 1;
constexpr std::uint8_t kFileOverloaded = 1;
constexpr std::uint8_t kSnameOverloaded = 2;

std::uint16_t get16(ByteView bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}
std::uint32_t get32(ByteView bytes, std::size_t at) {
  return static_cast<std::uint32_t>(get16(bytes, at)) << 16 | get16(bytes, at + 2);
}
void put16(Bytes& out, std::uint32_t value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8));
  out.push_back(static_cast<std::uint8_t>(value));
}
void put32(Bytes& out, std::uint32_t value) {
  put16(out, value >> 16);
  put16(out, value & 0xffff);
}

std::string text_field(ByteView field) {
  const auto end = std::find(field.begin(), field.end(), 0);
  return {field.begin(), end};
}

/// Appends the options of one field; stops at END. Errors: invalid, if one runs over the field.
Result<void> read_options(ByteView field, std::vector<Option>& options) {
  std::size_t at = 0;
  while (at < field.size()) {
    const std::uint8_t option_code = field[at++];
    if (option_code == code::kPad) continue;
    if (option_code == code::kEnd) break;
    if (at >= field.size()) return fail(Errc::invalid, "dhcp option {}: no length", option_code);
    const std::size_t length = field[at++];
    if (length > field.size() - at)
      return fail(Errc::invalid, "dhcp option {}: longer than its field", option_code);
    const ByteView value = field.subspan(at, length);
    at += length;
    const auto same = std::find_if(options.begin(), options.end(), [option_code](const Option& o) {
      return o.code == option_code;
    });
    if (same == options.end()) {
      options.push_back({.code = option_code, .value = {value.begin(), value.end()}});
    } else {
      same->value.insert(same->value.end(), value.begin(), value.end());
    }
  }
  return {};
}

/// Reads `file` and `sname` as text, or as options where option 52 says so (RFC 2132 §9.3).
Result<void> read_texts(ByteView bytes, Packet& packet) {
  const ByteView sname = bytes.subspan(kSnameAt, kSnameBytes);
  const ByteView file = bytes.subspan(kFileAt, kFileBytes);
  std::uint8_t overload = 0;
  if (const auto value = packet.find(code::kOverload)) {
    if (value->size() != 1 || (*value)[0] > (kFileOverloaded | kSnameOverloaded))
      return fail(Errc::invalid, "dhcp option {}: not 1, 2 or 3", code::kOverload);
    overload = (*value)[0];
  }
  if (overload & kFileOverloaded) {
    if (auto read = read_options(file, packet.options); !read) return read.error();
  } else {
    packet.file = text_field(file);
  }
  if (overload & kSnameOverloaded) {
    if (auto read = read_options(sname, packet.options); !read) return read.error();
  } else {
    packet.sname = text_field(sname);
  }
  std::erase_if(packet.options, [](const Option& o) { return o.code == code::kOverload; });
  return {};
}

Result<void> put_option(Bytes& out, const Option& option) {
  if (option.code == code::kPad || option.code == code::kEnd || option.code == code::kOverload)
    return fail(Errc::invalid, "dhcp option {}: never sent", option.code);
  std::size_t at = 0;
  do {
    const std::size_t length = std::min(option.value.size() - at, kValueBytesMax);
    out.push_back(option.code);
    out.push_back(static_cast<std::uint8_t>(length));
    const auto from = option.value.begin() + static_cast<std::ptrdiff_t>(at);
    out.insert(out.end(), from, from + static_cast<std::ptrdiff_t>(length));
    at += length;
  } while (at < option.value.size());
  return {};
}

/// The number after `Arch:` in `PXEClient:Arch:00007:UNDI:003016`.
std::optional<std::uint16_t> arch_of_class(std::string_view class_id) {
  constexpr std::string_view kMark = "Arch:";
  constexpr std::size_t kDigits = 5;
  const std::size_t mark = class_id.find(kMark);
  if (mark == std::string_view::npos) return std::nullopt;
  const std::string_view digits = class_id.substr(mark + kMark.size(), kDigits);
  if (digits.size() != kDigits) return std::nullopt;
  std::uint32_t number = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + static_cast<std::uint32_t>(c - '0');
  }
  if (number > 0xffff) return std::nullopt;
  return static_cast<std::uint16_t>(number);
}

}  // namespace

std::string_view to_string(MessageType type) {
  switch (type) {
    case MessageType::discover: return "DISCOVER";
    case MessageType::offer: return "OFFER";
    case MessageType::request: return "REQUEST";
    case MessageType::decline: return "DECLINE";
    case MessageType::ack: return "ACK";
    case MessageType::nak: return "NAK";
    case MessageType::release: return "RELEASE";
    case MessageType::inform: return "INFORM";
  }
  return "?";
}

Mac Packet::mac() const {
  Mac mac;
  std::copy_n(chaddr.begin(), mac.octets.size(), mac.octets.begin());
  return mac;
}

std::optional<ByteView> Packet::find(std::uint8_t option_code) const {
  for (const Option& option : options)
    if (option.code == option_code) return ByteView(option.value);
  return std::nullopt;
}

std::optional<MessageType> Packet::message_type() const {
  const auto value = find(code::kMessageType);
  if (!value || value->size() != 1 || (*value)[0] < 1 || (*value)[0] > 8) return std::nullopt;
  return static_cast<MessageType>((*value)[0]);
}

std::optional<Ipv4> Packet::server_id() const {
  const auto value = find(code::kServerId);
  if (!value || value->size() != 4) return std::nullopt;
  return Ipv4{get32(*value, 0)};
}

std::string_view Packet::class_id() const {
  const auto value = find(code::kClassId);
  return value ? as_text(*value) : std::string_view();
}

std::vector<std::string> Packet::user_classes() const {
  const auto value = find(code::kUserClass);
  if (!value || value->empty()) return {};
  std::vector<std::string> classes;
  std::size_t at = 0;
  while (at < value->size()) {
    const std::size_t length = (*value)[at++];
    if (length == 0 || length > value->size() - at) return {std::string(as_text(*value))};
    classes.emplace_back(as_text(value->subspan(at, length)));
    at += length;
  }
  return classes;
}

std::vector<std::uint16_t> Packet::architectures() const {
  std::vector<std::uint16_t> archs;
  if (const auto value = find(code::kArchitecture); value && value->size() >= 2) {
    for (std::size_t at = 0; at + 2 <= value->size(); at += 2) archs.push_back(get16(*value, at));
  } else if (const auto arch = arch_of_class(class_id())) {
    archs.push_back(*arch);
  }
  return archs;
}

std::optional<std::vector<Option>> Packet::vendor_options() const {
  const auto value = find(code::kVendorSpecific);
  if (!value) return std::nullopt;
  auto options_read = decode_sub_options(*value);
  if (!options_read) return std::nullopt;
  return std::move(*options_read);
}

std::optional<IpxeFeatures> Packet::ipxe_features() const {
  const auto value = find(code::kIpxe);
  if (!value) return std::nullopt;
  const auto subs = decode_sub_options(*value);
  if (!subs) return std::nullopt;
  IpxeFeatures features;
  for (const Option& sub : *subs) {
    if (sub.code == ipxe::kVersion) {
      for (const std::uint8_t part : sub.value)
        features.version += (features.version.empty() ? "" : ".") + std::to_string(part);
    } else if (sub.value.empty() || sub.value[0] != 0) {
      features.features.set(sub.code);
    }
  }
  return features;
}

std::size_t Packet::reply_bytes_max() const {
  std::size_t datagram = kDatagramBytesDefault;
  if (const auto value = find(code::kMaxMessageSize); value && value->size() == 2)
    datagram = std::clamp<std::size_t>(get16(*value, 0), kDatagramBytesDefault, kDatagramBytesMax);
  return datagram - kIpUdpBytes;
}

Result<Packet> decode(ByteView bytes) {
  if (bytes.size() < kHeaderBytes)
    return fail(Errc::invalid, "dhcp packet: {} bytes, too short", bytes.size());
  if (bytes[0] != 1 && bytes[0] != 2) return fail(Errc::invalid, "dhcp packet: op {}", bytes[0]);
  if (bytes[1] != kEthernet || bytes[2] != Mac{}.octets.size())
    return fail(Errc::invalid, "dhcp packet: hardware type {}/{}", bytes[1], bytes[2]);
  if (!std::equal(kCookie.begin(), kCookie.end(), bytes.begin() + kCookieAt))
    return fail(Errc::invalid, "dhcp packet: no magic cookie");

  Packet packet;
  packet.op = static_cast<Op>(bytes[0]);
  packet.hops = bytes[3];
  packet.xid = get32(bytes, 4);
  packet.secs = get16(bytes, 8);
  packet.flags = get16(bytes, 10);
  packet.ciaddr.value = get32(bytes, 12);
  packet.yiaddr.value = get32(bytes, 16);
  packet.siaddr.value = get32(bytes, 20);
  packet.giaddr.value = get32(bytes, 24);
  std::copy_n(bytes.begin() + 28, packet.chaddr.size(), packet.chaddr.begin());
  auto options = read_options(bytes.subspan(kHeaderBytes), packet.options);
  if (!options) return options.error();
  auto texts = read_texts(bytes, packet);
  if (!texts) return texts.error();
  return packet;
}

Result<Bytes> encode(const Packet& packet, std::size_t bytes_max) {
  if (packet.sname.size() > kSnameTextMax || packet.file.size() > kFileTextMax)
    return fail(Errc::invalid, "dhcp packet: a text longer than its field");
  Bytes out = {static_cast<std::uint8_t>(packet.op), kEthernet,
               static_cast<std::uint8_t>(Mac{}.octets.size()), packet.hops};
  out.reserve(kDatagramBytesDefault);
  put32(out, packet.xid);
  put16(out, packet.secs);
  put16(out, packet.flags);
  for (const Ipv4 address : {packet.ciaddr, packet.yiaddr, packet.siaddr, packet.giaddr})
    put32(out, address.value);
  out.insert(out.end(), packet.chaddr.begin(), packet.chaddr.end());
  out.insert(out.end(), packet.sname.begin(), packet.sname.end());
  out.resize(kFileAt);
  out.insert(out.end(), packet.file.begin(), packet.file.end());
  out.resize(kCookieAt);
  out.insert(out.end(), kCookie.begin(), kCookie.end());
  for (const Option& option : packet.options)
    if (auto put = put_option(out, option); !put) return put.error();
  out.push_back(code::kEnd);
  if (out.size() < kReplyBytesMin) out.resize(kReplyBytesMin);
  if (out.size() > bytes_max)
    return fail(Errc::exhausted, "dhcp packet: {} bytes, only {} allowed", out.size(), bytes_max);
  return out;
}

Result<std::vector<Option>> decode_sub_options(ByteView value) {
  std::vector<Option> options;
  std::size_t at = 0;
  while (at < value.size()) {
    const std::uint8_t sub = value[at++];
    if (sub == code::kPad) continue;
    if (sub == code::kEnd) break;
    if (at >= value.size()) return fail(Errc::invalid, "dhcp sub-option {}: no length", sub);
    const std::size_t length = value[at++];
    if (length > value.size() - at)
      return fail(Errc::invalid, "dhcp sub-option {}: longer than its option", sub);
    const ByteView bytes = value.subspan(at, length);
    options.push_back({.code = sub, .value = {bytes.begin(), bytes.end()}});
    at += length;
  }
  return options;
}

Result<Bytes> encode_sub_options(const std::vector<Option>& options) {
  Bytes out;
  for (const Option& option : options) {
    if (option.value.size() > kValueBytesMax)
      return fail(Errc::invalid, "dhcp sub-option {}: longer than {} bytes", option.code,
                  kValueBytesMax);
    out.push_back(option.code);
    out.push_back(static_cast<std::uint8_t>(option.value.size()));
    out.insert(out.end(), option.value.begin(), option.value.end());
  }
  out.push_back(code::kEnd);
  return out;
}

}  // namespace farboot::dhcp
