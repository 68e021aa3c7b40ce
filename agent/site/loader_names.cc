#include "agent/site/loader_names.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace farboot {
namespace {

struct Place {
  std::string_view folder;  ///< with its slash
  std::string_view name;
};

Place place_of(std::string_view path) {
  const auto slash = path.rfind('/');
  if (slash == std::string_view::npos) return {{}, path};
  return {path.substr(0, slash + 1), path.substr(slash + 1)};
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

bool is_garbled(std::string_view name, std::string_view second_stage) {
  const bool junk = std::any_of(name.begin(), name.end(),
                                [](char c) { return static_cast<unsigned char>(c) > 0x7e; });
  return junk || name.starts_with('?') || name.find("Onboard") != std::string_view::npos ||
         (second_stage.size() > 1 && name == second_stage.substr(1));
}

}  // namespace

bool is_ipxe_loader(std::string_view path) {
  constexpr std::array<std::string_view, 6> kEndings{"pxe", "kpxe", "kkpxe", "kkkpxe", "efi", "0"};
  const std::string name = lower(place_of(path).name);
  const auto dot = name.rfind('.');
  if (dot == std::string::npos) return false;
  if (std::find(kEndings.begin(), kEndings.end(), name.substr(dot + 1)) == kEndings.end())
    return false;
  return name.starts_with("ipxe") || name.starts_with("snponly") || name.starts_with("undionly");
}

std::optional<std::string> raspberry_pi_file(std::string_view path) {
  constexpr std::size_t kDigits = 8;
  const auto hex = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  };
  if (path.find('/') != kDigits || path.size() == kDigits + 1) return std::nullopt;
  if (!std::all_of(path.begin(), path.begin() + kDigits, hex)) return std::nullopt;
  return std::string("rpi").append(path.substr(kDigits));
}

std::optional<std::string> beside_shim(std::string_view path) {
  if (path.find('/') != std::string_view::npos || !path.ends_with(".efi")) return std::nullopt;
  if (!path.starts_with("grub") && !path.starts_with("mm")) return std::nullopt;
  return std::string("shim/").append(path);
}

std::optional<std::string> garbled_second_stage(
    std::string_view path, std::string_view second_stage,
    const std::function<bool(std::string_view path)>& exists) {
  constexpr std::array<std::string_view, 7> kShims{
      "shimx64.efi",   "shimaa64.efi",     "shimia32.efi",     "shim.efi",
      "ipxe-shim.efi", "ipxe-shimx64.efi", "ipxe-shimaa64.efi"};
  const Place place = place_of(path);
  if (second_stage.empty() || !is_garbled(place.name, second_stage)) return std::nullopt;
  const auto beside = [&place](std::string_view name) {
    return std::string(place.folder).append(name);
  };
  const bool shim = std::any_of(kShims.begin(), kShims.end(),
                                [&](std::string_view name) { return exists(beside(name)); });
  if (!shim) return std::nullopt;
  return beside(second_stage);
}

}  // namespace farboot
