#include "controller/config.h"

#include "common/base/log.h"

namespace farboot {
namespace {

Result<void> check_level(std::string_view word) {
  if (word == "debug" || word == "info" || word == "warn" || word == "error") return {};
  return fail(Errc::invalid, "{}: must be debug, info, warn or error", printable(word, 40));
}

}  // namespace

KeyTable controller_keys(ControllerConfig& c) {
  KeyTable keys;
  keys.path("state_dir", c.state_dir, "database, content, CA and keys of the controller");
  keys.text("log_level", c.log_level, "debug, info, warn or error", check_level);
  keys.text("listen", c.listen, "address:port for agents and operators (gRPC over mutual TLS)");
  keys.list("names", c.names,
            "DNS names and IP addresses that agents and operators dial; they go into the server's "
            "certificate, and the first one into enrolment tokens")
      .required();
  keys.byte_size("store_budget_bytes", c.store_budget_bytes, {},
                 "most the content may take on disk; 0: 80 % of the file system");
  keys.byte_size("store_reserve_bytes", c.store_reserve_bytes, {},
                 "always left free on the file system; 0: 256 MB or 2 %, whichever is more");
  return keys;
}

}  // namespace farboot
