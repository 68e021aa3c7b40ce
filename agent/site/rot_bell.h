// Tells the link that the store found a rotten chunk. The store is opened before there is a link,
// and finds rot on whatever thread reads: this is what both hold.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "common/base/guarded.h"
#include "common/store/pack_store.h"

namespace farboot {

/// Copies ring the same bell. Thread-safe.
class RotBell {
 public:
  /// For PackStoreOptions::on_quarantine.
  std::function<void(const Quarantined&)> hook() const {
    return [heard = heard_](const Quarantined&) {
      heard->with([](const std::function<void()>& ear) {
        if (ear) ear();
      });
    };
  }
  /// `ear` must be quick. Empty: nobody listens any more; no call is under way after that.
  void tell(std::function<void()> ear) {
    heard_->with([&](std::function<void()>& held) { held = std::move(ear); });
  }

 private:
  std::shared_ptr<Guarded<std::function<void()>>> heard_ =
      std::make_shared<Guarded<std::function<void()>>>();
};

}  // namespace farboot
