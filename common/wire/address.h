// IPv4 and Ethernet addresses as values: no sockets, no byte order to think of.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace farboot {

struct Ipv4 {
  std::uint32_t value = 0;  ///< host byte order: 10.0.0.1 is 0x0a000001

  static constexpr Ipv4 of(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
    return {static_cast<std::uint32_t>(a) << 24 | static_cast<std::uint32_t>(b) << 16 |
            static_cast<std::uint32_t>(c) << 8 | d};
  }
  static constexpr Ipv4 broadcast() { return {0xffffffff}; }
  /// `10.0.0.1`, nothing else.
  static std::optional<Ipv4> parse(std::string_view text);

  std::string to_string() const;
  constexpr bool is_zero() const { return value == 0; }
  /// Could be the address of one machine on a network: not 0.x, loopback, multicast or above.
  constexpr bool is_unicast() const {
    const std::uint32_t first = value >> 24;
    return first != 0 && first != 127 && first < 224;
  }
  /// True if `other` lies in the network of this address; `prefix_bits` 0–32.
  constexpr bool same_network(Ipv4 other, unsigned prefix_bits) const {
    return prefix_bits == 0 || ((value ^ other.value) >> (32 - prefix_bits)) == 0;
  }
  constexpr auto operator<=>(const Ipv4&) const = default;
};

struct Mac {
  std::array<std::uint8_t, 6> octets{};

  /// `52:54:00:ab:cd:ef`, also with dashes; any case.
  static std::optional<Mac> parse(std::string_view text);

  std::string to_string() const;  ///< `52:54:00:ab:cd:ef`
  constexpr auto operator<=>(const Mac&) const = default;
};

}  // namespace farboot
