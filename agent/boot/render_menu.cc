// The generated menu as an iPXE script: a label for the menu, one for each menu in it, one for each
// entry.
#include <set>

#include <fmt/format.h>

#include "agent/boot/render.h"
#include "agent/boot/render_lines.h"

namespace farboot {
namespace {

// No entry's name can be so.
constexpr std::string_view kMenu = "MENU";
constexpr std::string_view kLocal = "LOCAL";

using Line = MenuPage::Line;

class MenuScript {
 public:
  MenuScript(const ScriptFrame& frame, const MenuPage& page) : frame_(frame), page_(page) {}

  std::string run() {
    out_ = script_head(frame_, fmt::format("menu of release r{}", page_.release));
    if (!page_.picture.empty())
      out_ += fmt::format("console --x 1024 --y 768 --picture {}/{} ||\n", frame_.server,
                          url_path(page_.picture));
    const Line* start = start_of(page_);
    head(kMenu, page_.title.empty() ? "Farboot" : page_.title);
    for (const Line& line : page_.lines) item(line);
    if (start == nullptr) out_ += fmt::format("item {} Boot from the local disk\n", kLocal);
    choose(start == nullptr ? kLocal : start->name, "CANCEL");
    labels(page_.lines, kMenu);
    return out_ + fmt::format(
                      ":FAILED\n"
                      "echo Farboot: that did not work\n"
                      ":CANCEL\n"
                      "prompt --key m --timeout 10000 Press M for the menu, or wait for the local "
                      "disk && goto MENU ||\n"
                      ":{}\n{}",
                      kLocal, local_lines(frame_));
  }

 private:
  void head(std::string_view label, std::string_view title) {
    const std::string text = script_line(title);
    out_ += fmt::format(":{}\nmenu {} || goto FAILED\n", label,
                        text.empty() ? std::string(label) : text);
  }

  void item(const Line& line) {
    const std::string text = script_line(line.text);
    if (line.kind == Line::Kind::gap) {
      out_ += text.empty() ? "item --gap\n" : fmt::format("item --gap -- {}\n", text);
      return;
    }
    const std::string& key = line.key;
    const bool has_key = key.size() == 1 && key[0] > ' ' && key[0] <= '~';
    out_ += fmt::format(
        "item {}{} {}{}\n",
        has_key ? fmt::format("--key {:#04x} ", static_cast<unsigned>(key[0])) : std::string(),
        line.name, text.empty() ? line.name : text, line.kind == Line::Kind::menu ? " >" : "");
  }

  void choose(std::string_view start, std::string_view otherwise) {
    out_ += fmt::format("choose --default {} ", start);
    if (page_.timeout_ms > 0) out_ += fmt::format("--timeout {} ", page_.timeout_ms);
    out_ += fmt::format("target && goto ${{target}} || goto {}\n", otherwise);
  }

  void labels(const std::vector<Line>& lines, std::string_view parent) {
    for (const Line& line : lines) {
      // An entry may stand in several menus.
      if (line.kind == Line::Kind::gap || !labelled_.insert(line.name).second) continue;
      if (line.kind == Line::Kind::menu)
        sub_menu(line, parent);
      else
        entry(line);
    }
  }

  /// Whoever leaves it alone is back in the first menu, where the timer does what it would have.
  void sub_menu(const Line& menu, std::string_view parent) {
    head(menu.name, menu.text);
    out_ += fmt::format("item {} < Back\n", parent);
    for (const Line& line : menu.lines) item(line);
    choose(parent, parent);
    labels(menu.lines, menu.name);
  }

  void entry(const Line& line) {
    out_ += fmt::format(":{}\n", line.name);
    switch (line.boots) {
      case EntryKind::shell: out_ += fmt::format("shell ||\ngoto {}\n", kMenu); return;
      case EntryKind::local: out_ += fmt::format("goto {}\n", kLocal); return;
      case EntryKind::install:
      case EntryKind::tool:
      case EntryKind::winpe: break;
    }
    out_ += fmt::format("chain --replace --autofree {}&entry={} || goto FAILED\n",
                        machine_url(frame_), url_value(line.name));
  }

  const ScriptFrame& frame_;
  const MenuPage& page_;
  std::string out_;
  std::set<std::string> labelled_;
};

}  // namespace

std::string menu_script(const ScriptFrame& frame, const MenuPage& page) {
  return MenuScript(frame, page).run();
}

}  // namespace farboot
