#include "mirror_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>

#include "common/base/check.h"

namespace farboot {
namespace {

void send_all(int client, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(client, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

std::string unescaped(const std::string& path) {
  std::string result;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '%' && i + 2 < path.size()) {
      result += static_cast<char>(std::stoi(path.substr(i + 1, 2), nullptr, 16));
      i += 2;
    } else {
      result += path[i];
    }
  }
  return result;
}

MirrorServer::Request parse(const std::string& head) {
  MirrorServer::Request request;
  const std::size_t blank = head.find(' ');
  const std::size_t end = head.find(' ', blank + 1);
  request.method = head.substr(0, blank);
  request.path = unescaped(head.substr(blank + 2, end - blank - 2));  // without the slash
  const std::size_t range = head.find("Range: bytes=");
  if (range != std::string::npos) request.offset = std::stoull(head.substr(range + 13));
  const std::size_t validator = head.find("If-Range: ");
  if (validator != std::string::npos)
    request.if_range = head.substr(validator + 10, head.find('\r', validator) - validator - 10);
  return request;
}

std::string etag_of(const std::string& content) { return "\"" + sha256_hex(content) + "\""; }

}  // namespace

MirrorServer::MirrorServer(TreeFiles tree) {
  set_tree(std::move(tree));
  listener_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  FARBOOT_CHECK(::bind(listener_.get(), generic, size) == 0);
  FARBOOT_CHECK(::listen(listener_.get(), 16) == 0);
  FARBOOT_CHECK(::getsockname(listener_.get(), generic, &size) == 0);
  port_ = ntohs(address.sin_port);
  int ends[2];
  FARBOOT_CHECK(::pipe(ends) == 0);
  wake_reader_ = UniqueFd(ends[0]);
  wake_writer_ = UniqueFd(ends[1]);
  thread_ = std::thread([this] { run(); });
}

MirrorServer::~MirrorServer() {
  wake_writer_ = UniqueFd();  // hangs up: run() ends
  thread_.join();
}

std::string MirrorServer::url() const { return fmt::format("http://127.0.0.1:{}", port_); }

void MirrorServer::set_tree(TreeFiles tree) {
  state_.with([&tree](State& state) { state.tree = std::move(tree); });
}
void MirrorServer::fault(const std::string& path, Fault fault) {
  state_.with([&](State& state) { state.faults[path] = fault; });
}
void MirrorServer::ignore_ranges() {
  state_.with([](State& state) { state.ranges = false; });
}
void MirrorServer::answer_heads(int status) {
  state_.with([status](State& state) { state.head_status = status; });
}
void MirrorServer::answer_absent(int status) {
  state_.with([status](State& state) { state.absent_status = status; });
}
std::vector<MirrorServer::Request> MirrorServer::requests() const {
  return state_.with([](const State& state) { return state.requests; });
}
std::size_t MirrorServer::gets_of(const std::string& path) const {
  const auto all = requests();
  return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [&](const Request& each) {
    return each.method == "GET" && each.path == path;
  }));
}

void MirrorServer::run() {
  while (true) {
    pollfd fds[] = {{listener_.get(), POLLIN, 0}, {wake_reader_.get(), POLLIN, 0}};
    if (::poll(fds, 2, -1) < 0) continue;
    if (fds[1].revents != 0) return;
    const UniqueFd client(::accept(listener_.get(), nullptr, nullptr));
    if (client.get() >= 0) serve(client.get());
  }
}

void MirrorServer::serve(int client) {
  std::string head;
  char buffer[4096];
  while (head.find("\r\n\r\n") == std::string::npos) {
    const ssize_t got = ::recv(client, buffer, sizeof buffer, 0);
    if (got <= 0) return;
    head.append(buffer, static_cast<std::size_t>(got));
  }
  send_all(client, answer(parse(head)));
}

std::string MirrorServer::answer(const Request& request) {
  return state_.with([&](State& state) -> std::string {
    state.requests.push_back(request);
    const auto plain = [](int status) {
      return fmt::format("HTTP/1.1 {} x\r\nConnection: close\r\nContent-Length: 5\r\n\r\nsorry",
                         status);
    };
    Fault fault;
    if (const auto at = state.faults.find(request.path);
        at != state.faults.end() && request.method == "GET" && at->second.times > 0) {
      --at->second.times;
      fault = at->second;
    }
    if (fault.status != 0) return plain(fault.status);
    if (request.method == "HEAD" && state.head_status != 0) return plain(state.head_status);
    const auto file = state.tree.find(request.path);
    if (file == state.tree.end()) return plain(state.absent_status);
    const std::string all = file->second;
    if (!fault.then.empty()) file->second = fault.then;
    const bool other = !request.if_range.empty() && request.if_range != etag_of(all);
    const std::uint64_t offset = state.ranges && !other ? request.offset : 0;
    if (offset != 0 && offset >= all.size()) return plain(416);
    std::string body = all.substr(offset);
    std::string head = fmt::format(
        "HTTP/1.1 {} x\r\nConnection: close\r\nContent-Length: {}\r\n"
        "ETag: {}\r\n",
        offset != 0 ? 206 : 200, body.size(), etag_of(all));
    if (offset != 0)
      head += fmt::format("Content-Range: bytes {}-{}/{}\r\n", offset, all.size() - 1, all.size());
    if (request.method == "HEAD") body.clear();
    if (fault.cut_after != 0) body.resize(std::min(body.size(), fault.cut_after));
    return head + "\r\n" + body;
  });
}

}  // namespace farboot
