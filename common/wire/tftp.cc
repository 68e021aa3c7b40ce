#include "common/wire/tftp.h"

#include <algorithm>
#include <limits>

namespace farboot::tftp {
namespace {

std::uint16_t get16(ByteView bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

Bytes begin(Opcode operation) { return {0, static_cast<std::uint8_t>(operation)}; }

void put_text(Bytes& out, std::string_view text) {
  out.insert(out.end(), text.begin(), text.end());
  out.push_back(0);
}

std::array<std::uint8_t, kHeaderBytes> header(Opcode operation, std::uint16_t number) {
  return {0, static_cast<std::uint8_t>(operation), static_cast<std::uint8_t>(number >> 8),
          static_cast<std::uint8_t>(number)};
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

/// Takes one NUL-ended text off the front of `rest`; nullopt if no NUL is left.
std::optional<std::string_view> take_text(ByteView& rest) {
  const auto end = std::find(rest.begin(), rest.end(), 0);
  if (end == rest.end()) return std::nullopt;
  const auto length = static_cast<std::size_t>(end - rest.begin());
  const std::string_view text = as_text(rest.first(length));
  rest = rest.subspan(length + 1);
  return text;
}

Result<std::vector<Option>> take_options(ByteView rest) {
  std::vector<Option> options;
  while (!rest.empty()) {
    const auto name = take_text(rest);
    const auto value = name ? take_text(rest) : std::nullopt;
    if (!name || !value) return fail(Errc::invalid, "tftp options: a text without its end");
    if (name->empty()) {
      // Some ROMs fill the rest of the request with zeros.
      if (value->empty()) continue;
      return fail(Errc::invalid, "tftp options: an empty name");
    }
    if (options.size() >= kOptionsMax)
      return fail(Errc::invalid, "tftp options: more than {}", kOptionsMax);
    options.push_back({.name = std::string(*name), .value = std::string(*value)});
  }
  return options;
}

Result<void> expect(ByteView packet, Opcode wanted, std::size_t bytes_min) {
  if (opcode(packet) != wanted || packet.size() < bytes_min)
    return fail(Errc::invalid, "tftp packet: not the kind expected, or too short");
  return {};
}

}  // namespace

ErrorCode error_code(Errc code) {
  switch (code) {
    case Errc::not_found: return ErrorCode::not_found;
    case Errc::invalid: return ErrorCode::illegal;
    case Errc::denied: return ErrorCode::access;
    case Errc::mismatch:
    case Errc::corrupt:
    case Errc::conflict:
    case Errc::exhausted:
    case Errc::unavailable:
    case Errc::timeout:
    case Errc::cancelled:
    case Errc::internal: return ErrorCode::undefined;
  }
  return ErrorCode::undefined;
}

std::optional<Opcode> opcode(ByteView packet) {
  if (packet.size() < 2) return std::nullopt;
  const std::uint16_t value = get16(packet, 0);
  if (value < static_cast<std::uint16_t>(Opcode::rrq) ||
      value > static_cast<std::uint16_t>(Opcode::oack))
    return std::nullopt;
  return static_cast<Opcode>(value);
}

Result<Request> decode_request(ByteView packet) {
  const auto operation = opcode(packet);
  if (operation != Opcode::rrq && operation != Opcode::wrq)
    return fail(Errc::invalid, "tftp packet: not a request");
  if (packet.size() > kRequestBytesMax)
    return fail(Errc::invalid, "tftp request: {} bytes, too long", packet.size());
  ByteView rest = packet.subspan(2);
  const auto path = take_text(rest);
  const auto mode = path ? take_text(rest) : std::nullopt;
  if (!path || !mode) return fail(Errc::invalid, "tftp request: a text without its end");
  if (path->empty()) return fail(Errc::invalid, "tftp request: an empty name");
  auto options = take_options(rest);
  if (!options) return options.error();
  Request request;
  request.write = operation == Opcode::wrq;
  request.path = *path;
  request.mode = same_name(*mode, "octet")      ? Mode::octet
                 : same_name(*mode, "netascii") ? Mode::netascii
                                                : Mode::other;
  request.options = std::move(*options);
  return request;
}

Result<Data> decode_data(ByteView packet) {
  if (auto right = expect(packet, Opcode::data, kHeaderBytes); !right) return right.error();
  return Data{.block = get16(packet, 2), .payload = packet.subspan(kHeaderBytes)};
}

Result<Ack> decode_ack(ByteView packet) {
  if (auto right = expect(packet, Opcode::ack, kHeaderBytes); !right) return right.error();
  return Ack{.block = get16(packet, 2)};
}

Result<ErrorPacket> decode_error(ByteView packet) {
  if (auto right = expect(packet, Opcode::error, kHeaderBytes); !right) return right.error();
  const std::string_view text = as_text(packet.subspan(kHeaderBytes));
  return ErrorPacket{.code = get16(packet, 2),
                     .text = std::string(text.substr(0, text.find('\0')).substr(0, kErrorTextMax))};
}

Result<OptionAck> decode_oack(ByteView packet) {
  if (auto right = expect(packet, Opcode::oack, 2); !right) return right.error();
  auto options = take_options(packet.subspan(2));
  if (!options) return options.error();
  return OptionAck{.options = std::move(*options)};
}

Bytes encode_request(const Request& request) {
  Bytes out = begin(request.write ? Opcode::wrq : Opcode::rrq);
  put_text(out, request.path);
  put_text(out, request.mode == Mode::octet      ? "octet"
                : request.mode == Mode::netascii ? "netascii"
                                                 : "mail");
  for (const Option& option : request.options) {
    put_text(out, option.name);
    put_text(out, option.value);
  }
  return out;
}

Bytes encode_oack(const std::vector<Option>& options) {
  Bytes out = begin(Opcode::oack);
  for (const Option& option : options) {
    put_text(out, option.name);
    put_text(out, option.value);
  }
  return out;
}

Bytes encode_error(ErrorCode code, std::string_view text) {
  const auto head = header(Opcode::error, static_cast<std::uint16_t>(code));
  Bytes out(head.begin(), head.end());
  for (const char c : text.substr(0, kErrorTextMax))
    out.push_back(c >= 0x20 && c < 0x7f ? static_cast<std::uint8_t>(c) : '?');
  out.push_back(0);
  return out;
}

std::array<std::uint8_t, kHeaderBytes> data_header(std::uint16_t block) {
  return header(Opcode::data, block);
}

std::array<std::uint8_t, kHeaderBytes> encode_ack(std::uint16_t block) {
  return header(Opcode::ack, block);
}

std::optional<std::uint64_t> number(std::string_view text) {
  constexpr auto kMax = std::numeric_limits<std::uint64_t>::max();
  if (text.empty()) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (value > (kMax - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  return value;
}

bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace farboot::tftp
