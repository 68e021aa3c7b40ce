#include <cstddef>
#include <cstdint>

#include "common/base/check.h"
#include "common/content/manifest.h"
#include "controller/import/links.h"
#include "controller/import/tree_info.h"

// One text as .treeinfo, .discinfo, .disk/info and version.info of a tree that has every file it
// names.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace farboot;
  const std::string text(reinterpret_cast<const char*>(bytes), size);
  TreeNames names;
  names.has_file = [](std::string_view path) { return !path.ends_with("x"); };
  for (const char* name : {".treeinfo", ".discinfo", ".disk/info", "version.info"}) {
    names.texts = {{name, text}};
    const auto facts = understand(names);
    if (!facts) continue;
    for (const std::string& path : {facts->kernel, facts->initrd, facts->stage2})
      FARBOOT_CHECK(path.empty() || join_tree_path("", path));
    const std::string tag = default_tag(*facts, names);
    FARBOOT_CHECK(tag.empty() || is_name(tag));
  }
  return 0;
}
