// DHCP packets (RFC 2131, 2132, 3396, 3004, 4578; PXE 2.1; iPXE's option 175): bytes <-> struct.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/wire/address.h"

namespace farboot::dhcp {

inline constexpr std::size_t kHeaderBytes = 240;           ///< fixed fields and magic cookie
inline constexpr std::size_t kReplyBytesMin = 300;         ///< BOOTP's minimum; some ROMs insist
inline constexpr std::size_t kDatagramBytesDefault = 576;  ///< without option 57, RFC 2131 §2
inline constexpr std::size_t kDatagramBytesMax = 1472;     ///< EDK2 drops more, whatever it said
inline constexpr std::size_t kIpUdpBytes = 28;             ///< counted by option 57, not by us
inline constexpr std::size_t kFileTextMax = 127;           ///< `file` without its NUL
inline constexpr std::size_t kSnameTextMax = 63;           ///< `sname` without its NUL

// On wire: never reuse.
enum class Op : std::uint8_t {
  request = 1,
  reply = 2
};

// On wire: never reuse.
enum class MessageType : std::uint8_t {
  discover = 1,
  offer = 2,
  request = 3,
  decline = 4,
  ack = 5,
  nak = 6,
  release = 7,
  inform = 8
};
std::string_view to_string(MessageType type);

/// Option codes we read or write. On wire: never reuse.
namespace code {
inline constexpr std::uint8_t kPad = 0;
inline constexpr std::uint8_t kVendorSpecific = 43;
inline constexpr std::uint8_t kOverload = 52;
inline constexpr std::uint8_t kMessageType = 53;
inline constexpr std::uint8_t kServerId = 54;
inline constexpr std::uint8_t kParameterList = 55;
inline constexpr std::uint8_t kMaxMessageSize = 57;
inline constexpr std::uint8_t kClassId = 60;
inline constexpr std::uint8_t kClientId = 61;
inline constexpr std::uint8_t kTftpServerName = 66;
inline constexpr std::uint8_t kBootFile = 67;
inline constexpr std::uint8_t kUserClass = 77;
inline constexpr std::uint8_t kRelayAgent = 82;
inline constexpr std::uint8_t kArchitecture = 93;
inline constexpr std::uint8_t kUndiVersion = 94;
inline constexpr std::uint8_t kMachineGuid = 97;
inline constexpr std::uint8_t kIpxe = 175;
inline constexpr std::uint8_t kEnd = 255;
}  // namespace code

/// Sub-options of option 43 (PXE 2.1 §2.2.3). On wire: never reuse.
namespace pxe {
inline constexpr std::uint8_t kDiscoveryControl = 6;
inline constexpr std::uint8_t kMenu = 9;
inline constexpr std::uint8_t kPrompt = 10;
inline constexpr std::uint8_t kBootItem = 71;
/// DISCOVERY_CONTROL: take the file of this packet and ask nobody.
inline constexpr std::uint8_t kUseThisFile = 0x08;
}  // namespace pxe

/// Feature numbers of iPXE's option 175. On wire: never reuse.
namespace ipxe {
inline constexpr std::uint8_t kHttp = 0x13;
inline constexpr std::uint8_t kBzImage = 0x18;
inline constexpr std::uint8_t kEfi = 0x24;
inline constexpr std::uint8_t kMenu = 0x27;
inline constexpr std::uint8_t kVersion = 0xeb;
}  // namespace ipxe

/// An option, or a sub-option of 43, 82 or 175.
struct Option {
  std::uint8_t code = 0;
  Bytes value;

  bool operator==(const Option&) const = default;
};

/// What iPXE says of itself in option 175.
struct IpxeFeatures {
  std::bitset<256> features;  ///< by feature number
  std::string version;        ///< `1.21.1`, or empty

  bool has(std::uint8_t feature) const { return features[feature]; }
};

/// A packet of an Ethernet client (htype 1, hlen 6); others do not decode.
struct Packet {
  Op op = Op::request;
  std::uint8_t hops = 0;
  std::uint32_t xid = 0;
  std::uint16_t secs = 0;
  std::uint16_t flags = 0;
  Ipv4 ciaddr, yiaddr, siaddr, giaddr;
  std::array<std::uint8_t, 16> chaddr{};
  std::string sname;  ///< up to its NUL; empty if the field held options (option 52)
  std::string file;   ///< likewise
  /// In the order of the packet, never pad, end or overload; a code that came in several pieces is
  /// joined at its first place (RFC 3396).
  std::vector<Option> options;

  Mac mac() const;
  /// The value of the option; nullopt if the client did not send it.
  std::optional<ByteView> find(std::uint8_t option_code) const;

  /// The accessors below give nullopt (or nothing) also if the value has an impossible length.
  std::optional<MessageType> message_type() const;
  std::optional<Ipv4> server_id() const;
  std::string_view class_id() const;
  /// Option 77 in both spellings: RFC 3004's list, or the raw text iPXE sends.
  std::vector<std::string> user_classes() const;
  /// Option 93, all entries; without it the number after `Arch:` in option 60.
  std::vector<std::uint16_t> architectures() const;
  /// The sub-options of option 43. nullopt: no option 43, or it does not parse.
  std::optional<std::vector<Option>> vendor_options() const;
  /// nullopt: no option 175, or it does not parse.
  std::optional<IpxeFeatures> ipxe_features() const;
  /// Bytes a reply to this packet may have, UDP and IP headers not counted: option 57 within
  /// 576 and 1472, less 28.
  std::size_t reply_bytes_max() const;

  bool operator==(const Packet&) const = default;
};

/// Errors: invalid, for fewer than 240 bytes, an op beside 1 and 2, a client that is not Ethernet,
/// a wrong cookie, or an option that runs over its field. A missing END option is forgiven.
Result<Packet> decode(ByteView bytes);

/// The options as they stand, END, then zeros up to 300 bytes; no pads between options; values
/// beyond 255 bytes in several pieces (RFC 3396). Errors: invalid (a text longer than its field;
/// pad, end or overload among the options); exhausted if it needs more than `bytes_max`.
Result<Bytes> encode(const Packet& packet, std::size_t bytes_max);

/// Sub-options of 43, 82 or 175: TLVs, 0 pads, closed by 255 or by the end of the value. Errors:
/// invalid.
Result<std::vector<Option>> decode_sub_options(ByteView value);
/// TLVs closed by 255. Errors: invalid for a value beyond 255 bytes.
Result<Bytes> encode_sub_options(const std::vector<Option>& options);

}  // namespace farboot::dhcp
