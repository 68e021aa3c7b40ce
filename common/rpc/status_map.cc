#include "common/rpc/status_map.h"

#include <grpcpp/support/status.h>

namespace farboot {
namespace {

constexpr std::size_t kStatusTextBytesMax = 2048;  // rides in an HTTP/2 header

grpc::StatusCode code_of(Errc code) {
  switch (code) {
    case Errc::invalid: return grpc::StatusCode::INVALID_ARGUMENT;
    case Errc::not_found: return grpc::StatusCode::NOT_FOUND;
    case Errc::mismatch: return grpc::StatusCode::FAILED_PRECONDITION;
    case Errc::corrupt: return grpc::StatusCode::DATA_LOSS;
    case Errc::conflict: return grpc::StatusCode::ABORTED;
    case Errc::denied: return grpc::StatusCode::PERMISSION_DENIED;
    case Errc::exhausted: return grpc::StatusCode::RESOURCE_EXHAUSTED;
    case Errc::unavailable: return grpc::StatusCode::UNAVAILABLE;
    case Errc::timeout: return grpc::StatusCode::DEADLINE_EXCEEDED;
    case Errc::cancelled: return grpc::StatusCode::CANCELLED;
    case Errc::internal: return grpc::StatusCode::INTERNAL;
  }
  return grpc::StatusCode::INTERNAL;
}

Errc code_of(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::OUT_OF_RANGE: return Errc::invalid;
    case grpc::StatusCode::NOT_FOUND: return Errc::not_found;
    case grpc::StatusCode::FAILED_PRECONDITION: return Errc::mismatch;
    case grpc::StatusCode::DATA_LOSS: return Errc::corrupt;
    case grpc::StatusCode::ABORTED:
    case grpc::StatusCode::ALREADY_EXISTS: return Errc::conflict;
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::UNAUTHENTICATED: return Errc::denied;
    case grpc::StatusCode::RESOURCE_EXHAUSTED: return Errc::exhausted;
    case grpc::StatusCode::UNAVAILABLE: return Errc::unavailable;
    case grpc::StatusCode::DEADLINE_EXCEEDED: return Errc::timeout;
    case grpc::StatusCode::CANCELLED: return Errc::cancelled;
    case grpc::StatusCode::OK:
    case grpc::StatusCode::UNKNOWN:
    case grpc::StatusCode::UNIMPLEMENTED:
    case grpc::StatusCode::INTERNAL:
    case grpc::StatusCode::DO_NOT_USE: return Errc::internal;
  }
  return Errc::internal;  // a code of a later gRPC
}

/// google.rpc.Status with nothing but its first field, `code`: what gRPC's own failures never
/// carry.
std::string details_of(grpc::StatusCode code) {
  static_assert(grpc::StatusCode::UNAUTHENTICATED < 0x80, "one byte of varint");
  return {'\x08', static_cast<char>(code)};
}

}  // namespace

grpc::Status to_grpc(const Error& error) {
  const grpc::StatusCode code = code_of(error.code);
  return {code, error.what.substr(0, kStatusTextBytesMax), details_of(code)};
}

Error to_error(const grpc::Status& status) {
  const std::string& text = status.error_message();
  return Error{code_of(status.error_code()), text.empty() ? "the other side gave no reason"
                                                          : text.substr(0, kStatusTextBytesMax)};
}

bool is_answer(const grpc::Status& status) {
  return status.ok() || !status.error_details().empty();
}

Result<void> to_result(const grpc::Status& status) {
  if (status.ok()) return {};
  return to_error(status);
}

}  // namespace farboot
