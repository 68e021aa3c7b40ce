#include "common/rpc/grpc_log.h"

#include <atomic>
#include <string_view>

#include <grpc/support/log.h>

#include "common/base/bytes.h"
#include "common/base/log.h"

namespace farboot {
namespace {

constexpr std::size_t kMessageCharsMax = 300;

std::atomic<std::uint64_t>& refused() {
  static std::atomic<std::uint64_t> count{0};
  return count;
}

void on_message(gpr_log_func_args* args) {
  const std::string_view message = args->message;
  if (message.find("certificate verify failed") != std::string_view::npos ||
      message.find("peer did not return a certificate") != std::string_view::npos) {
    refused().fetch_add(1, std::memory_order_relaxed);
    log::warn("rpc.handshake_refused", log::kv("error", printable(message, kMessageCharsMax)));
    return;
  }
  log::warn("rpc.grpc", log::kv("message", printable(message, kMessageCharsMax)));
}

}  // namespace

void take_over_grpc_log() { gpr_set_log_function(&on_message); }

std::uint64_t handshakes_refused() { return refused().load(std::memory_order_relaxed); }

}  // namespace farboot
