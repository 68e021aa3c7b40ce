// The Range header of HTTP (RFC 9110 §14.2) as a decision. If-Range is the server's business.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace farboot::http_range {

/// Ranges in one header we are ready to answer one by one; more is answered whole. zchunk asks for
/// up to 256 at once.
inline constexpr std::size_t kRangesMax = 256;

/// Both ends belong to it, `first <= last < size`.
struct Range {
  std::uint64_t first = 0;
  std::uint64_t last = 0;

  std::uint64_t size_bytes() const { return last - first + 1; }
  bool operator==(const Range&) const = default;
};

enum class Answer : std::uint8_t {
  whole,  ///< 200 and everything: the header is absent, not understood, or asks for too much
  unsatisfiable,  ///< 416 and `Content-Range: bytes */SIZE`
  ranges,         ///< 206; more than one range: multipart/byteranges
};

struct Parsed {
  Answer answer = Answer::whole;
  /// Only with Answer::ranges; never empty then. Disjoint and not adjacent (what overlapped or
  /// touched was merged), in the order in which the client first named them.
  std::vector<Range> ranges;
};

/// What `header` (the value of `Range`, empty if there is none) asks of a file of `size_bytes`.
/// Numbers beyond the end are clamped. Never fails: what it does not understand is `whole`.
Parsed parse(std::string_view header, std::uint64_t size_bytes);

}  // namespace farboot::http_range
