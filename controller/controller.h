// The controller as a list of its parts, and the order in which they start and stop.
#pragma once

#include <memory>

#include "common/base/result.h"
#include "controller/config.h"

namespace farboot {

class Controller {
 public:
  /// Opens the store, makes CA, release key and the first operator's certificate if there are none,
  /// and listens. Errors: what a part says, naming the folder or port.
  static Result<std::unique_ptr<Controller>> open(const ControllerConfig& config);
  ~Controller();

  /// Serves until SIGTERM or SIGINT.
  void run();

 private:
  struct Parts;
  explicit Controller(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace farboot
