// What a machine says of itself in a query, a form or GRUB's path, and what scripts make of it: no
// line of a script is of its making.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "agent/boot/machine.h"
#include "agent/boot/render.h"
#include "agent/boot/render_grub.h"
#include "agent/http/target.h"
#include "common/base/check.h"
#include "common/content/desired_state.h"

namespace {

using namespace farboot;

constexpr std::string_view kServer = "http://10.4.0.2";
constexpr std::string_view kMac = "52:54:00:12:34:56";

MachineFacts facts_of(const QueryPairs& pairs) {
  const auto fact = [&](std::string_view name) { return std::string(query_value(pairs, name)); };
  MachineFacts facts;
  facts.mac = kMac;
  facts.uuid = fact("uuid");
  facts.serial = fact("serial");
  facts.manufacturer = fact("manufacturer");
  facts.product = fact("product");
  facts.asset = fact("asset");
  facts.buildarch = fact("buildarch");
  facts.platform = fact("platform");
  return cleaned(std::move(facts));
}

auto tied(const MachineFacts& facts) {
  return std::tie(facts.uuid, facts.serial, facts.manufacturer, facts.product, facts.asset,
                  facts.buildarch, facts.platform);
}

std::vector<BootAnswer> answers(std::string_view text) {
  const std::string said(text);
  MenuPage menu;
  menu.title = said;
  MenuPage::Line line{.name = "centos7", .text = said};
  line.key = said.substr(0, 1);
  menu.lines = {line};
  LoadPlan plan;
  plan.headline = plan.kernel = plan.initrd = plan.arguments = said;
  plan.initrd += 'x';
  return {LocalAnswer{said}, WaitAnswer{said, false, "centos7"}, TroubleAnswer{said},
          ShellAnswer{},     ConfirmAnswer{"centos7", said},     std::move(menu),
          std::move(plan)};
}

std::ptrdiff_t lines_of(std::string_view script) {
  return std::count(script.begin(), script.end(), '\n');
}

/// Scripts of the same answers, with texts from the network and with plain ones, are the same
/// lines.
void check_scripts(const MachineFacts& facts, std::string_view text, const LocalBoot& local) {
  ScriptFrame said{std::string(kServer), facts, local};
  ScriptFrame plain = said;
  plain.facts = {};
  plain.facts.mac = kMac;
  plain.facts.platform = facts.platform;
  plain.local = {};
  plain.local.way = local.way;
  const auto with = answers(text), without = answers("x");
  for (std::size_t i = 0; i < with.size(); ++i) {
    const std::string script = render_ipxe(said, with[i]);
    FARBOOT_CHECK(script.starts_with("#!ipxe\n") && script.ends_with('\n'));
    FARBOOT_CHECK(lines_of(script) == lines_of(render_ipxe(plain, without[i])));
    for (const GrubRoot root : {GrubRoot::http, GrubRoot::tftp})
      FARBOOT_CHECK(lines_of(render_grub(said, with[i], root)) ==
                    lines_of(render_grub(plain, without[i], root)));
  }
}

/// iPXE and shells split at blanks; it has no quotes.
void check_words(std::string_view text) {
  const std::string line = script_line(text);
  FARBOOT_CHECK(script_line(line) == line);
  for (std::size_t at = 0; at <= line.size();) {
    const std::size_t end = std::min(line.find(' ', at), line.size());
    const std::string_view word = std::string_view(line).substr(at, end - at);
    FARBOOT_CHECK(word != "||" && word != "&&" && word != ";" && !word.starts_with('#'));
    at = end + 1;
  }
  FARBOOT_CHECK(!line.ends_with('\\'));
  const std::string tamed = tame(text);
  FARBOOT_CHECK(tamed.find_first_of(" \t\r\n'\"`$;#|&<>(){}\\!*?[]~") == std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text = as_text(ByteView(bytes, size));
  for (const PlusSign plus : {PlusSign::plus, PlusSign::blank}) {
    const QueryPairs pairs = parse_query(text, plus);
    FARBOOT_CHECK(pairs.size() <= kQueryPairsMax);
    const MachineFacts facts = facts_of(pairs);
    // The address it is told to ask again says the same of it.
    const auto target = parse_target(machine_url({std::string(kServer), facts, {}}));
    FARBOOT_CHECK(target && target->path == "boot/52-54-00-12-34-56.ipxe");
    const MachineFacts again = facts_of(parse_query(target->query, PlusSign::plus));
    FARBOOT_CHECK(tied(again) == tied(facts));
    check_scripts(facts, query_value(pairs, "text"), {});
  }
  const QueryPairs back = parse_query("v=" + url_value(text), PlusSign::plus);
  FARBOOT_CHECK(back.size() == 1 && back[0].second == text);
  check_words(text);
  if (const auto local = parse_local_boot(text)) check_scripts({}, "x", *local);
  if (const auto ask = parse_grub_path(text)) {
    FARBOOT_CHECK(ask->facts.mac.size() == kMac.size());
    check_scripts(cleaned(ask->facts), "x", {});
  }
  if (const auto mac = normalise_mac(text)) FARBOOT_CHECK(normalise_mac(*mac).value() == *mac);
  return 0;
}
