// A DHCP packet for people, one field a line.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "common/base/bytes.h"
#include "common/wire/dhcp.h"

namespace farboot::dhcp {

inline std::string_view option_name(std::uint8_t option_code) {
  switch (option_code) {
    case 12: return "host name";
    case 43: return "vendor specific";
    case 50: return "requested address";
    case 53: return "message type";
    case 54: return "server identifier";
    case 55: return "parameter list";
    case 57: return "max message size";
    case 60: return "class id";
    case 61: return "client id";
    case 67: return "boot file";
    case 77: return "user class";
    case 82: return "relay agent";
    case 93: return "architecture";
    case 94: return "undi version";
    case 97: return "machine guid";
    case 175: return "ipxe";
    default: return "";
  }
}

inline std::string sub_options_text(ByteView value) {
  const auto subs = decode_sub_options(value);
  if (!subs) return to_hex(value) + " (does not parse)";
  std::string text;
  for (const Option& sub : *subs)
    text += fmt::format("{}{:02x}={}", text.empty() ? "" : " ", sub.code, to_hex(sub.value));
  return text;
}

inline std::string value_text(const Packet& packet, const Option& option) {
  switch (option.code) {
    case code::kMessageType:
      return packet.message_type() ? std::string(to_string(*packet.message_type())) : "?";
    case code::kServerId: return packet.server_id() ? packet.server_id()->to_string() : "?";
    case 12:
    case code::kClassId:
    case code::kBootFile: return "\"" + printable(as_text(option.value)) + "\"";
    case code::kUserClass: {
      std::string text;
      for (const auto& name : packet.user_classes())
        text += (text.empty() ? "\"" : " \"") + printable(name) + "\"";
      return text;
    }
    case code::kParameterList: {
      std::string text;
      for (const std::uint8_t wanted : option.value)
        text += (text.empty() ? "" : " ") + std::to_string(wanted);
      return text;
    }
    case code::kVendorSpecific:
    case code::kRelayAgent:
    case code::kIpxe: return sub_options_text(option.value);
    default: return to_hex(option.value);
  }
}

inline std::string describe(const Packet& packet) {
  std::string text = fmt::format(
      "{} xid={:08x} secs={} flags={:04x} hops={}\n"
      "ciaddr={} yiaddr={} siaddr={} giaddr={}\nchaddr={}\n",
      packet.op == Op::request ? "request" : "reply", packet.xid, packet.secs, packet.flags,
      packet.hops, packet.ciaddr.to_string(), packet.yiaddr.to_string(), packet.siaddr.to_string(),
      packet.giaddr.to_string(), packet.mac().to_string());
  if (!packet.sname.empty()) text += fmt::format("sname=\"{}\"\n", printable(packet.sname));
  if (!packet.file.empty()) text += fmt::format("file=\"{}\"\n", printable(packet.file));
  for (const Option& option : packet.options)
    text += fmt::format("{:3} {}: {}\n", option.code, option_name(option.code),
                        value_text(packet, option));
  return text;
}

}  // namespace farboot::dhcp
