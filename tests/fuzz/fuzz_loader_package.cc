// A Debian package to take boot loaders from, as it is, or as the tar in one: then the first byte
// is 't'. And the name of a loader.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "common/base/check.h"
#include "common/content/manifest.h"
#include "controller/import/loader_layout.h"
#include "controller/import/loader_source.h"

namespace {

using namespace farboot;

/// One member behind `debian-binary`, as dpkg-deb writes it.
std::string package_around(std::string_view tar) {
  const auto head = [](std::string_view name, std::size_t size) {
    return fmt::format("{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", name, 0, 0, 0, "100644", size);
  };
  std::string package = "!<arch>\n" + head("debian-binary", 4) + "2.0\n";
  package += head("data.tar", tar.size());
  package += tar;
  if (tar.size() % 2 == 1) package += '\n';
  return package;
}

void take(std::string_view package) {
  const auto found = read_loader_package(as_bytes(package));
  if (!found) return;
  for (const auto& [name, file] : found->files) {
    FARBOOT_CHECK(is_tree_path(name) && is_tree_path(file.path));
    FARBOOT_CHECK(loader_name(file.path, LoaderPlace::package) == name);
    static_cast<void>(loader_warnings(name, file.bytes));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const ByteView input(bytes, size);
  const std::string_view text = as_text(input);
  if (text.starts_with('t'))
    take(package_around(text.substr(1)));
  else
    take(text);
  const std::string_view line = text.substr(0, text.find('\n'));
  if (is_tree_path(line))
    for (const auto place : {LoaderPlace::package, LoaderPlace::folder})
      if (const auto name = loader_name(line, place))
        FARBOOT_CHECK(is_tree_path(*name) && loader_warnings(*name, input).size() <= 4);
  return 0;
}
