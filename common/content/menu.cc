#include "common/content/menu.h"

#include <algorithm>
#include <utility>

namespace farboot {
namespace {

bool any_shows(const std::vector<MenuItem>& items, std::string_view entry) {
  return std::any_of(items.begin(), items.end(), [&](const MenuItem& item) {
    return (item.kind == MenuItem::Kind::entry && item.name == entry) ||
           any_shows(item.items, entry);
  });
}

void flatten(const std::vector<MenuItem>& items, std::vector<std::string>& lines) {
  for (const MenuItem& item : items) {
    if (item.kind == MenuItem::Kind::entry)
      lines.push_back(item.name);
    else if (item.kind == MenuItem::Kind::menu)
      lines.push_back("- " + (item.title.empty() ? item.name : item.title));
    else
      lines.push_back(item.title.empty() ? "-" : "- " + item.title);
    flatten(item.items, lines);
  }
}

}  // namespace

MenuItem::MenuItem(std::string_view line) {
  if (line == "-" || line.starts_with("- ")) {
    kind = Kind::gap;
    title = line.substr(std::min<std::size_t>(line.size(), 2));
  } else {
    name = line;
  }
}

MenuItem MenuItem::menu(std::string name, std::string title, std::vector<MenuItem> items,
                        std::string key) {
  MenuItem item;
  item.kind = Kind::menu;
  item.name = std::move(name);
  item.title = std::move(title);
  item.key = std::move(key);
  item.items = std::move(items);
  return item;
}

bool Menu::shows(std::string_view entry) const { return any_shows(entries, entry); }

bool has_menus(const std::vector<MenuItem>& items) {
  return std::any_of(items.begin(), items.end(),
                     [](const MenuItem& item) { return item.kind == MenuItem::Kind::menu; });
}

std::vector<std::string> flat_lines(const std::vector<MenuItem>& items) {
  std::vector<std::string> lines;
  flatten(items, lines);
  return lines;
}

}  // namespace farboot
