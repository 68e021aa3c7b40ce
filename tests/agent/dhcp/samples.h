// Requests and places for the tests of this room.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "agent/dhcp/decide.h"
#include "tests/support/golden.h"

namespace farboot::dhcp {

class FakeLoaders final : public LoaderSet {
 public:
  FakeLoaders() = default;
  explicit FakeLoaders(std::vector<std::string> names) : only(std::move(names)) {}
  bool loader_exists(std::string_view name) const override {
    return !only || std::find(only->begin(), only->end(), name) != only->end();
  }
  std::optional<std::vector<std::string>> only;  ///< absent: every name
};

inline Packet golden_request(std::string_view name) {
  auto packet = decode(golden::read_hex(golden::folder("dhcp") / (std::string(name) + ".hex")));
  EXPECT_TRUE(packet) << name;
  return packet ? std::move(*packet) : Packet{};
}

/// A sample that lists these architectures in option 93.
inline Packet listing(const std::vector<std::uint16_t>& archs,
                      std::string_view name = "arch_list_discover") {
  Packet packet = golden_request(name);
  Bytes value;
  for (const std::uint16_t arch : archs) {
    value.push_back(static_cast<std::uint8_t>(arch >> 8));
    value.push_back(static_cast<std::uint8_t>(arch));
  }
  for (Option& option : packet.options)
    if (option.code == code::kArchitecture) option.value = value;
  return packet;
}

/// As in the lab: we are 10.77.0.2; port 4011 where the name of the packet says so.
inline Arrival arrival_of(std::string_view name) {
  Arrival arrival;
  arrival.our_address = Ipv4::of(10, 77, 0, 2);
  arrival.source_port = 68;
  if (name.find("_4011_") != std::string_view::npos) {
    arrival.port = Port::pxe;
    arrival.source = Ipv4::of(10, 77, 0, 86);
    if (name.starts_with("edk2")) arrival.source_port = 4011;
    arrival.to_everybody = name.find("multicast") != std::string_view::npos;
  }
  if (name.find("discovery") != std::string_view::npos) {  // it has its lease
    arrival.source = Ipv4::of(10, 77, 0, 60);
  }
  return arrival;
}

inline const FakeLoaders& every_loader() {
  static const FakeLoaders loaders;
  return loaders;
}

inline Decision answer_to(std::string_view name, const Policy& policy = {},
                          const LoaderSet& loaders = every_loader()) {
  return decide(golden_request(name), arrival_of(name), policy, loaders);
}

/// The answer as a struct and as the client decodes it.
struct Told {
  Reply reply;
  Packet packet;
};
inline Told told(const Decision& decision) {
  const auto* reply = std::get_if<Reply>(&decision);
  if (reply == nullptr) {
    ADD_FAILURE() << "silent: " << to_string(std::get<Silence>(decision).why);
    return {};
  }
  auto packet = decode(reply->packet);
  EXPECT_TRUE(packet);
  return {*reply, packet ? *packet : Packet{}};
}

inline std::string file_for(std::string_view name, const Policy& policy = {},
                            const LoaderSet& loaders = every_loader()) {
  return told(answer_to(name, policy, loaders)).packet.file;
}

inline std::optional<Why> silent(const Decision& decision) {
  const auto* silence = std::get_if<Silence>(&decision);
  if (silence == nullptr) return std::nullopt;
  return silence->why;
}

}  // namespace farboot::dhcp
