#include "agent/http/target.h"

#include <algorithm>
#include <cctype>
#include <optional>

namespace farboot {
namespace {

std::optional<unsigned> hex_value(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  return std::nullopt;
}

/// The byte of the escape `%XY` at `at`, if it is one.
std::optional<char> escape_at(std::string_view text, std::size_t at) {
  if (at + 2 >= text.size()) return std::nullopt;
  const auto high = hex_value(text[at + 1]);
  const auto low = hex_value(text[at + 2]);
  if (!high || !low) return std::nullopt;
  return static_cast<char>(*high * 16 + *low);
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

Result<std::string> decode_path(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      const auto byte = escape_at(text, i);
      if (!byte) return fail(Errc::invalid, "path: broken escape at byte {}", i);
      c = *byte;
      i += 2;
    }
    if (is_control(c)) return fail(Errc::invalid, "path: control byte at byte {}", i);
    out += c;
  }
  return out;
}

std::string decode_value(std::string_view text, PlusSign plus) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (const auto byte = text[i] == '%' ? escape_at(text, i) : std::nullopt) {
      out += *byte;
      i += 2;
    } else {
      out += text[i] == '+' && plus == PlusSign::blank ? ' ' : text[i];
    }
  }
  return out;
}

bool starts_with_nocase(std::string_view text, std::string_view lower) {
  return text.size() >= lower.size() &&
         std::equal(lower.begin(), lower.end(), text.begin(), [](char a, char b) {
           return a == static_cast<char>(std::tolower(static_cast<unsigned char>(b)));
         });
}

/// Drops `http://authority` of the absolute form.
std::string_view origin_form(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!starts_with_nocase(target, scheme)) continue;
    target.remove_prefix(scheme.size());
    const auto path = target.find_first_of("/?#");
    if (path == std::string_view::npos) return "/";
    return target.substr(path);
  }
  return target;
}

}  // namespace

Result<Target> parse_target(std::string_view target) {
  if (target.size() > kTargetBytesMax) return fail(Errc::exhausted, "target: too long");
  std::string_view text = origin_form(target);
  text = text.substr(0, text.find('#'));
  Target out;
  if (const auto mark = text.find('?'); mark != std::string_view::npos) {
    out.query = text.substr(mark + 1);
    text = text.substr(0, mark);
  }
  // `http://host?query` has an empty path, which means the root.
  if (text.empty() && text.data() == target.data()) return fail(Errc::invalid, "target: empty");
  if (!text.empty() && text.front() != '/') return fail(Errc::invalid, "target: no path");

  auto decoded = decode_path(text);
  if (!decoded) return decoded.error();
  std::string_view rest = *decoded;
  out.directory = true;
  while (!rest.empty()) {
    const auto end = std::min(rest.find('/'), rest.size());
    const std::string_view part = rest.substr(0, end);
    const bool last = end == rest.size();
    rest.remove_prefix(last ? end : end + 1);
    if (part.empty() || part == ".") {
      out.directory = true;
    } else if (part == "..") {
      if (out.path.empty()) return fail(Errc::not_found, "path: leaves the root");
      const auto slash = out.path.rfind('/');
      out.path.resize(slash == std::string::npos ? 0 : slash);
      out.directory = true;
    } else {
      if (!out.path.empty()) out.path += '/';
      out.path += part;
      out.directory = !last;
    }
  }
  return out;
}

QueryPairs parse_query(std::string_view query, PlusSign plus) {
  QueryPairs pairs;
  while (!query.empty() && pairs.size() < kQueryPairsMax) {
    const auto end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.empty()) continue;
    const auto equals = std::min(pair.find('='), pair.size());
    pairs.emplace_back(decode_value(pair.substr(0, equals), plus),
                       decode_value(pair.substr(std::min(equals + 1, pair.size())), plus));
  }
  return pairs;
}

std::string_view query_value(const QueryPairs& pairs, std::string_view key) {
  for (const auto& [name, value] : pairs) {
    if (name == key) return value;
  }
  return {};
}

}  // namespace farboot
