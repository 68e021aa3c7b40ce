// Our errors as gRPC statuses and back: one table, both ends of every call.
#pragma once

#include "common/base/result.h"

namespace grpc {
class Status;
}

namespace farboot {

/// The text goes along (at most 2 KiB of it).
grpc::Status to_grpc(const Error& error);
/// For a status that is not OK. `to_error(to_grpc(e))` has e's code.
Error to_error(const grpc::Status& status);
/// The other side's own word, made by to_grpc(). False: gRPC's, such as that nobody was reached.
bool is_answer(const grpc::Status& status);
/// Nothing, or what to_error() says.
Result<void> to_result(const grpc::Status& status);

}  // namespace farboot
