#include "common/content/desired_state.h"

#include <algorithm>
#include <set>
#include <utility>

#include "common/content/json_fields.h"

namespace farboot {
namespace {

constexpr std::size_t kMacsMax = 64;  ///< of one host
constexpr std::size_t kSerialBytesMax = 256;

bool is_hex(char letter) {
  return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'f');
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !is_hex(text[i])) return false;
  }
  return true;
}

json::Value to_json(const HostSpec& host) {
  json::Value value;
  value["name"] = host.name;
  value["macs"] = host.macs;
  value["uuid"] = host.uuid;
  value["serial"] = host.serial;
  value["entry"] = host.entry;
  value["install_order"] = host.install_order;
  // Absent where it is not known: a number would say more than that.
  if (host.install_done) value["install_done"] = *host.install_done;
  value["variables"] = host.variables;
  return value;
}

HostSpec read_host(const json::Fields& fields) {
  HostSpec host;
  host.name = fields.name("name");
  host.macs = fields.lines("macs", kMacsMax, 17);
  for (std::size_t i = 0; i < host.macs.size(); ++i) {
    const auto normal = normalise_mac(host.macs[i]);
    if (!normal || *normal != host.macs[i])
      fields.fault().set(fmt::format("{}[{}]", fields.path("macs"), i),
                         "'{}': must be aa:bb:cc:dd:ee:ff", printable(host.macs[i]));
  }
  host.uuid = fields.line("uuid", 36);
  if (!host.uuid.empty() && !is_uuid(host.uuid))
    fields.fault().set(fields.path("uuid"), "'{}': not a lower-case UUID", printable(host.uuid));
  host.serial = fields.line("serial", kSerialBytesMax);
  host.entry = fields.name_or_empty("entry");
  host.install_order = fields.number("install_order", UINT64_MAX);
  if (fields.has("install_done")) host.install_done = fields.number("install_done", UINT64_MAX);
  host.variables = fields.variables("variables");
  if (host.macs.empty() && host.uuid.empty() && host.serial.empty())
    fields.fault().set(fields.path("macs"), "a host needs a MAC, a UUID or a serial number");
  return host;
}

void check_unique(const DesiredState& state, json::Fault& fault) {
  std::set<std::string> names;
  std::set<std::string> macs;
  for (std::size_t i = 0; i < state.hosts.size(); ++i) {
    const HostSpec& host = state.hosts[i];
    if (!names.insert(host.name).second)
      fault.set(fmt::format("$.hosts[{}].name", i), "'{}': there twice", host.name);
    for (const std::string& mac : host.macs)
      if (!macs.insert(mac).second)
        fault.set(fmt::format("$.hosts[{}].macs", i), "'{}': there twice", mac);
  }
}

}  // namespace

Bytes encode_desired_state(const DesiredState& state) {
  json::Value root;
  root["format"] = DesiredState::kFormat;
  root["site"] = state.site;
  root["number"] = state.number;
  root["issued_ms"] = state.issued.time_since_epoch().count();
  root["stage"] = state.stage ? json::Value(state.stage->hex()) : json::Value();
  root["serve"] = state.serve ? json::Value(state.serve->hex()) : json::Value();
  root["variables"] = state.variables;
  root["hosts"] = json::Value::array();
  for (const HostSpec& host : state.hosts) root["hosts"].push_back(to_json(host));
  root["limits"] = {{"wan_bytes_per_second", state.limits.wan_bytes_per_second},
                    {"installs_at_once_max", state.limits.installs_at_once_max}};
  if (!state.orders_agent.empty()) root["orders_agent"] = state.orders_agent;
  return json::dump(root);
}

Result<DesiredState> decode_desired_state(ByteView document) {
  json::Fault fault;
  const json::Value parsed = json::parse(document, kDesiredStateBytesMax, fault);
  const json::Fields root(parsed, "$", fault);
  json::check_format(root, DesiredState::kFormat);
  DesiredState state;
  state.site = root.name("site");
  state.number = root.number("number", UINT64_MAX);
  state.issued = WallTime(Milliseconds(root.number("issued_ms", json::kMillisecondsMax)));
  state.stage = root.digest("stage");
  state.serve = root.digest("serve");
  state.variables = root.variables("variables");
  root.each("hosts", kHostsMax,
            [&](const json::Fields& each) { state.hosts.push_back(read_host(each)); });
  const json::Fields limits = root.object("limits");
  state.limits.wan_bytes_per_second = limits.number("wan_bytes_per_second", UINT64_MAX);
  state.limits.installs_at_once_max =
      static_cast<std::uint32_t>(limits.number("installs_at_once_max", kInstallsAtOnceMax));
  state.orders_agent = root.name_or_empty("orders_agent");
  if (!fault.any()) check_unique(state, fault);
  if (fault.any()) return prefix("desired state", fault.error());
  return state;
}

Result<std::string> normalise_mac(std::string_view text) {
  const auto wrong = [text] {
    return fail(Errc::invalid, "MAC address '{}': six bytes in hexadecimal expected",
                printable(text, 40));
  };
  std::string digits;
  std::string separators;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char letter = text[i];
    const char lower =
        letter >= 'A' && letter <= 'F' ? static_cast<char>(letter - 'A' + 'a') : letter;
    if (is_hex(lower)) {
      digits += lower;
    } else {
      // Where a separator stands is checked by its distance: 2 digits for : and -, 4 for a dot.
      const std::size_t group = letter == '.' ? 4 : 2;
      if ((letter != ':' && letter != '-' && letter != '.') ||
          digits.size() != group * (separators.size() + 1))
        return wrong();
      separators += letter;
    }
  }
  const bool uniform = separators.find_first_not_of(separators.substr(0, 1)) == std::string::npos;
  const std::size_t expected = separators.empty() ? 0 : separators.front() == '.' ? 2 : 5;
  if (digits.size() != 12 || !uniform || separators.size() != expected) return wrong();
  std::string mac;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    if (i != 0) mac += ':';
    mac += digits.substr(i, 2);
  }
  return mac;
}

}  // namespace farboot
