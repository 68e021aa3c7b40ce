#include "agent/tftp/path.h"

#include "common/base/bytes.h"

namespace farboot {
namespace {

bool is_separator(char c) { return c == '/' || c == '\\'; }

/// Without what some ROMs leave behind a name, and what stands for nothing between that: what is
/// left ends in a name.
std::string_view without_tail(std::string_view raw) {
  while (!raw.empty()) {
    const bool alone = raw.size() == 1 || is_separator(raw[raw.size() - 2]);
    if (raw.back() != '\xff' && !is_separator(raw.back()) && !(raw.back() == '.' && alone)) break;
    raw.remove_suffix(1);
  }
  return raw;
}

}  // namespace

Result<std::string> normalise_tftp_path(std::string_view raw) {
  raw = without_tail(raw);
  std::string path;
  std::size_t at = 0;
  while (at <= raw.size()) {
    std::size_t end = raw.find_first_of("/\\", at);
    if (end == std::string_view::npos) end = raw.size();
    const std::string_view part = raw.substr(at, end - at);
    at = end + 1;
    if (part.empty() || part == ".") continue;
    if (part == "..") return fail(Errc::denied, "path {}: leaves the root", printable(raw));
    for (const char c : part)
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
        return fail(Errc::denied, "path {}: holds control bytes", printable(raw));
    if (!path.empty()) path += '/';
    path += part;
  }
  if (path.empty()) return fail(Errc::not_found, "path {}: a directory", printable(raw));
  return path;
}

}  // namespace farboot
