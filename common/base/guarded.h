// State shared between threads: reachable only while its mutex is held.
#pragma once

#include <mutex>
#include <utility>

namespace farboot {

/// `Guarded<T> t; t.with([](T& value) { … });` Never do I/O or call out of the room inside.
template <class T>
class Guarded {
 public:
  template <class... Args>
  explicit Guarded(Args&&... args) : value_{std::forward<Args>(args)...} {}

  template <class Fn>
  decltype(auto) with(Fn&& fn) {
    const std::lock_guard lock(mutex_);
    return std::forward<Fn>(fn)(value_);
  }
  template <class Fn>
  decltype(auto) with(Fn&& fn) const {
    const std::lock_guard lock(mutex_);
    return std::forward<Fn>(fn)(value_);
  }

 private:
  mutable std::mutex mutex_;
  T value_;
};

}  // namespace farboot
