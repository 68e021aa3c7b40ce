#include "agent/catalog/any_case.h"

#include <algorithm>
#include <vector>

namespace farboot {
namespace {

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
char fold(char c) { return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c; }
char other_case(char c) {
  if (is_lower(c)) return static_cast<char>(c - 'a' + 'A');
  return fold(c);
}

bool same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return fold(x) == fold(y); });
}

/// Neighbours in the list whose names begin alike, `depth` bytes long, as the path does but for
/// case.
struct Range {
  std::size_t first = 0;
  std::size_t last = 0;
  std::size_t depth = 0;
};

class Search {
 public:
  Search(const Manifest& tree, std::string_view path) : files_(tree.files), path_(path) {
    if (!files_.empty()) open_.push_back({0, files_.size(), 0});
  }

  AnyCase run() {
    while (!open_.empty() && found_.between.second == nullptr && found_.looks < kAnyCaseLooksMax) {
      const Range range = open_.back();
      open_.pop_back();
      if (range.last - range.first == 1 || range.depth == path_.size()) {
        take(range);
        continue;
      }
      const char next = path_[range.depth];
      narrow(range, next);
      if (other_case(next) != next) narrow(range, other_case(next));
    }
    if (found_.looks >= kAnyCaseLooksMax || found_.between.second != nullptr)
      found_.file = nullptr;
    else
      found_.between = {};
    return found_;
  }

 private:
  /// The shortest name of a range comes first.
  void take(const Range& range) {
    ++found_.looks;
    if (!same(files_[range.first].path, path_)) return;
    auto& [first, second] = found_.between;
    (first == nullptr ? first : second) = &files_[range.first];
    found_.file = first;
  }

  /// Those that go on with `next`.
  void narrow(const Range& range, char next) {
    const auto byte = static_cast<unsigned char>(next);
    const auto at = [this](std::size_t place) {
      return files_.begin() + static_cast<std::ptrdiff_t>(place);
    };
    const auto goes_on = [this, &range](const FileEntry& file) {
      ++found_.looks;
      if (file.path.size() == range.depth) return -1;
      return static_cast<int>(static_cast<unsigned char>(file.path[range.depth]));
    };
    const auto first =
        std::partition_point(at(range.first), at(range.last),
                             [&](const FileEntry& file) { return goes_on(file) < byte; });
    const auto last = std::partition_point(
        first, at(range.last), [&](const FileEntry& file) { return goes_on(file) == byte; });
    if (first != last)
      open_.push_back({static_cast<std::size_t>(first - files_.begin()),
                       static_cast<std::size_t>(last - files_.begin()), range.depth + 1});
  }

  const std::vector<FileEntry>& files_;
  std::string_view path_;
  std::vector<Range> open_;
  AnyCase found_;
};

}  // namespace

AnyCase find_in_any_case(const Manifest& tree, std::string_view path) {
  if (const FileEntry* exact = tree.find(path)) return {.file = exact, .looks = 1};
  return Search(tree, path).run();
}

}  // namespace farboot
