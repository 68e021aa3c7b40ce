// What reading a key from a PEM must mind. For the room's own .cc files.
#pragma once

#include <cstddef>

namespace farboot {

constexpr std::size_t kPemBytesMax = 16 * 1024;

/// For OpenSSL's reader: a PEM under a password must not make a daemon ask the terminal for it.
inline int no_password(char*, int, int, void*) { return -1; }

}  // namespace farboot
