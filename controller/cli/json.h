// A protobuf message as JSON for programs: names as in the proto, numbers as numbers (also 64
// bits), times as ISO 8601, enum values as their lower-case word, every field always there.
#pragma once

#include <string>
#include <string_view>

namespace google::protobuf {
class Message;
}

namespace farboot {

/// `indent` < 0: one line.
std::string to_json(const google::protobuf::Message& message, int indent = 2);
/// An object of one text: for a verb that asks no controller, and so has no message.
std::string to_json(std::string_view name, std::string_view text);

}  // namespace farboot
