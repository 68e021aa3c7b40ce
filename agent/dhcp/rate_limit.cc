#include "agent/dhcp/rate_limit.h"

#include <algorithm>
#include <chrono>

namespace farboot::dhcp {
namespace {

constexpr std::size_t kBuckets = 4096;

std::size_t bucket_of(const Mac& mac) {
  std::uint64_t hash = 1469598103934665603ULL;  // FNV-1a: short input, no secret to keep
  for (const std::uint8_t octet : mac.octets) hash = (hash ^ octet) * 1099511628211ULL;
  return static_cast<std::size_t>(hash % kBuckets);
}

}  // namespace

RateLimit::RateLimit(std::uint32_t per_second_max, std::uint32_t per_client_second_max)
    : all_rate_(per_second_max),
      client_rate_(per_client_second_max),
      all_{.tokens = all_rate_, .filled = SteadyTime()},
      clients_(kBuckets, Bucket{.tokens = client_rate_, .filled = SteadyTime()}) {}

bool RateLimit::take(const Mac& client, SteadyTime now) {
  Bucket& own = clients_[bucket_of(client)];
  fill(all_, all_rate_, now);
  fill(own, client_rate_, now);
  if (all_.tokens < 1 || own.tokens < 1) return false;
  all_.tokens -= 1;
  own.tokens -= 1;
  return true;
}

void RateLimit::fill(Bucket& bucket, double per_second, SteadyTime now) {
  if (now <= bucket.filled) return;
  const std::chrono::duration<double> passed = now - bucket.filled;
  bucket.tokens = std::min(per_second, bucket.tokens + passed.count() * per_second);
  bucket.filled = now;
}

}  // namespace farboot::dhcp
