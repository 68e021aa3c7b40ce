#include "common/content/spelling.h"

#include <algorithm>

#include "common/base/bytes.h"

namespace farboot {
namespace {

char fold(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

bool same_folded(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return fold(x) == fold(y); });
}

void Spelling::look(std::string_view name) {
  if (name == path_)
    exact_ = true;
  else if (others_.size() < 2 && same_folded(name, path_))
    others_.emplace_back(name);
}

Result<std::string> Spelling::meant() const {
  if (exact_) return path_;
  if (others_.empty()) return fail(Errc::not_found, "{}: is not there", printable(path_));
  if (others_.size() == 1) return others_.front();
  return fail(Errc::invalid, "{}: is ambiguous, there are {} and {}; keep one of them",
              printable(path_), printable(others_[0]), printable(others_[1]));
}

}  // namespace farboot
