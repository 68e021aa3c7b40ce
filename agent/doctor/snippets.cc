#include "agent/doctor/snippets.h"

#include <algorithm>
#include <array>
#include <utility>
#include <variant>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "agent/doctor/machine.h"
#include "common/base/bytes.h"

namespace farboot::doctor {
namespace {

constexpr std::uint16_t kHttpPort = 80;

/// One kind of machine in the lines.
struct Machine {
  std::string_view name;  ///< a tag or class: farboot-bios
  std::vector<unsigned> archs;
  bool http = false;  ///< UEFI HTTP Boot: wants a URL, and the answer's class HTTPClient
  std::string loader;
};

std::vector<Machine> machines_of(const SnippetFacts& facts) {
  std::vector<Machine> all{{"farboot-bios", {0}, false, facts.bios},
                           {"farboot-ia32", {6}, false, facts.uefi_ia32},
                           {"farboot-x64", {7, 9}, false, facts.uefi_x64},
                           {"farboot-arm64", {11}, false, facts.uefi_arm64},
                           {"farboot-http-x64", {16}, true, facts.http_x64},
                           {"farboot-http-arm64", {19}, true, facts.http_arm64}};
  std::erase_if(all, [](const Machine& machine) { return machine.loader.empty(); });
  return all;
}

std::string base_url(const SnippetFacts& facts) {
  const std::string url = "http://" + facts.address.to_string();
  return facts.http_port == kHttpPort ? url : fmt::format("{}:{}", url, facts.http_port);
}

std::string script_url(const SnippetFacts& facts) { return base_url(facts) + facts.script_path; }

std::string file_of(const Machine& machine, const SnippetFacts& facts) {
  return machine.http ? base_url(facts) + "/" + machine.loader : machine.loader;
}

/// Switches name one file for every machine.
std::string one_loader(const SnippetFacts& facts) {
  for (const std::string* name : {&facts.uefi_x64, &facts.bios, &facts.uefi_arm64})
    if (!name->empty()) return *name;
  return facts.uefi_ia32;
}

std::string dnsmasq_lines(const SnippetFacts& facts) {
  std::string out = "dhcp-match=set:farboot-ipxe,175\n";
  const std::string us = facts.address.to_string();
  for (const Machine& machine : machines_of(facts)) {
    for (const unsigned arch : machine.archs)
      out += fmt::format("dhcp-match=set:{},option:client-arch,{}\n", machine.name, arch);
    out += fmt::format("dhcp-boot=tag:!farboot-ipxe,tag:{},{},{},{}\n", machine.name,
                       file_of(machine, facts), us, us);
    if (machine.http)
      out +=
          fmt::format("dhcp-option-force=tag:!farboot-ipxe,tag:{},60,HTTPClient\n", machine.name);
  }
  return out + fmt::format("dhcp-boot=tag:farboot-ipxe,{},{},{}\n", script_url(facts), us, us);
}

std::string dnsmasq(const SnippetFacts& facts) {
  return "# Farboot: in a file of /etc/dnsmasq.d; then restart dnsmasq. No enable-tftp, no "
         "pxe-service.\n" +
         dnsmasq_lines(facts);
}

std::string openwrt(const SnippetFacts& facts) {
  return "# Farboot: paste on the router. Its dnsmasq reads /etc/dnsmasq.conf besides "
         "/etc/config/dhcp.\n"
         "cat >>/etc/dnsmasq.conf <<'FARBOOT'\n" +
         dnsmasq_lines(facts) + "FARBOOT\n/etc/init.d/dnsmasq restart\n";
}

std::string isc(const SnippetFacts& facts) {
  std::string out =
      "# Farboot: in dhcpd.conf, outside of any subnet; then restart isc-dhcp-server.\n"
      "option farboot-arch code 93 = unsigned integer 16;\n"
      "option farboot-ipxe code 175 = string;\n";
  out += fmt::format(
      "if exists farboot-ipxe or option user-class = \"iPXE\" {{\n"
      "  next-server {};\n  filename \"{}\";\n}}",
      facts.address.to_string(), script_url(facts));
  for (const Machine& machine : machines_of(facts)) {
    std::vector<std::string> is;
    for (const unsigned arch : machine.archs)
      is.push_back(fmt::format("option farboot-arch = {:02x}:{:02x}", arch >> 8, arch & 0xff));
    out += fmt::format(" elsif {} {{\n  next-server {};\n", fmt::join(is, " or "),
                       facts.address.to_string());
    if (machine.http) out += "  option vendor-class-identifier \"HTTPClient\";\n";
    out += fmt::format("  filename \"{}\";\n}}", file_of(machine, facts));
  }
  return out + "\n";
}

std::string kea(const SnippetFacts& facts) {
  std::string out = fmt::format(
      "// Farboot: in kea-dhcp4.conf, below \"Dhcp4\"; then restart kea-dhcp4-server.\n"
      "\"client-classes\": [\n"
      "  {{\"name\": \"farboot-ipxe\",\n"
      "   \"test\": \"option[175].exists or option[77].hex == 'iPXE'\",\n"
      "   \"next-server\": \"{}\",\n   \"boot-file-name\": \"{}\"}}",
      facts.address.to_string(), script_url(facts));
  for (const Machine& machine : machines_of(facts)) {
    std::vector<std::string> is;
    for (const unsigned arch : machine.archs)
      is.push_back(fmt::format("option[93].hex == 0x{:04x}", arch));
    out += fmt::format(
        ",\n  {{\"name\": \"{}\",\n"
        "   \"test\": \"not member('farboot-ipxe') and ({})\",\n"
        "   \"next-server\": \"{}\",\n",
        machine.name, fmt::join(is, " or "), facts.address.to_string());
    if (machine.http)
      out +=
          "   \"option-data\": [{\"name\": \"vendor-class-identifier\", \"data\": "
          "\"HTTPClient\"}],\n";
    out += fmt::format("   \"boot-file-name\": \"{}\"}}", file_of(machine, facts));
  }
  return out + "\n]\n";
}

bool is_shim(std::string_view loader) { return loader.starts_with("shim/"); }
/// As far as a name tells: an operator's own file is taken for one.
bool is_ipxe(std::string_view loader) { return !is_shim(loader) && !loader.starts_with("grub/"); }

/// What a switch that knows one name for all machines needs besides.
std::string one_name_for_all(const SnippetFacts& facts, std::string_view comment) {
  const std::string one = one_loader(facts);
  if (one.empty()) return fmt::format("{} There is no boot loader to name.\n", comment);
  std::vector<std::string> named{one};
  std::string out =
      fmt::format("{} One file for every machine of the pool: here {}.\n", comment, one);
  const auto also = [&](std::string_view machines, const std::string& loader) {
    if (loader.empty() || loader == one) return;
    out += fmt::format("{} A pool of {} machines: {}.\n", comment, machines, loader);
    named.push_back(loader);
  };
  also("BIOS", facts.bios);
  also("arm64", facts.uefi_arm64);
  if (const auto shim = std::find_if(named.begin(), named.end(), is_shim); shim != named.end())
    out += fmt::format(
        "{0} {1} is for Secure Boot: it asks for its GRUB, and that for the\n"
        "{0} rest, by next-server.\n",
        comment, *shim);
  if (std::any_of(named.begin(), named.end(), is_ipxe))
    return out + fmt::format(
                     "{0} iPXE is given that name again, and asks for it by TFTP: the agent knows "
                     "it by\n"
                     "{0} how it asks, and answers with its script. No option 60 and no option 43 "
                     "here.\n",
                     comment);
  return out + fmt::format("{} No option 60 and no option 43 here.\n", comment);
}

/// A line of a switch's pool; none if there is no file.
std::string boot_file(std::string_view command, const SnippetFacts& facts) {
  const std::string one = one_loader(facts);
  return one.empty() ? "" : fmt::format(" {} {}\n", command, one);
}

std::string cisco(const SnippetFacts& facts) {
  return fmt::format(
      "! Farboot: Cisco IOS, in the pool of the machines' VLAN (the name LAN is yours).\n{}"
      "ip dhcp pool LAN\n next-server {}\n{}",
      one_name_for_all(facts, "!"), facts.address.to_string(), boot_file("bootfile", facts));
}

std::string h3c(const SnippetFacts& facts) {
  return fmt::format(
      "# Farboot: H3C Comware 7, in the pool of the machines' VLAN (the name lan is yours).\n{}"
      "dhcp server ip-pool lan\n next-server {}\n{}",
      one_name_for_all(facts, "#"), facts.address.to_string(), boot_file("bootfile-name", facts));
}

struct Kind {
  std::string_view name;
  std::string (*make)(const SnippetFacts& facts);  ///< its first line is a comment
  std::string_view comment;
};
constexpr std::array<Kind, 6> kKinds{{{"dnsmasq", dnsmasq, "#"},
                                      {"isc", isc, "#"},
                                      {"kea", kea, "//"},
                                      {"openwrt", openwrt, "#"},
                                      {"cisco", cisco, "!"},
                                      {"h3c", h3c, "#"}}};

/// One that means itself in every one of these languages, and ends no string or line.
bool is_plain(std::string_view loader) {
  return std::all_of(loader.begin(), loader.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._/-").find(c) != std::string_view::npos;
  });
}

/// Takes out the loaders that are not plain. For which machines: a comment line for each.
std::string leave_out(SnippetFacts& facts, std::string_view comment) {
  std::string out;
  const auto look = [&](std::string_view machines, std::string& loader) {
    if (is_plain(loader)) return;
    loader.clear();
    out += fmt::format(
        "{} {}: left out, for their loader's name has other characters than A-Z a-z 0-9 . _ / -\n",
        comment, machines);
  };
  look("BIOS machines", facts.bios);
  look("UEFI machines of 32 bits", facts.uefi_ia32);
  look("UEFI machines", facts.uefi_x64);
  look("arm64 machines", facts.uefi_arm64);
  look("UEFI machines that boot by HTTP", facts.http_x64);
  look("arm64 machines that boot by HTTP", facts.http_arm64);
  return out;
}

class EveryLoader final : public dhcp::LoaderSet {
 public:
  bool loader_exists(std::string_view) const override { return true; }
};

/// What a machine of this kind is offered, whom no list leaves out; empty: nothing.
std::string offered(const SnippetFacts& facts, const dhcp::Policy& policy, const Played& machine,
                    const dhcp::LoaderSet& loaders) {
  dhcp::Arrival arrival;
  arrival.our_address = facts.address;
  const auto decision = dhcp::decide(discover(machine, 1), arrival, policy, loaders);
  const auto* const reply = std::get_if<dhcp::Reply>(&decision);
  if (reply == nullptr) return {};
  const std::string top = base_url(facts) + "/";
  return reply->boot_file.starts_with(top) ? reply->boot_file.substr(top.size()) : reply->boot_file;
}

}  // namespace

SnippetFacts snippet_facts(Ipv4 address, const dhcp::Policy& policy,
                           const dhcp::LoaderSet* loaders) {
  SnippetFacts facts{
      .address = address, .http_port = policy.http_port, .script_path = policy.script_path};
  dhcp::Policy open = policy;
  open.denied = open.allowed = {};
  open.elsewhere = {};
  const EveryLoader every;
  const Mac mac = made_up_mac(address);
  const auto name = [&](Client client, std::uint16_t arch) {
    return offered(facts, open, {.client = client, .mac = mac, .arch = arch},
                   loaders == nullptr ? every : *loaders);
  };
  facts.bios = name(Client::bios, 0);
  facts.uefi_ia32 = name(Client::uefi_ia32, 6);
  facts.uefi_x64 = name(Client::uefi_x64, 7);
  facts.uefi_arm64 = name(Client::uefi_arm64, 11);
  facts.http_x64 = name(Client::http_x64, 16);
  facts.http_arm64 = name(Client::http_x64, 19);
  return facts;
}

const std::vector<std::string_view>& snippet_kinds() {
  static const std::vector<std::string_view> kinds = [] {
    std::vector<std::string_view> names;
    for (const Kind& kind : kKinds) names.push_back(kind.name);
    return names;
  }();
  return kinds;
}

Result<std::string> snippet(std::string_view kind, const SnippetFacts& facts) {
  for (const Kind& each : kKinds) {
    if (each.name != kind) continue;
    SnippetFacts plain = facts;
    const std::string left_out = leave_out(plain, each.comment);
    std::string text = each.make(plain);
    return text.insert(text.find('\n') + 1, left_out);
  }
  return fail(Errc::not_found, "snippet {}: want one of {}", printable(kind, 40),
              fmt::join(snippet_kinds(), ", "));
}

}  // namespace farboot::doctor
