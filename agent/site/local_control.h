// Orders given on the agent's own machine, for when the centre cannot be reached: `farboot-agent
// host install`. A socket in the state directory; who may write to that may order.
//
//   install <name or MAC>\n   ->   ok <host>\n  |  error <why>\n
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include <boost/asio/local/stream_protocol.hpp>

#include "agent/host/host_book.h"
#include "agent/loop.h"
#include "common/base/result.h"

namespace farboot {

/// Everything on the loop. Borrows what it is given.
class LocalControl {
 public:
  static constexpr std::size_t kLineBytesMax = 512;
  static constexpr Seconds kPatience{10};  ///< with one that connects

  LocalControl(Loop& loop, HostBook& hosts) : loop_(loop), hosts_(hosts), acceptor_(loop) {}

  /// Errors: unavailable. The site is served without it too.
  Result<void> listen(const std::filesystem::path& socket);
  void stop();

 private:
  using Socket = boost::asio::local::stream_protocol::socket;

  Task<void> accept();
  Task<void> serve(std::shared_ptr<Socket> socket);
  Task<std::string> answer(std::string line);

  Loop& loop_;
  HostBook& hosts_;
  boost::asio::local::stream_protocol::acceptor acceptor_;
};

/// The other end: arms `host` at the agent that listens there. Blocks. Errors: what the agent says;
/// unavailable (it does not run).
Result<void> order_at_agent(const std::filesystem::path& socket, const std::string& host);

}  // namespace farboot
