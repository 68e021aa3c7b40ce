// gRPC's own complaints in our log, and the TLS handshakes it refused, counted: a foreign
// certificate never reaches a handler, so this is the only place that hears of it.
#pragma once

#include <cstdint>

namespace farboot {

/// From now on, for the whole process. gRPC logs errors only, from any thread.
void take_over_grpc_log();

/// TLS handshakes this process ended because the other side's certificate was not good, since
/// take_over_grpc_log(). Any thread.
std::uint64_t handshakes_refused();

}  // namespace farboot
