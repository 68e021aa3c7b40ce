#include "agent/boot/answer.h"

#include <algorithm>

#include "common/base/bytes.h"

namespace farboot {
namespace {

bool is_drive(std::string_view text) {
  if (text.starts_with("0x")) text.remove_prefix(2);
  return !text.empty() && text.size() <= 4 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
}

}  // namespace

Result<LocalBoot> parse_local_boot(std::string_view text) {
  LocalBoot local;
  const std::size_t blank = text.find(' ');
  const std::string_view word = text.substr(0, blank);
  const std::string_view rest =
      blank == std::string_view::npos ? std::string_view() : text.substr(blank + 1);
  if (text.empty() || text == "auto") return local;
  if (text == "exit") {
    local.way = LocalBoot::Way::exit;
    return local;
  }
  if (text == "exit 1") {
    local.way = LocalBoot::Way::exit_failure;
    return local;
  }
  if (word == "sanboot" && (rest.empty() || is_drive(rest))) {
    local.way = LocalBoot::Way::sanboot;
    if (!rest.empty()) local.drive = rest;
    return local;
  }
  if (word == "efi" && (rest.empty() || (rest.starts_with('\\') && script_line(rest) == rest &&
                                         rest.find(' ') == std::string_view::npos))) {
    local.way = LocalBoot::Way::efi_file;
    if (!rest.empty()) local.file = rest;
    return local;
  }
  return fail(Errc::invalid,
              "local_boot '{}': auto, exit, exit 1, sanboot [DRIVE] or efi [\\FILE] expected",
              printable(text, 60));
}

const MenuPage::Line* start_of(const MenuPage& page) {
  const auto disk = [&]() -> const MenuPage::Line* {
    const auto found =
        std::find_if(page.lines.begin(), page.lines.end(), [](const MenuPage::Line& line) {
          return line.kind == MenuPage::Line::Kind::entry && line.boots == EntryKind::local;
        });
    return found == page.lines.end() ? nullptr : &*found;
  };
  const bool timer = page.timeout_ms > 0;
  for (const MenuPage::Line& line : page.lines) {
    if (line.kind != MenuPage::Line::Kind::entry) continue;
    const bool named = line.name == page.default_entry;
    if (!named && !page.default_entry.empty()) continue;
    const bool may_install = !page.default_local && (named || !timer);
    return may_install || !installs(line.boots) ? &line : disk();
  }
  return disk();
}

}  // namespace farboot
