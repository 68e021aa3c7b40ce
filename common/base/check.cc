#include "common/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace farboot {

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "event=check.failed file=%s:%d condition=\"%s\"\n", file, line, condition);
  std::abort();
}

}  // namespace farboot
