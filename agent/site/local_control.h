// Orders given and questions asked on the agent's own machine, for when the centre cannot be
// reached: `farboot-agent host install`, `farboot-agent doctor`. A socket in the state directory;
// who may write to that may order.
//
//   install <name or MAC>\n   ->   ok <host>\n  |  error <why>\n
//   doctor\n                  ->   ok <findings_json()>\n  |  error <why>\n, after a while
//   snippet <kind>\n          ->   ok <the lines as a JSON text>\n  |  error <why>\n
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/local/stream_protocol.hpp>

#include "agent/doctor/doctor.h"
#include "agent/host/host_book.h"
#include "agent/loop.h"
#include "common/base/result.h"

namespace farboot {

/// Everything on the loop. Borrows what it is given.
class LocalControl {
 public:
  static constexpr std::size_t kLineBytesMax = 512;
  static constexpr Seconds kPatience{10};  ///< with one that connects, or takes its answer

  /// What is asked besides orders; each may be empty: not here then.
  struct Questions {
    std::function<Result<void>(doctor::Doctor::Done done)> examine;
    std::function<Result<std::string>(const std::string& kind)> snippet;
  };
  LocalControl(Loop& loop, HostBook& hosts, Questions questions = {})
      : loop_(loop), hosts_(hosts), questions_(std::move(questions)), acceptor_(loop) {}

  /// Errors: unavailable. The site is served without it too.
  Result<void> listen(const std::filesystem::path& socket);
  void stop();

 private:
  using Socket = boost::asio::local::stream_protocol::socket;

  Task<void> accept();
  Task<void> serve(std::shared_ptr<Socket> socket);
  static Task<void> reply(Loop& loop, std::shared_ptr<Socket> socket, std::string text);
  Task<std::string> answer(std::string line);
  Result<void> examine(const std::shared_ptr<Socket>& socket);

  Loop& loop_;
  HostBook& hosts_;
  Questions questions_;
  boost::asio::local::stream_protocol::acceptor acceptor_;
};

/// The other end: arms `host` at the agent that listens there. Blocks. Errors: what the agent says;
/// unavailable (it does not run).
Result<void> order_at_agent(const std::filesystem::path& socket, const std::string& host);

/// What the doctor of the agent there finds. Blocks, some seconds to half a minute. Errors:
/// likewise.
Result<std::vector<doctor::Finding>> examine_at_agent(const std::filesystem::path& socket);

/// The lines for the site's DHCP server, as the agent there makes them. Blocks. Errors: likewise.
Result<std::string> snippet_at_agent(const std::filesystem::path& socket, const std::string& kind);

}  // namespace farboot
