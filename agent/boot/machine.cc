#include "agent/boot/machine.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace farboot {
namespace {

constexpr std::size_t kFactCharsMax = 128;
constexpr std::size_t kArchCharsMax = 16;

bool is_word_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

std::string cut(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (out.size() == kFactCharsMax) break;
    if (c >= ' ' && c <= '~') out += c;
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const char c = text[i];
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    if (dash ? c != '-' : !hex) return false;
  }
  return true;
}

bool is_arch_word(std::string_view text) {
  return text.size() <= kArchCharsMax && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
         });
}

bool is_blank(char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7f'; }

/// A word as it may stand in an iPXE script; empty: it may not.
std::string_view script_word(std::string_view word) {
  while (word.starts_with('#')) word.remove_prefix(1);
  return word == "||" || word == "&&" || word == ";" ? std::string_view() : word;
}

std::string encoded(std::string_view text, std::string_view kept) {
  std::string out;
  for (const char c : text) {
    if (is_word_char(c) || kept.find(c) != std::string_view::npos)
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

}  // namespace

MachineFacts cleaned(MachineFacts facts) {
  for (char& c : facts.uuid)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  if (!is_uuid(facts.uuid)) facts.uuid.clear();
  for (std::string* text : {&facts.serial, &facts.manufacturer, &facts.product, &facts.asset})
    *text = cut(*text);
  // One that nobody here has heard of is kept: what is not known to run on it is not offered.
  if (!is_arch_word(facts.buildarch)) facts.buildarch.clear();
  if (facts.platform != "pcbios" && facts.platform != "efi") facts.platform.clear();
  return facts;
}

std::string tame(std::string_view fact) {
  std::string out = cut(fact);
  for (char& c : out)
    if (!is_word_char(c) && std::string_view("._:+@=/-").find(c) == std::string_view::npos) c = '_';
  return out;
}

std::string script_line(std::string_view text) {
  // What ends the line: it goes until a word is left that may.
  for (bool ends = false; !ends;) {
    while (!text.empty() && (is_blank(text.back()) || text.back() == '\\')) text.remove_suffix(1);
    const auto blank = std::find_if(text.rbegin(), text.rend(), is_blank);
    const auto begin = static_cast<std::size_t>(text.rend() - blank);
    ends = text.empty() || !script_word(text.substr(begin)).empty();
    if (!ends) text = text.substr(0, begin);
  }
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    while (at < text.size() && !is_blank(text[at])) ++at;
    out += script_word(text.substr(begin, at - begin));
    for (; at < text.size() && is_blank(text[at]); ++at) out += ' ';
  }
  return out;
}

std::string url_path(std::string_view path) { return encoded(path, "-._~/"); }
std::string url_value(std::string_view value) { return encoded(value, "-._~"); }

}  // namespace farboot
