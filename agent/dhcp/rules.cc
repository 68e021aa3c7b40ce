#include "agent/dhcp/rules.h"

#include <algorithm>

namespace farboot::dhcp {
namespace {

constexpr std::size_t kRuleShown = 80;  ///< of what somebody wrote
constexpr std::size_t kWordsMax = 32;

/// Between blanks; at most one more than kWordsMax, which tells that there are too many.
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

/// True if the word says what they get. Loaders wait for the architecture.
Result<bool> read_what(std::string_view word, Choice& what,
                       std::vector<std::string_view>& loaders) {
  if (const auto text = value_of(word, "loader")) {
    loaders.push_back(*text);
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
  std::vector<std::string_view> loaders;
  const auto words = words_of(text);
  if (words.size() > kWordsMax) return too_many_words(text);
  for (const std::string_view word : words) {
    const auto who = read_who(word, rule.who);
    if (!who) return prefix(printable(text, kRuleShown), who.error());
    const auto what = *who ? Result<bool>(false) : read_what(word, rule.what, loaders);
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
  for (const std::string_view loader : loaders) {
    auto read = parse_loader(loader, rule.who.arch);
    if (!read) return prefix(printable(text, kRuleShown), read.error());
    rule.what.loaders.insert(rule.what.loaders.end(), read->begin(), read->end());
  }
  return rule;
}

}  // namespace farboot::dhcp
