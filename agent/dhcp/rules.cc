#include "agent/dhcp/rules.h"

#include <algorithm>
#include <charconv>

#include "agent/dhcp/loaders.h"

namespace farboot::dhcp {
namespace {

constexpr std::size_t kRuleShown = 80;  ///< of what somebody wrote
constexpr std::size_t kNameMax = 200;   ///< of a loader: it must fit into a packet
constexpr std::size_t kWordsMax = 32;
constexpr std::uint16_t kBios = 0;
constexpr std::uint16_t kX64Uefi = 7;

/// Between blanks; the first kWordsMax.
std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (words.size() <= kWordsMax) {
    const std::size_t start = text.find_first_not_of(" \t");
    if (start == std::string_view::npos) break;
    text.remove_prefix(start);
    const std::size_t end = std::min(text.find_first_of(" \t"), text.size());
    words.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return words;
}

Error too_many_words(std::string_view text) {
  return fail(Errc::invalid, "{}…: more than {} words", printable(text, kRuleShown), kWordsMax);
}

/// `x64_uefi`, or its number.
Result<std::uint16_t> parse_arch(std::string_view text) {
  for (const Architecture& known : architectures())
    if (known.name == text) return known.number;
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size() && architecture(number) != nullptr)
    return number;
  return fail(Errc::invalid, "{}: want an architecture such as x64_uefi, or its number",
              printable(text, kRuleShown));
}

/// As machines ask for it at the root of TFTP and HTTP.
Result<std::string> parse_name(std::string_view text) {
  const auto odd = [](char c) { return c <= ' ' || c > '~' || c == '\\'; };
  if (text.empty() || text.size() > kNameMax || text.front() == '/' ||
      std::any_of(text.begin(), text.end(), odd))
    return fail(Errc::invalid, "{}: want the name of a boot loader such as ipxe.efi",
                printable(text, kRuleShown));
  return std::string(text);
}

std::uint16_t arch_by_name(std::string_view name) {
  return name.ends_with(".efi") ? kX64Uefi : kBios;
}

/// The rest of `word` behind `key=`; nullopt: it is another word.
std::optional<std::string_view> value_of(std::string_view word, std::string_view key) {
  if (!word.starts_with(key) || word.size() == key.size() || word[key.size()] != '=')
    return std::nullopt;
  return word.substr(key.size() + 1);
}

/// True if the word says whom the rule is for.
Result<bool> read_who(std::string_view word, ClientMatch& who) {
  if (auto mac = mac_beginning(word)) {
    who.macs.push_back(std::move(*mac));
    return true;
  }
  if (const auto name = value_of(word, "arch")) {
    const auto arch = parse_arch(*name);
    if (!arch) return arch.error();
    who.arch = *arch;
    return true;
  }
  if (const auto begins = value_of(word, "class")) {
    if (begins->empty())
      return fail(Errc::invalid, "class=: the beginning of option 60 is missing");
    who.class_begins = *begins;
    return true;
  }
  return false;
}

/// True if the word says what they get. The architecture of a loader stays open.
Result<bool> read_what(std::string_view word, Choice& what) {
  if (const auto text = value_of(word, "loader")) {
    auto name = parse_name(*text);
    if (!name) return name.error();
    what.loaders.push_back({.arch = arch_by_name(*name), .name = std::move(*name)});
    return true;
  }
  if (word == "raspberry_pi_rom") return what.raspberry_pi_rom = true;
  const auto style = parse_reply_style(word);
  if (!style) return false;
  what.uefi_style = *style;
  return true;
}

}  // namespace

Result<ClientRule> parse_client_rule(std::string_view text) {
  ClientRule rule;
  bool named = false;
  bool given = false;
  const auto words = words_of(text);
  if (words.size() > kWordsMax) return too_many_words(text);
  for (const std::string_view word : words) {
    const auto who = read_who(word, rule.who);
    if (!who) return prefix(printable(text, kRuleShown), who.error());
    const auto what = *who ? Result<bool>(false) : read_what(word, rule.what);
    if (!what) return prefix(printable(text, kRuleShown), what.error());
    if (!*who && !*what)
      return fail(Errc::invalid,
                  "{}: {}: want a MAC or its first octets, arch=, class=, loader=, binl, one_shot "
                  "or raspberry_pi_rom",
                  printable(text, kRuleShown), printable(word, kRuleShown));
    named = named || *who;
    given = given || *what;
  }
  if (!named || !given)
    return fail(Errc::invalid, "{}: want machines and what they get: 52:54:00 loader=ipxe.efi",
                printable(text, kRuleShown));
  if (rule.who.arch)
    for (ArchLoader& loader : rule.what.loaders) loader.arch = *rule.who.arch;
  return rule;
}

Result<std::vector<ArchLoader>> parse_loaders(std::string_view text) {
  std::vector<ArchLoader> loaders;
  const auto words = words_of(text);
  if (words.size() > kWordsMax) return too_many_words(text);
  for (const std::string_view word : words) {
    const std::size_t equals = word.find('=');
    auto name = parse_name(equals == std::string_view::npos ? word : word.substr(equals + 1));
    if (!name) return name.error();
    std::uint16_t arch = arch_by_name(*name);
    if (equals != std::string_view::npos) {
      const auto given = parse_arch(word.substr(0, equals));
      if (!given) return given.error();
      arch = *given;
    }
    loaders.push_back({.arch = arch, .name = std::move(*name)});
  }
  if (loaders.empty())
    return fail(Errc::invalid, "want the name of a boot loader such as ipxe.efi");
  return loaders;
}

Result<ReplyStyle> parse_reply_style(std::string_view text) {
  if (text == "binl") return ReplyStyle::binl;
  if (text == "one_shot") return ReplyStyle::one_shot;
  return fail(Errc::invalid, "{}: want binl or one_shot", printable(text, kRuleShown));
}

}  // namespace farboot::dhcp
