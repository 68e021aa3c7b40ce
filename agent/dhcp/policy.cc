#include "agent/dhcp/policy.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace farboot::dhcp {
namespace {

constexpr std::size_t kEntryShown = 60;  ///< of what somebody wrote

/// `10.4.0.0/16`; nullopt: it does not look like one. Errors: invalid.
std::optional<Result<Network>> network(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto address = Ipv4::parse(text.substr(0, slash));
  const std::string_view bits = text.substr(slash + 1);
  Network made;
  const auto [end, error] =
      std::from_chars(bits.data(), bits.data() + bits.size(), made.prefix_bits);
  if (!address || error != std::errc() || end != bits.data() + bits.size() || bits.size() > 2 ||
      made.prefix_bits > 32)
    return fail(Errc::invalid, "{}: want a network such as 10.4.0.0/16",
                printable(text, kEntryShown));
  made.address.value = made.prefix_bits == 0 ? 0 : address->value & ~0U << (32 - made.prefix_bits);
  // Is it a slip of the address or of the length? Neither may be guessed.
  if (made.address != *address)
    return fail(Errc::invalid, "{}: is no network; {}/{} is the one it lies in", text,
                made.address.to_string(), made.prefix_bits);
  return made;
}

/// `564d1234-abcd-0001-1111-2222deadbeef`, in lower case.
std::optional<std::string> machine_uuid_of(std::string_view text) {
  constexpr std::string_view kForm = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  if (text.size() != kForm.size()) return std::nullopt;
  std::string uuid(text);
  for (std::size_t i = 0; i < uuid.size(); ++i) {
    const auto c = static_cast<unsigned char>(uuid[i]);
    if (kForm[i] == '-' ? c != '-' : std::isxdigit(c) == 0) return std::nullopt;
    uuid[i] = static_cast<char>(std::tolower(c));
  }
  return uuid;
}

}  // namespace

Result<void> ClientList::add(std::string_view text) {
  if (auto mac = mac_beginning(text)) {
    macs_.push_back(std::move(*mac));
  } else if (auto uuid = machine_uuid_of(text)) {
    uuids_.push_back(std::move(*uuid));
  } else if (const auto made = network(text)) {
    if (!*made) return made->error();
    networks_.push_back(**made);
  } else {
    return fail(Errc::invalid,
                "{}: want a MAC or its first octets (52:54:00), a network (10.4.0.0/16) or a "
                "machine's UUID",
                printable(text, kEntryShown));
  }
  return {};
}

bool ClientList::holds(const Asker& asker) const {
  return std::any_of(macs_.begin(), macs_.end(),
                     [&asker](const Bytes& mac) { return begins_with(asker.mac, mac); }) ||
         std::any_of(networks_.begin(), networks_.end(),
                     [&asker](const Network& n) { return n.holds(asker.network); }) ||
         std::find(uuids_.begin(), uuids_.end(), asker.uuid) != uuids_.end();
}

bool Policy::answers(const Asker& asker) const {
  return !denied.holds(asker) && (allowed.empty() || allowed.holds(asker));
}

}  // namespace farboot::dhcp
