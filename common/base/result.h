// Expected failure is a value. Only this header names the library underneath.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <boost/system/result.hpp>

namespace farboot {

/// Why it failed. Closed: each edge maps it in a switch without default, so -Wswitch finds gaps.
enum class Errc : std::uint8_t {
  invalid,      ///< the input is wrong; asking again with the same input fails again
  not_found,    ///< what was named does not exist
  mismatch,     ///< bytes do not have the digest, size or signature they were promised to have
  corrupt,      ///< what we stored ourselves is no longer what we stored
  conflict,     ///< somebody else changed it meanwhile, or it exists already
  denied,       ///< the caller may not do this
  exhausted,    ///< no space, memory, session or other bounded thing left
  unavailable,  ///< not now; asking again later may succeed
  timeout,      ///< the other side did not answer in time
  cancelled,    ///< the owner or the other side ended it on purpose
  internal,     ///< a bug, or a library's failure we have no better name for
};

/// The stable lower-case name of `code`, as logs, JSON and the CLI print it.
std::string_view to_string(Errc code);

struct Error {
  Errc code = Errc::internal;
  std::string
      what;  ///< lower case, no full stop, subject first: `release r7: chunk 3fa9: not held`
};

template <class T>
class [[nodiscard]] Result : public boost::system::result<T, Error> {
 public:
  using boost::system::result<T, Error>::result;
};

template <>
class [[nodiscard]] Result<void> : public boost::system::result<void, Error> {
 public:
  using boost::system::result<void, Error>::result;
};

/// Makes an error: `return fail(Errc::not_found, "chunk {}: not held", id);`
template <class... Args>
Error fail(Errc code, fmt::format_string<Args...> format, Args&&... args) {
  return Error{code, fmt::format(format, std::forward<Args>(args)...)};
}

/// Puts the outer subject in front of an inner error: `release r7: ` + `chunk 3fa9: not held`.
Error prefix(std::string_view subject, Error error);

}  // namespace farboot

// Boost asks this when value() is called on an error. That is a bug of ours, so it ends in
// terminate.
namespace farboot {
[[noreturn]] void throw_exception_from_error(const Error& error,
                                             const boost::source_location& where);
}  // namespace farboot
