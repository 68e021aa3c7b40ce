#include "controller/cli/session.h"

#include <filesystem>

#include "common/rpc/status_map.h"

#include <grpcpp/channel.h>

namespace farboot {

Result<v1::FleetService::Stub*> Session::controller() {
  if (stub_) return stub_.get();
  const auto folder = context_folder(context_option);
  if (!folder) return folder.error();
  const auto context = load_context(*folder);
  if (!context) return context.error();
  address_ = context->address;
  const auto channel = dial(context->address, context->credentials);
  if (!channel) return channel.error();
  stub_ = v1::FleetService::NewStub(*channel);
  return stub_.get();
}

Result<void> Session::result(const grpc::Status& status) {
  unreached_ = !is_answer(status);
  if (status.ok()) return {};
  return to_error(status);
}

Exit Session::report(const Error& error) {
  terminal_.err << terminal_.paint(Colour::red, "farboot:") << " " << error.what << "\n";
  switch (error.code) {
    case Errc::unavailable:
    case Errc::timeout:
      // The controller's own word: a mirror it did not reach, an import that was broken off.
      if (!unreached_) return Exit::failed;
      if (!address_.empty())
        terminal_.err << "  the controller at " << address_
                      << " was not reached: does it run, is the address right (context.json), is "
                         "the port open, was the certificate issued by it?\n";
      return Exit::unreachable;
    case Errc::not_found:
    case Errc::conflict:
    case Errc::denied: return Exit::refused;
    case Errc::invalid:
    case Errc::mismatch:
    case Errc::corrupt:
    case Errc::exhausted:
    case Errc::cancelled:
    case Errc::internal: return Exit::failed;
  }
  return Exit::failed;
}

Exit Session::print(const google::protobuf::Message& message,
                    const std::function<std::string()>& table) {
  if (json())
    terminal_.out << to_json(message) << "\n";
  else
    terminal_.out << table();
  return Exit::done;
}

std::string time_text(const google::protobuf::Timestamp& time) {
  if (time.seconds() == 0) return "-";
  std::string text = to_iso8601(WallTime(Seconds(time.seconds())));
  text[10] = ' ';
  text.pop_back();
  return text;
}

std::string whole_source(const std::string& source) {
  if (source.find("://") != std::string::npos) return source;
  std::error_code error;
  const auto path = std::filesystem::absolute(source, error);
  return error ? source : path.lexically_normal().string();
}

}  // namespace farboot
