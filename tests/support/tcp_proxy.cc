#include "tests/support/tcp_proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <random>
#include <vector>

#include <fmt/format.h>

#include "common/base/check.h"

namespace farboot {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kPieceBytes = 16 * 1024;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(port);
  in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return in;
}

}  // namespace

struct TcpProxy::Line {
  /// One direction: what was read and not written yet.
  struct Half {
    std::string held;
    bool ended = false;  ///< the reader saw FIN and passed it on
    Clock::time_point not_before{};
  };
  UniqueFd client, target;
  LineFate fate;
  std::mt19937_64 random;
  Half up, down;
  std::uint64_t down_bytes = 0;
  bool dead = false;

  bool cut_due() const { return fate.cut_after_bytes && down_bytes >= *fate.cut_after_bytes; }

  void reset() {
    const linger now{1, 0};
    for (UniqueFd* fd : {&client, &target}) {
      ::setsockopt(fd->get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
      fd->reset();
    }
    dead = true;
  }

  /// Reads and writes what it can one way; false: this connection is over.
  bool pump(Half& half, int from, int to, bool downward) {
    if (half.held.empty() && !half.ended) {
      char block[kPieceBytes];
      const ssize_t n = ::recv(from, block, sizeof block, 0);
      if (n < 0) return errno == EAGAIN;
      if (n == 0) {
        half.ended = true;
        ::shutdown(to, SHUT_WR);
        return true;
      }
      half.held.assign(block, static_cast<std::size_t>(n));
      if (fate.delay_ms_max > 0)
        half.not_before = Clock::now() + std::chrono::milliseconds(random() % fate.delay_ms_max);
    }
    if (half.held.empty() || Clock::now() < half.not_before) return true;
    std::size_t size = half.held.size();
    if (downward && fate.cut_after_bytes)
      size = static_cast<std::size_t>(
          std::min<std::uint64_t>(size, *fate.cut_after_bytes - down_bytes));
    const ssize_t n = ::send(to, half.held.data(), size, MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN;
    half.held.erase(0, static_cast<std::size_t>(n));
    if (downward) down_bytes += static_cast<std::uint64_t>(n);
    return true;
  }
};

TcpProxy::TcpProxy(const std::string& target)
    : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)),
      target_port_(static_cast<std::uint16_t>(std::stoi(target.substr(target.rfind(':') + 1)))) {
  sockaddr_in own = loopback(0);
  FARBOOT_CHECK(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) == 0);
  FARBOOT_CHECK(::listen(listener_.get(), 16) == 0);
  socklen_t size = sizeof own;
  ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&own), &size);
  port_ = ntohs(own.sin_port);
  int pipe[2];
  FARBOOT_CHECK(::pipe2(pipe, O_CLOEXEC | O_NONBLOCK) == 0);
  wake_read_ = UniqueFd(pipe[0]);
  wake_write_ = UniqueFd(pipe[1]);
  thread_ = std::thread([this] { run(); });
}

TcpProxy::~TcpProxy() {
  control_.with([](Control& control) { control.stop = true; });
  wake();
  thread_.join();
}

std::string TcpProxy::address() const { return fmt::format("127.0.0.1:{}", port_); }

void TcpProxy::on_connection(std::function<LineFate(unsigned)> fate) {
  control_.with([&](Control& control) { control.fate = std::move(fate); });
}

void TcpProxy::stall(Way way) {
  control_.with([&](Control& control) { control.stalled = way; });
  wake();
}

void TcpProxy::cut() {
  control_.with([](Control& control) { control.cut = true; });
  wake();
}

void TcpProxy::wake() const {
  const char byte = 0;
  static_cast<void>(!::write(wake_write_.get(), &byte, 1));
}

void TcpProxy::accept_one() {
  UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!client) return;
  auto line = std::make_unique<Line>();
  line->client = std::move(client);
  line->fate = control_.with(
      [this](Control& control) { return control.fate ? control.fate(connections_) : LineFate{}; });
  line->random.seed(line->fate.seed);
  ++connections_;
  line->target = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in to = loopback(target_port_);
  if (::connect(line->target.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
    line->reset();  // nobody there: the client is to see that
    return;
  }
  ::fcntl(line->target.get(), F_SETFL, O_NONBLOCK);
  lines_.push_back(std::move(line));
}

void TcpProxy::run() {
  while (true) {
    const auto [stalled, cut, stop] = control_.with([](Control& control) {
      return std::tuple(control.stalled, std::exchange(control.cut, false), control.stop);
    });
    if (stop) return;
    const bool up = stalled == Way::none || stalled == Way::down;
    const bool down = stalled == Way::none || stalled == Way::up;
    std::vector<pollfd> polled = {{wake_read_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
    int timeout = -1;
    for (const auto& line : lines_) {
      if (cut) {
        ++cuts_;
        line->reset();
        continue;
      }
      const auto watch = [&](Line::Half& half, int from, int to, bool open, bool downward) {
        if (!open || line->dead) return;
        const std::uint64_t before = line->down_bytes;
        if (!line->pump(half, from, to, downward)) return line->reset();
        down_bytes_ += line->down_bytes - before;
        if (line->cut_due()) {
          ++cuts_;
          return line->reset();
        }
        if (half.held.empty()) {
          if (!half.ended) polled.push_back({from, POLLIN, 0});
        } else if (Clock::now() < half.not_before) {
          timeout = 1;
        } else {
          polled.push_back({to, POLLOUT, 0});
        }
      };
      watch(line->up, line->client.get(), line->target.get(), up, false);
      watch(line->down, line->target.get(), line->client.get(), down, true);
      if (!line->dead && line->up.ended && line->down.ended) line->reset();
    }
    std::erase_if(lines_, [](const auto& line) { return line->dead; });
    // A line that died in this turn had descriptors polled for: they are gone, and poll says so.
    ::poll(polled.data(), polled.size(), timeout);
    char drained[64];
    while (::read(wake_read_.get(), drained, sizeof drained) > 0) {
    }
    accept_one();
  }
}

}  // namespace farboot
