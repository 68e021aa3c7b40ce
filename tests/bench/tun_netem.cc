// tun_netem A 10.9.0.1/24 B 10.9.0.2/24 [--rtt MS] [--loss SHARE] [--mtu BYTES] [--mbit N]
//
// Delay, loss and a rate between two named network namespaces in user space, for kernels without
// sch_netem: a TUN device "nem0" in each, packets carried both ways until it is killed. Like every
// network card of today it takes checksums off the kernel (here: nobody computes them), so that the
// line costs the servers no more than a real one.
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace {

constexpr std::size_t kQueueMax = 200'000;
constexpr std::size_t kSpareMax = 10'000;
constexpr int kPacketsPerTurn = 256;
constexpr double kBacklogSecondsMax = 0.2;
constexpr int kFrameOverheadBytes = 38;

struct Line {
  double delay = 0;  ///< seconds, one way
  double loss = 0;
  double mbit = 0;  ///< 0: as fast as it goes
  int mtu = 1500;
};

/// In front of each packet; tells about its checksum, and goes over the line with it.
constexpr std::size_t kDeviceHeaderBytes = 10;  // struct virtio_net_hdr, whose header is not C++

struct Packet {
  double due = 0;
  std::vector<char> bytes;
};

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

int make_device(const std::string& space, const std::string& address, int mtu) {
  const int home = ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  const int there = ::open(("/run/netns/" + space).c_str(), O_RDONLY | O_CLOEXEC);
  if (there < 0 || ::setns(there, 0) != 0) {
    std::perror(space.c_str());
    std::exit(1);
  }
  const int device = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  ifreq request{};
  std::strcpy(request.ifr_name, "nem0");
  request.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
  if (device < 0 || ::ioctl(device, TUNSETIFF, &request) != 0 ||
      ::ioctl(device, TUNSETOFFLOAD, TUN_F_CSUM) != 0) {
    std::perror("tun device");
    std::exit(1);
  }
  const std::string setup = "ip addr add " + address + " dev nem0 && ip link set nem0 mtu " +
                            std::to_string(mtu) + " txqueuelen 10000 up && ip link set lo up";
  if (std::system(setup.c_str()) != 0) std::exit(1);
  if (::setns(home, 0) != 0) std::exit(1);
  ::close(home);
  ::close(there);
  return device;
}

/// One direction.
class Carrier {
 public:
  Carrier(int from, int to, const Line& line, std::uint64_t seed)
      : from_(from), to_(to), line_(line), random_(seed) {}

  void take() {
    for (int i = 0; i < kPacketsPerTurn; ++i) {
      const ssize_t size = ::read(from_, buffer_.data(), buffer_.size());
      if (size <= 0) return;
      if (line_.loss > 0 && chance() < line_.loss) continue;
      const double start = now();
      double due = start + line_.delay;
      if (line_.mbit > 0) {
        busy_until_ = std::max(busy_until_, start) +
                      static_cast<double>(size - kDeviceHeaderBytes + kFrameOverheadBytes) * 8 /
                          (line_.mbit * 1e6);
        if (busy_until_ - start > kBacklogSecondsMax) continue;
        due = busy_until_ + line_.delay;
      }
      if (queue_.size() >= kQueueMax) continue;
      std::vector<char> bytes;
      if (!spare_.empty()) {
        bytes.swap(spare_.back());
        spare_.pop_back();
      }
      bytes.assign(buffer_.begin(), buffer_.begin() + size);
      queue_.push_back({due, std::move(bytes)});
    }
  }
  void give(double time) {
    while (!queue_.empty() && queue_.front().due <= time) {
      auto& bytes = queue_.front().bytes;
      if (::write(to_, bytes.data(), bytes.size()) < 0) ++lost_;
      if (spare_.size() < kSpareMax) spare_.push_back(std::move(bytes));
      queue_.pop_front();
    }
  }
  /// Infinity: nothing waits.
  double next() const { return queue_.empty() ? HUGE_VAL : queue_.front().due; }

 private:
  double chance() {
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    return static_cast<double>(random_ >> 11) * 0x1p-53;
  }
  int from_, to_;
  Line line_;
  std::uint64_t random_;
  double busy_until_ = 0;
  std::uint64_t lost_ = 0;
  std::deque<Packet> queue_;
  std::vector<std::vector<char>> spare_;  ///< buffers to be used again
  std::array<char, 70'000> buffer_;
};

void set_timer(int timer, double due) {
  if (due == HUGE_VAL) return;
  const double wait = std::max(due - now(), 1e-6);
  itimerspec spec{};
  spec.it_value.tv_sec = static_cast<time_t>(wait);
  spec.it_value.tv_nsec = static_cast<long>((wait - std::floor(wait)) * 1e9);
  ::timerfd_settime(timer, 0, &spec, nullptr);
}

void watch(int poll, int fd, std::uint32_t index) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u32 = index;
  ::epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
}

}  // namespace

int main(int count, char** words) {
  if (count < 5) {
    std::fprintf(stderr,
                 "usage: tun_netem A ADDRESS/BITS B ADDRESS/BITS [--rtt MS] [--loss SHARE] "
                 "[--mtu BYTES] [--mbit N]\n");
    return 2;
  }
  Line line;
  for (int i = 5; i + 1 < count; i += 2) {
    const std::string name = words[i];
    const double value = std::atof(words[i + 1]);
    if (name == "--rtt") line.delay = value / 2e3;
    if (name == "--loss") line.loss = value;
    if (name == "--mtu") line.mtu = static_cast<int>(value);
    if (name == "--mbit") line.mbit = value;
  }
  const int a = make_device(words[1], words[2], line.mtu);
  const int b = make_device(words[3], words[4], line.mtu);
  std::vector<Carrier> ways;
  ways.emplace_back(a, b, line, 88172645463325252ULL);
  ways.emplace_back(b, a, line, 1181783497276652981ULL);
  const int poll = ::epoll_create1(EPOLL_CLOEXEC);
  const int timer = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  watch(poll, a, 0);
  watch(poll, b, 1);
  watch(poll, timer, 2);
  std::printf("ready\n");
  std::fflush(stdout);
  while (true) {
    set_timer(timer, std::min(ways[0].next(), ways[1].next()));
    std::array<epoll_event, 3> events;
    const int ready = ::epoll_wait(poll, events.data(), events.size(), -1);
    for (int i = 0; i < ready; ++i) {
      std::uint64_t expirations = 0;
      if (events[static_cast<std::size_t>(i)].data.u32 < 2)
        ways[events[static_cast<std::size_t>(i)].data.u32].take();
      else if (::read(timer, &expirations, sizeof expirations) < 0)
        continue;
    }
    const double time = now();
    for (Carrier& way : ways) way.give(time);
  }
}
