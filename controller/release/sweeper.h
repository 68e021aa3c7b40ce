// Frees what no image, no boot loader set and no live release names, and never while something is
// being written that nobody names yet.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

#include "common/base/result.h"
#include "common/content/digest.h"
#include "common/store/content_store.h"
#include "controller/release/image_book.h"
#include "controller/release/release_book.h"

namespace farboot {

/// Thread-safe. Borrows everything it is given.
class Sweeper {
 public:
  /// Digests of the releases that sites have, are to have, or may be told to have.
  using LiveReleases = std::function<Result<std::set<Digest>>()>;

  Sweeper(ContentStore& content, const ImageBook& images, const ReleaseBook& releases,
          LiveReleases live)
      : content_(content), images_(images), releases_(releases), live_(std::move(live)) {}

  /// Held from before the first chunk is put until what names it is recorded. Waits for a sweep
  /// under way.
  class Writing {
   public:
    explicit Writing(Sweeper& sweeper) : sweeper_(sweeper) { sweeper_.begin_writing(); }
    ~Writing() { sweeper_.end_writing(); }
    Writing(const Writing&) = delete;
    Writing& operator=(const Writing&) = delete;

   private:
    Sweeper& sweeper_;
  };

  /// Sweeps and returns the bytes freed. nullopt: something is being written; the sweep follows
  /// when that ends. Blocks.
  Result<std::optional<std::uint64_t>> sweep();

 private:
  void begin_writing();
  void end_writing();
  Result<std::uint64_t> sweep_now();
  Result<std::set<Digest>> roots() const;

  ContentStore& content_;
  const ImageBook& images_;
  const ReleaseBook& releases_;
  LiveReleases live_;

  std::mutex mutex_;
  std::condition_variable changed_;
  unsigned writing_ = 0;
  bool sweeping_ = false;
  bool wanted_ = false;
};

}  // namespace farboot
