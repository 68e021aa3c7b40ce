#include "agent/catalog/folded_paths.h"

#include <algorithm>
#include <numeric>

namespace farboot {
namespace {

char fold(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool less(std::string_view a, std::string_view b) {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                      [](char x, char y) { return fold(x) < fold(y); });
}

}  // namespace

FoldedPaths::FoldedPaths(const Manifest& tree) : order_(tree.files.size()) {
  std::iota(order_.begin(), order_.end(), 0U);
  std::sort(order_.begin(), order_.end(), [&tree](std::uint32_t a, std::uint32_t b) {
    return less(tree.files[a].path, tree.files[b].path);
  });
}

const FileEntry* FoldedPaths::find(const Manifest& tree, std::string_view path) const {
  const auto first = std::lower_bound(
      order_.begin(), order_.end(), path,
      [&tree](std::uint32_t at, std::string_view p) { return less(tree.files[at].path, p); });
  const auto same = [&](auto at) {
    return at != order_.end() && !less(path, tree.files[*at].path);
  };
  if (!same(first) || same(std::next(first))) return nullptr;
  return &tree.files[*first];
}

}  // namespace farboot
