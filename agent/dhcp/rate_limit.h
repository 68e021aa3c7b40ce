// How often we answer, bounded for all clients together and for each. Pure, fixed memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/base/clock.h"
#include "common/wire/address.h"

namespace farboot::dhcp {

/// A bucket for all and 4096 for the clients by their MAC: those that share one share its rate,
/// which costs a flood of invented addresses no memory and an honest machine one retry at worst.
class RateLimit {
 public:
  /// A bucket holds what a second allows.
  RateLimit(std::uint32_t per_second_max, std::uint32_t per_client_second_max);

  /// Takes one answer to `client` out of both buckets; false: there is none left.
  bool take(const Mac& client, SteadyTime now);

 private:
  struct Bucket {
    double tokens = 0;
    SteadyTime filled;
  };
  static void fill(Bucket& bucket, double per_second, SteadyTime now);

  double all_rate_;
  double client_rate_;
  Bucket all_;
  std::vector<Bucket> clients_;
};

}  // namespace farboot::dhcp
