// What is legal in a kickstart but bites at the site. Every one of these was somebody's afternoon.
#include <algorithm>
#include <set>
#include <sstream>

#include "controller/cli/fleet_check.h"

namespace farboot {
namespace {

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::string_view first_word(std::string_view line) {
  return line.substr(0, line.find_first_of(" \t"));
}

bool is_section(std::string_view word) {
  static const std::set<std::string_view> kSections{"%packages",    "%pre",     "%post",
                                                    "%pre-install", "%onerror", "%traceback",
                                                    "%addon",       "%anaconda"};
  return kSections.contains(word);
}

/// `http://10.4.0.2/…`: an address somebody typed in.
bool has_typed_address(std::string_view line) {
  for (const std::string_view scheme : {"http://", "https://", "ftp://"}) {
    const std::size_t at = line.find(scheme);
    if (at == std::string_view::npos) continue;
    const std::string_view rest = line.substr(at + scheme.size());
    const std::string_view host = rest.substr(0, rest.find_first_of("/: \t"));
    if (!host.empty() && host.find_first_not_of("0123456789.") == std::string_view::npos)
      return true;
  }
  return false;
}

bool names_sda(std::string_view line) {
  const std::size_t at = line.find("sda");
  if (at == std::string_view::npos) return false;
  const char before = at == 0 ? ' ' : line[at - 1];
  return before == '=' || before == ',' || before == '/' || before == ' ';
}

class Lint {
 public:
  Lint(const FleetText& text, bool modern, Findings& findings)
      : text_(text), modern_(modern), findings_(findings) {}

  void run() {
    if (text_.text.starts_with("\xef\xbb\xbf"))
      warn(1, "begins with a byte order mark, which breaks %pre", "save it as plain UTF-8");
    if (const std::size_t crlf = text_.text.find("\r\n"); crlf != std::string::npos)
      warn(line_of(crlf), "has Windows line ends, which break %pre and %post",
           "sed -i 's/\\r$//' " + text_.file);
    std::istringstream lines(text_.text);
    std::string line;
    for (std::size_t number = 1; std::getline(lines, line); ++number) look(trim(line), number);
    if (!section_.empty())
      warn(section_line_, section_ + " has no %end", "the installer refuses it");
    if (!ends_)
      warn(0,
           "has no reboot, poweroff, halt or shutdown: the machine waits at the end of the install",
           "add a line `reboot`");
  }

 private:
  void look(std::string_view line, std::size_t number) {
    if (line.empty() || line.starts_with('#')) return;
    const std::string_view word = first_word(line);
    if (word == "%end") {
      section_.clear();
      return;
    }
    if (is_section(word)) {
      if (!section_.empty())
        warn(section_line_, section_ + " has no %end", "the installer refuses it");
      section_ = word;
      section_line_ = number;
    }
    if (has_typed_address(line))
      warn(number, "has a typed-in address, which is another at the next site",
           "{{image.url}}, {{image.repo}} and {{server.url}} are right everywhere");
    if (!section_.empty()) return;
    if (names_sda(line))
      warn(number, "names the disk sda, which may be nvme0n1 or vda on the next machine",
           "leave it out, or choose the disk in %pre");
    static const std::set<std::string_view> kEnds{"reboot", "poweroff", "halt", "shutdown"};
    ends_ = ends_ || kEnds.contains(word);
    if (word == "rootpw" && line.find("--iscrypted") == std::string_view::npos &&
        line.find("--lock") == std::string_view::npos)
      warn(number, "has a password in clear, and releases are copied to every site",
           "rootpw --iscrypted with `openssl passwd -6`");
    if (modern_ && (word == "install" || word == "auth" || word == "authconfig"))
      warn(number, fmt::format("`{}` is not known to version 8 and later", word),
           word == "install" ? "leave it out" : "use authselect");
  }

  std::size_t line_of(std::size_t offset) const {
    return 1 + static_cast<std::size_t>(std::count(
                   text_.text.begin(), text_.text.begin() + static_cast<long>(offset), '\n'));
  }

  void warn(std::size_t line, std::string text, std::string hint) {
    findings_.warning({text_.file, line}, std::move(text), std::move(hint));
  }

  const FleetText& text_;
  bool modern_;
  Findings& findings_;
  std::string section_;
  std::size_t section_line_ = 0;
  bool ends_ = false;
};

bool is_modern(const KnownImage& image) {
  if (image.family != "redhat") return false;
  std::size_t major = 0;
  for (const char c : image.version) {
    if (c < '0' || c > '9') break;
    major = major * 10 + static_cast<std::size_t>(c - '0');
    if (major > 1000) break;
  }
  return major >= 8;
}

}  // namespace

void lint_kickstarts(const FleetDirectory& fleet,
                     const std::optional<std::vector<KnownImage>>& images, Findings& findings) {
  for (const auto& [name, text] : fleet.kickstarts) {
    bool used = false, modern = false, foreign = false;
    for (const FleetEntry& entry : fleet.entries) {
      if (entry.entry.kickstart != name) continue;
      used = true;
      if (!images) continue;
      for (const KnownImage& image : *images) {
        if (image.name + "@" + image.tag != entry.entry.image) continue;
        modern = modern || is_modern(image);
        foreign = foreign || image.family != "redhat";
      }
    }
    // A preseed or autoinstall file is not a kickstart, whatever the folder is called.
    if (used && !foreign) Lint(text, modern, findings).run();
  }
}

}  // namespace farboot
