#include "common/base/result.h"

#include <cstdio>
#include <cstdlib>

namespace farboot {

std::string_view to_string(Errc code) {
  switch (code) {
    case Errc::invalid: return "invalid";
    case Errc::not_found: return "not_found";
    case Errc::mismatch: return "mismatch";
    case Errc::corrupt: return "corrupt";
    case Errc::conflict: return "conflict";
    case Errc::denied: return "denied";
    case Errc::exhausted: return "exhausted";
    case Errc::unavailable: return "unavailable";
    case Errc::timeout: return "timeout";
    case Errc::cancelled: return "cancelled";
    case Errc::internal: return "internal";
  }
  return "internal";
}

Error prefix(std::string_view subject, Error error) {
  error.what = fmt::format("{}: {}", subject, error.what);
  return error;
}

void throw_exception_from_error(const Error& error, const boost::source_location& where) {
  std::fprintf(stderr, "value() of a failed result at %s:%u: %s\n", where.file_name(),
               static_cast<unsigned>(where.line()), error.what.c_str());
  std::abort();
}

}  // namespace farboot
