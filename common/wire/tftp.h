// TFTP packets (RFC 1350, 2347, 2348, 2349, 7440): bytes <-> struct.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace farboot::tftp {

inline constexpr std::size_t kRequestBytesMax = 1468;  ///< U-Boot and others fill a whole frame
inline constexpr std::size_t kOptionsMax = 32;         ///< in one request or OACK
inline constexpr std::size_t kHeaderBytes = 4;         ///< of DATA and ACK
inline constexpr std::uint32_t kBlockBytesDefault = 512;
inline constexpr std::uint32_t kBlockBytesMin = 8;
inline constexpr std::uint32_t kBlockBytesMax = 65464;
inline constexpr std::size_t kErrorTextMax = 200;

// On wire: never reuse.
enum class Opcode : std::uint16_t {
  rrq = 1,
  wrq = 2,
  data = 3,
  ack = 4,
  error = 5,
  oack = 6
};

// On wire: never reuse.
enum class ErrorCode : std::uint16_t {
  undefined = 0,
  not_found = 1,
  access = 2,
  full = 3,
  illegal = 4,
  unknown_transfer = 5,
  exists = 6,
  no_user = 7,
  option_refused = 8
};

/// The code a client gets for a failure of ours: only a missing file may be 1, and only 1 lets
/// shim, GRUB, iPXE and Raspberry Pis go on to their next name.
ErrorCode error_code(Errc code);

/// Name and value as the client wrote them.
struct Option {
  std::string name;
  std::string value;

  bool operator==(const Option&) const = default;
};

enum class Mode : std::uint8_t {
  octet,
  netascii,
  other
};

/// RRQ or WRQ.
struct Request {
  bool write = false;
  std::string path;  ///< raw bytes of the client, never empty, no NUL
  Mode mode = Mode::octet;
  std::vector<Option> options;  ///< in the client's order
};

struct Data {
  std::uint16_t block = 0;
  ByteView payload;  ///< borrows from the packet
};
struct Ack {
  std::uint16_t block = 0;
};
struct ErrorPacket {
  std::uint16_t code = 0;
  std::string text;
};
struct OptionAck {
  std::vector<Option> options;
};

/// The operation; nullopt if the packet is shorter than two bytes or the number is not one of ours.
std::optional<Opcode> opcode(ByteView packet);

/// Each decodes one kind and checks its opcode. Errors: invalid. Both strings of a request, every
/// name and every value of an option must end in a NUL inside the packet.
Result<Request> decode_request(ByteView packet);
Result<Data> decode_data(ByteView packet);
Result<Ack> decode_ack(ByteView packet);
Result<ErrorPacket> decode_error(ByteView packet);  ///< a text without its NUL is forgiven
Result<OptionAck> decode_oack(ByteView packet);

/// Strings must hold no NUL. `text` is cut at 200 characters, bytes that are not ASCII become '?'.
Bytes encode_request(const Request& request);
Bytes encode_oack(const std::vector<Option>& options);
Bytes encode_error(ErrorCode code, std::string_view text);
/// The four bytes in front of a block, or of an ACK (which is nothing else).
std::array<std::uint8_t, kHeaderBytes> data_header(std::uint16_t block);
std::array<std::uint8_t, kHeaderBytes> encode_ack(std::uint16_t block);

/// A number of an option: decimal digits only, no sign, no blank; nullopt also beyond 64 bits.
std::optional<std::uint64_t> number(std::string_view text);
/// ASCII letters without case, as option names compare.
bool same_name(std::string_view a, std::string_view b);

}  // namespace farboot::tftp
