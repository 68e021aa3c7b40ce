// A keep-alive HTTP/1.1 load client. Bodies are thrown away in the kernel (MSG_TRUNC), so that the
// client costs next to nothing and the server stays the bottleneck. Prints one line of JSON.
//
//   http_load ADDRESS:PORT PATHS CONNECTIONS [--seconds S] [--once] [--range BYTES] [--pids P,P…]
//
// PATHS has lines `path size`. --once: each path exactly once, instead of at random for S seconds.
// --range: so many bytes at a random offset. --pids: CPU time and memory of these are sampled.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Usage {
  double cpu_seconds = 0;
  double anonymous_mb = 0;
};

/// Of processes with all their threads.
Usage usage_of(const std::vector<int>& pids) {
  Usage usage;
  for (const int pid : pids) {
    std::ifstream stat(fmt::format("/proc/{}/stat", pid));
    std::string line;
    std::getline(stat, line);
    const auto bracket = line.rfind(')');
    if (bracket == std::string::npos) continue;
    std::istringstream fields(line.substr(bracket + 2));
    std::string field;
    for (int i = 0; i < 11; ++i) fields >> field;
    double user = 0, system = 0;
    fields >> user >> system;
    usage.cpu_seconds += (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
    std::ifstream status(fmt::format("/proc/{}/status", pid));
    while (std::getline(status, line)) {
      if (line.starts_with("RssAnon:")) usage.anonymous_mb += std::atof(line.c_str() + 8) / 1024;
    }
  }
  return usage;
}

struct Path {
  std::string path;
  std::uint64_t size = 0;
};

struct Options {
  std::string address;
  std::vector<Path> paths;
  std::size_t connections = 1;
  double seconds = 2;
  bool once = false;
  std::uint64_t range = 0;
  std::vector<int> pids;
};

struct Connection {
  int fd = -1;
  bool in_head = true;
  std::string head;
  std::uint64_t left = 0;
  double begun = 0;
  bool idle = false;
};

class Load {
 public:
  explicit Load(Options options) : options_(std::move(options)), epoll_(::epoll_create1(0)) {
    const auto colon = options_.address.rfind(':');
    server_.sin_family = AF_INET;
    server_.sin_port =
        htons(static_cast<std::uint16_t>(std::atoi(options_.address.c_str() + colon + 1)));
    ::inet_pton(AF_INET, options_.address.substr(0, colon).c_str(), &server_.sin_addr);
  }

  int run() {
    const Usage before = usage_of(options_.pids);
    const double begin = now();
    end_ = begin + options_.seconds;
    connections_.resize(options_.connections);
    for (Connection& connection : connections_) {
      open(connection);
      ask(connection);
    }
    epoll_event events[256];
    while (active_ > 0) {
      if (!options_.once && now() >= end_) break;
      const int n = ::epoll_wait(epoll_, events, 256, 200);
      for (int i = 0; i < n; ++i) {
        auto& connection = connections_[events[i].data.u32];
        while (!connection.idle && step(connection)) {
        }
      }
    }
    const double seconds = (options_.once ? last_ : now()) - begin;
    report(seconds, before, usage_of(options_.pids));
    return failures_ == 0 ? 0 : 1;
  }

 private:
  void open(Connection& connection) {
    connection.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(connection.fd, reinterpret_cast<sockaddr*>(&server_), sizeof server_) != 0) {
      std::perror("connect");
      std::exit(3);
    }
    ::fcntl(connection.fd, F_SETFL, O_NONBLOCK);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = static_cast<std::uint32_t>(&connection - connections_.data());
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event);
    ++active_;
  }

  std::uint64_t random() {
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    return random_;
  }

  void ask(Connection& connection) {
    if (options_.once ? next_ >= options_.paths.size() : now() >= end_) {
      connection.idle = true;
      --active_;
      return;
    }
    const Path& path = options_.paths[options_.once ? next_++ : random() % options_.paths.size()];
    std::string request = "GET " + path.path + " HTTP/1.1\r\nHost: bench\r\n";
    if (options_.range > 0 && path.size > 0) {
      const std::uint64_t length = std::min(options_.range, path.size);
      const std::uint64_t first = path.size > length ? random() % (path.size - length) : 0;
      request += fmt::format("Range: bytes={}-{}\r\n", first, first + length - 1);
    }
    request += "\r\n";
    connection.in_head = true;
    connection.head.clear();
    connection.begun = now();
    if (::write(connection.fd, request.data(), request.size()) !=
        static_cast<ssize_t>(request.size())) {
      ++failures_;
    }
  }

  void fail(Connection& connection) {
    ++failures_;
    ::close(connection.fd);
    --active_;
    open(connection);
    ask(connection);
  }

  /// False: nothing more to read now.
  bool step(Connection& connection) {
    char block[4096];
    const ssize_t n = connection.in_head
                          ? ::recv(connection.fd, block, sizeof block, 0)
                          : ::recv(connection.fd, nullptr,
                                   std::min<std::uint64_t>(connection.left, 8u << 20), MSG_TRUNC);
    if (n < 0 && errno == EAGAIN) return false;
    if (n <= 0) {
      fail(connection);
      return false;
    }
    if (connection.in_head) {
      connection.head.append(block, static_cast<std::size_t>(n));
      const auto end = connection.head.find("\r\n\r\n");
      if (end == std::string::npos) return true;
      if (connection.head[9] != '2') ++failures_;
      const char* length = ::strcasestr(connection.head.c_str(), "\r\ncontent-length:");
      connection.left = length == nullptr ? 0 : std::strtoull(length + 17, nullptr, 10);
      const std::uint64_t body = connection.head.size() - end - 4;
      bytes_ += body;
      connection.left -= std::min(connection.left, body);
      connection.in_head = false;
    } else {
      connection.left -= static_cast<std::uint64_t>(n);
      bytes_ += static_cast<std::uint64_t>(n);
    }
    if (connection.left > 0) return true;
    last_ = now();
    latencies_.push_back(last_ - connection.begun);
    ask(connection);
    return false;
  }

  double latency_ms(double share) {
    if (latencies_.empty()) return 0;
    const auto at =
        std::min(latencies_.size() - 1,
                 static_cast<std::size_t>(share * static_cast<double>(latencies_.size())));
    std::nth_element(latencies_.begin(), latencies_.begin() + static_cast<std::ptrdiff_t>(at),
                     latencies_.end());
    return latencies_[at] * 1e3;
  }

  void report(double seconds, const Usage& before, const Usage& after) {
    const double megabytes = static_cast<double>(bytes_) / 1e6;
    const double cpu = after.cpu_seconds - before.cpu_seconds;
    fmt::print(
        "{{\"connections\":{},\"seconds\":{:.3f},\"mb_per_second\":{:.1f},\"requests\":{},"
        "\"p50_ms\":{:.2f},\"p99_ms\":{:.2f},\"failures\":{},\"cpu_seconds\":{:.2f},"
        "\"mb_per_cpu_second\":{:.1f},\"anonymous_mb\":{:.1f}}}\n",
        options_.connections, seconds, megabytes / seconds, latencies_.size(), latency_ms(0.5),
        latency_ms(0.99), failures_, cpu, cpu > 0 ? megabytes / cpu : 0, after.anonymous_mb);
  }

  Options options_;
  int epoll_;
  sockaddr_in server_{};
  std::vector<Connection> connections_;
  std::vector<double> latencies_;
  std::uint64_t bytes_ = 0;
  std::uint64_t failures_ = 0;
  std::uint64_t random_ = 88172645463325252ull;
  std::size_t next_ = 0;
  std::size_t active_ = 0;
  double end_ = 0;
  double last_ = 0;
};

bool read_options(int argc, char** argv, Options& options) {
  if (argc < 4) return false;
  options.address = argv[1];
  std::ifstream file(argv[2]);
  Path path;
  while (file >> path.path >> path.size) options.paths.push_back(path);
  options.connections = std::strtoul(argv[3], nullptr, 10);
  for (int i = 4; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--once") {
      options.once = true;
      continue;
    }
    if (i + 1 >= argc) return false;
    const char* value = argv[++i];
    if (option == "--seconds") {
      options.seconds = std::atof(value);
    } else if (option == "--range") {
      options.range = std::strtoull(value, nullptr, 10);
    } else if (option == "--pids") {
      std::istringstream pids(value);
      for (std::string pid; std::getline(pids, pid, ',');) options.pids.push_back(std::stoi(pid));
    } else {
      return false;
    }
  }
  return !options.paths.empty() && options.connections > 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!read_options(argc, argv, options)) {
    fmt::print(stderr,
               "usage: http_load ADDRESS:PORT PATHS CONNECTIONS [--seconds S] [--once] "
               "[--range BYTES] [--pids P,P]\n");
    return 2;
  }
  return Load(std::move(options)).run();
}
