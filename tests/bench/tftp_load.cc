// tftp_load -a IP:PORT -f NAME [-f NAME…] [-c CLIENTS] [-n TRANSFERS | -d SECONDS] [-b BLKSIZE]
//           [-w WINDOWSIZE] [--retry MS] [--pids 1,2]
//
// TFTP read load (RFC 1350, 2347, 2348, 2349, 7440) by one thread; bodies are thrown away. A lost
// block is handled as RFC 7440 tells: the last block in order is acknowledged at once. Who sends
// that block again missed the ACK, and hears it again: so do iPXE, GRUB, EDK2 and tftp-hpa. One
// line of JSON; unfinished transfers count by the bytes that arrived.
#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "common/base/unique_fd.h"
#include "common/wire/tftp.h"

namespace {

using farboot::Bytes;
using farboot::ByteView;
namespace tftp = farboot::tftp;

constexpr int kPacketsPerTurn = 256;
constexpr int kTriesMax = 10;
constexpr double kScanSeconds = 0.02;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// User and system time of these processes and of their children: some fork per transfer.
double cpu_seconds(const std::vector<int>& parents) {
  std::vector<int> pids = parents;
  for (const int pid : parents) {
    std::ifstream children(fmt::format("/proc/{0}/task/{0}/children", pid));
    for (int child = 0; children >> child;) pids.push_back(child);
  }
  double total = 0;
  for (const int pid : pids) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    if (!std::getline(file, line)) continue;
    std::array<unsigned long, 4> ticks{};
    if (std::sscanf(line.c_str() + line.rfind(')') + 1,
                    "%*s %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %lu %lu", &ticks[0],
                    &ticks[1], &ticks[2], &ticks[3]) != 4)
      continue;
    for (const unsigned long t : ticks)
      total += static_cast<double>(t) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  }
  return total;
}

struct Settings {
  sockaddr_in server{};
  std::vector<std::string> files;
  std::size_t clients = 1;
  std::uint64_t transfers_max = 0;
  double seconds = 0;
  std::uint32_t block_bytes = 1428;
  std::uint32_t window_blocks = 1;
  double retry_seconds = 1;
  std::vector<int> pids;
};

struct Totals {
  std::uint64_t started = 0, done = 0, errors = 0, bytes = 0, packets = 0, retries = 0, doubles = 0;
  std::uint32_t got_block_bytes = 0, got_window_blocks = 0;
  std::vector<double> times;
  std::string last_error;
};

class Client {
 public:
  bool running() const { return static_cast<bool>(fd_); }
  int fd() const { return fd_.get(); }

  void start(const Settings& settings, Totals& totals) {
    *this = Client{};
    fd_.reset(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const int room = 1 << 20;
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
    tftp::Request request;
    request.path = settings.files[totals.started++ % settings.files.size()];
    if (settings.block_bytes != tftp::kBlockBytesDefault)
      request.options.push_back({"blksize", std::to_string(settings.block_bytes)});
    request.options.push_back({"tsize", "0"});
    if (settings.window_blocks > 1)
      request.options.push_back({"windowsize", std::to_string(settings.window_blocks)});
    request_ = tftp::encode_request(request);
    server_ = settings.server;
    began_ = now();
    ask();
  }

  /// Takes what has come; true if the transfer is over.
  bool take(Totals& totals) {
    static std::array<std::uint8_t, 65'600> buffer;
    for (int i = 0; i < kPacketsPerTurn; ++i) {
      sockaddr_in source{};
      socklen_t length = sizeof source;
      const ssize_t size = ::recvfrom(fd_.get(), buffer.data(), buffer.size(), 0,
                                      reinterpret_cast<sockaddr*>(&source), &length);
      if (size < 0) return false;
      if (!connected_) {
        ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&source), sizeof source);
        connected_ = true;
      }
      if (on_packet(ByteView(buffer).first(static_cast<std::size_t>(size)), totals)) return true;
    }
    return false;
  }

  /// Repeats what it said last if nothing came; true if it gives up.
  bool check(double time, const Settings& settings, Totals& totals) {
    if (time - said_ <= settings.retry_seconds) return false;
    ++totals.retries;
    if (++tries_ > kTriesMax) {
      ++totals.errors;
      totals.last_error = "timeout";
      return true;
    }
    gap_reported_ = false;
    if (connected_)
      acknowledge();
    else
      ask();
    return false;
  }

  void end() { fd_.reset(); }

 private:
  void ask() {
    ::sendto(fd_.get(), request_.data(), request_.size(), 0,
             reinterpret_cast<const sockaddr*>(&server_), sizeof server_);
    said_ = now();
  }
  void acknowledge() {
    const auto ack = tftp::encode_ack(static_cast<std::uint16_t>(block_));
    ::send(fd_.get(), ack.data(), ack.size(), 0);
    in_window_ = 0;
    said_ = now();
  }
  bool on_packet(ByteView packet, Totals& totals) {
    if (const auto error = tftp::decode_error(packet)) {
      ++totals.errors;
      totals.last_error = error->text;
      return true;
    }
    if (const auto oack = tftp::decode_oack(packet)) {
      if (block_ > 0) return false;
      for (const tftp::Option& option : oack->options) {
        const auto value = static_cast<std::uint32_t>(tftp::number(option.value).value_or(0));
        if (tftp::same_name(option.name, "blksize")) block_bytes_ = value;
        if (tftp::same_name(option.name, "windowsize")) window_blocks_ = value;
      }
      totals.got_block_bytes = block_bytes_;
      totals.got_window_blocks = window_blocks_;
      acknowledge();
      return false;
    }
    const auto data = tftp::decode_data(packet);
    if (!data) return false;
    ++totals.packets;
    const auto ahead = static_cast<std::uint16_t>(data->block - (block_ + 1));
    if (ahead != 0) {
      if (ahead >= 0x8000) {
        ++totals.doubles;
        if (ahead == 0xffff) acknowledge();
      } else if (!gap_reported_) {
        gap_reported_ = true;
        ++totals.retries;
        acknowledge();
      }
      return false;
    }
    ++block_;
    totals.bytes += data->payload.size();
    gap_reported_ = false;
    tries_ = 0;
    const bool last = data->payload.size() < block_bytes_;
    if (++in_window_ >= window_blocks_ || last)
      acknowledge();
    else
      said_ = now();
    if (!last) return false;
    ++totals.done;
    totals.times.push_back(now() - began_);
    return true;
  }

  farboot::UniqueFd fd_;
  sockaddr_in server_{};
  Bytes request_;
  bool connected_ = false;
  bool gap_reported_ = false;
  std::uint64_t block_ = 0;
  std::uint32_t in_window_ = 0;
  std::uint32_t block_bytes_ = tftp::kBlockBytesDefault;
  std::uint32_t window_blocks_ = 1;
  int tries_ = 0;
  double began_ = 0;
  double said_ = 0;
};

double percentile(std::vector<double>& times, double share) {
  if (times.empty()) return 0;
  const auto place = std::min(times.size() - 1,
                              static_cast<std::size_t>(share * static_cast<double>(times.size())));
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(place), times.end());
  return times[place] * 1e3;
}

void run(const Settings& settings, Totals& totals) {
  const int poll = ::epoll_create1(EPOLL_CLOEXEC);
  std::vector<Client> clients(settings.clients);
  const double began = now();
  std::size_t running = 0;
  const auto start = [&](Client& client) {
    const bool more = settings.transfers_max > 0 ? totals.started < settings.transfers_max
                                                 : now() - began < settings.seconds;
    client.end();
    if (!more) return false;
    client.start(settings, totals);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = static_cast<std::uint32_t>(&client - clients.data());
    ::epoll_ctl(poll, EPOLL_CTL_ADD, client.fd(), &event);
    return true;
  };
  for (Client& client : clients) running += start(client) ? 1 : 0;
  double scanned = began;
  while (running > 0) {
    std::array<epoll_event, 128> events;
    const int ready = ::epoll_wait(poll, events.data(), events.size(), 20);
    for (int i = 0; i < ready; ++i) {
      Client& client = clients[events[static_cast<std::size_t>(i)].data.u32];
      if (client.running() && client.take(totals) && !start(client)) --running;
    }
    const double time = now();
    if (time - scanned > kScanSeconds) {
      scanned = time;
      for (Client& client : clients)
        if (client.running() && client.check(time, settings, totals) && !start(client)) --running;
    }
    if (settings.seconds > 0 && time - began > settings.seconds) break;
  }
  ::close(poll);
}

bool parse(int count, char** words, Settings& settings) {
  std::string address = "127.0.0.1:69";
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string name = words[i], value = words[i + 1];
    if (name == "-a")
      address = value;
    else if (name == "-f")
      settings.files.push_back(value);
    else if (name == "-c")
      settings.clients = std::stoul(value);
    else if (name == "-n")
      settings.transfers_max = std::stoull(value);
    else if (name == "-d")
      settings.seconds = std::stod(value);
    else if (name == "-b")
      settings.block_bytes = static_cast<std::uint32_t>(std::stoul(value));
    else if (name == "-w")
      settings.window_blocks = static_cast<std::uint32_t>(std::stoul(value));
    else if (name == "--retry")
      settings.retry_seconds = std::stod(value) / 1e3;
    else if (name == "--pids") {
      for (std::size_t at = 0; at < value.size(); at = value.find(',', at) + 1) {
        settings.pids.push_back(std::atoi(value.c_str() + at));
        if (value.find(',', at) == std::string::npos) break;
      }
    } else
      return false;
  }
  const std::size_t colon = address.rfind(':');
  if (settings.files.empty() || colon == std::string::npos) return false;
  if (settings.transfers_max == 0 && settings.seconds <= 0)
    settings.transfers_max = settings.clients;
  settings.server.sin_family = AF_INET;
  settings.server.sin_port =
      htons(static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1))));
  return ::inet_pton(AF_INET, address.substr(0, colon).c_str(), &settings.server.sin_addr) == 1;
}

}  // namespace

int main(int count, char** words) {
  Settings settings;
  if (!parse(count, words, settings)) {
    std::fprintf(stderr,
                 "usage: tftp_load -a IP:PORT -f NAME [-f NAME...] [-c CLIENTS] [-n TRANSFERS | -d "
                 "SECONDS] [-b BLKSIZE] [-w WINDOWSIZE] [--retry MS] [--pids 1,2]\n");
    return 2;
  }
  const rlimit files{1 << 16, 1 << 16};
  ::setrlimit(RLIMIT_NOFILE, &files);
  Totals totals;
  const double began = now();
  const double cpu = cpu_seconds(settings.pids);
  run(settings, totals);
  const double seconds = now() - began;
  const double gigabytes = static_cast<double>(totals.bytes) / 1e9;
  std::printf(
      "{\"clients\":%zu,\"blksize\":%u,\"windowsize\":%u,\"got_blksize\":%u,\"got_windowsize\":%u,"
      "\"secs\":%.3f,\"MBps\":%.3f,\"transfers\":%lu,\"p50ms\":%.1f,\"p99ms\":%.1f,\"packets\":%lu,"
      "\"retries\":%lu,\"dups\":%lu,\"errs\":%lu,\"srv_cpu_s_per_GB\":%.3f,\"err\":\"%s\"}\n",
      settings.clients, settings.block_bytes, settings.window_blocks, totals.got_block_bytes,
      totals.got_window_blocks, seconds, static_cast<double>(totals.bytes) / 1e6 / seconds,
      totals.done, percentile(totals.times, 0.5), percentile(totals.times, 0.99), totals.packets,
      totals.retries, totals.doubles, totals.errors,
      gigabytes > 0 ? (cpu_seconds(settings.pids) - cpu) / gigabytes : 0,
      totals.last_error.c_str());
  return totals.errors > 0 ? 1 : 0;
}
