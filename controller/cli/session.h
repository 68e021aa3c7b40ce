// What every verb is given: the terminal, the options all verbs share, and the controller.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "controller/cli/cli.h"
#include "controller/cli/context.h"
#include "controller/cli/json.h"
#include "controller/cli/table.h"
#include "farboot/v1/fleet.grpc.pb.h"

namespace CLI {
class App;
}

namespace farboot {

/// A call that only looks or notes something. Longer ones (import, watch) have no deadline.
inline constexpr Seconds kCallDeadline{30};
/// Apply and removal: the controller compares, stores, sweeps.
inline constexpr Seconds kLongCallDeadline{600};

class Session {
 public:
  explicit Session(Terminal& terminal) : terminal_(terminal) {}

  std::string context_option;
  std::string output = "table";
  bool json() const { return output == "json"; }
  Terminal& terminal() { return terminal_; }

  /// The controller of the context. Connects lazily: an unreachable one shows at the first call.
  /// Errors: as load_context().
  Result<v1::FleetService::Stub*> controller();
  const std::string& address() const { return address_; }
  /// Which folder that is. Errors: as context_folder().
  Result<std::filesystem::path> folder() const { return context_folder(context_option); }

  /// One unary call: `session.call(&Stub::ListSites, request, answer)`.
  template <class Method, class Request, class Answer>
  Result<void> call(Method method, const Request& request, Answer& answer,
                    Seconds deadline = kCallDeadline) {
    const auto stub = controller();
    if (!stub) return stub.error();
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + deadline);
    return result((*stub->*method)(&context, request, &answer));
  }
  /// How a call ended. Remembers whether it was the controller that said so.
  Result<void> result(const grpc::Status& status);

  /// Says what went wrong, and what to do; the exit code for it.
  Exit report(const Error& error);
  /// With -o json prints the message; otherwise what `table` returns.
  Exit print(const google::protobuf::Message& message, const std::function<std::string()>& table);
  void say(std::string_view text) { terminal_.out << text; }
  void note(std::string_view text) { terminal_.err << text; }

  Exit exit = Exit::done;

 private:
  Terminal& terminal_;
  std::string address_;
  bool unreached_ = false;  ///< the last call got no answer
  std::unique_ptr<v1::FleetService::Stub> stub_;
};

/// Paths are the controller's. One that was written relative to here is made whole, so that it
/// means the same there when both are one machine.
std::string whole_source(const std::string& source);

/// `2026-01-31 08:15:00` UTC, or `-` for none.
std::string time_text(const google::protobuf::Timestamp& time);

// verbs_*.cc: each adds its nouns. The callbacks set session.exit.
void add_image_verbs(CLI::App& app, Session& session);
void add_loader_verbs(CLI::App& app, Session& session);
void add_apply_verbs(CLI::App& app, Session& session);
void add_release_verbs(CLI::App& app, Session& session);
void add_site_verbs(CLI::App& app, Session& session);
void add_operator_verbs(CLI::App& app, Session& session);
void add_host_verbs(CLI::App& app, Session& session);
void add_doctor_verbs(CLI::App& app, Session& session);
void add_rollout_verbs(CLI::App& app, Session& session);
void add_status_verbs(CLI::App& app, Session& session);

/// A verb below `noun`, with one line of help and an example.
CLI::App& add_verb(CLI::App& noun, const std::string& name, const std::string& help,
                   const std::string& example);
CLI::App& add_noun(CLI::App& app, const std::string& name, const std::string& help);

}  // namespace farboot
