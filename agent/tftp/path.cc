#include "agent/tftp/path.h"

#include "common/base/bytes.h"

namespace farboot {

Result<std::string> normalise_tftp_path(std::string_view raw) {
  while (!raw.empty() && raw.back() == '\xff') raw.remove_suffix(1);
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
