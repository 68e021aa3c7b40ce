// Little-endian fields of the binary forms in this room. Private to common/content.
#pragma once

#include <concepts>
#include <cstdint>
#include <string_view>

#include "common/base/bytes.h"

namespace farboot {

class ByteWriter {
 public:
  template <std::unsigned_integral T>
  void number(T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i)
      out_.push_back(static_cast<std::uint8_t>(static_cast<std::uint64_t>(value) >> (8 * i)));
  }
  void raw(ByteView bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }
  void reserve(std::size_t size_bytes) { out_.reserve(size_bytes); }
  std::size_t size() const { return out_.size(); }
  Bytes take() { return std::move(out_); }

 private:
  Bytes out_;
};

/// Reads what ByteWriter wrote. After the first field that is not there every read gives zero or
/// nothing and ok() is false, so a decoder may check once per record.
class ByteReader {
 public:
  explicit ByteReader(ByteView bytes) : rest_(bytes) {}

  template <std::unsigned_integral T>
  T number() {
    const ByteView field = raw(sizeof(T));
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < field.size(); ++i) value |= std::uint64_t{field[i]} << (8 * i);
    return static_cast<T>(value);
  }
  /// Borrowed from the input; empty if it is too short.
  ByteView raw(std::size_t size_bytes) {
    if (size_bytes > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const ByteView field = rest_.first(size_bytes);
    rest_ = rest_.subspan(size_bytes);
    return field;
  }
  bool ok() const { return ok_; }
  std::size_t left() const { return rest_.size(); }

 private:
  ByteView rest_;
  bool ok_ = true;
};

}  // namespace farboot
