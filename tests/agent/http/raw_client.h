// An HTTP client that sees every byte: a blocking socket and a parser of what we promise to send.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include "common/base/unique_fd.h"

namespace farboot {

struct Answer {
  std::string head;  ///< as it came, with the empty line; empty: the server closed instead
  int status = 0;
  std::map<std::string, std::string> headers;  ///< names exactly as they came
  std::string body;
  bool whole = false;  ///< the body has the length it promised

  std::string header(const std::string& name) const {
    const auto it = headers.find(name);
    return it == headers.end() ? "" : it->second;
  }
};

class RawClient {
 public:
  /// `receive_bytes`: the socket's buffer, for clients that are to be slow.
  explicit RawClient(std::uint16_t port, int receive_bytes = 0)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_bytes > 0) {
      ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    }
    const timeval patience{60, 0};  // a hanging server fails the test instead of ctest's clock
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int connected = ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&to), sizeof to);
    EXPECT_EQ(connected, 0) << std::strerror(errno);
  }

  void send(const std::string& text) {
    for (std::size_t done = 0; done < text.size();) {
      const ssize_t n = ::send(fd_.get(), text.data() + done, text.size() - done, MSG_NOSIGNAL);
      if (n <= 0) return;  // the server closed; the answer will tell
      done += static_cast<std::size_t>(n);
    }
  }

  /// The next answer, of a request other than HEAD unless said.
  Answer receive(bool has_body = true) {
    Answer answer;
    std::size_t end;
    while ((end = input_.find("\r\n\r\n")) == std::string::npos) {
      if (!more()) return answer;
    }
    answer.head = input_.substr(0, end + 4);
    input_.erase(0, end + 4);
    parse(answer);
    if (!has_body || answer.status == 304 || answer.status / 100 == 1) {
      answer.whole = true;
      return answer;
    }
    const std::size_t length = std::strtoull(answer.header("Content-Length").c_str(), nullptr, 10);
    while (input_.size() < length && more()) {
    }
    answer.whole = input_.size() >= length;
    answer.body = input_.substr(0, length);
    input_.erase(0, length);
    return answer;
  }

  Answer get(const std::string& path, const std::string& headers = "") {
    send("GET " + path + " HTTP/1.1\r\nHost: pi\r\n" + headers + "\r\n");
    return receive();
  }
  Answer head(const std::string& path, const std::string& headers = "") {
    send("HEAD " + path + " HTTP/1.1\r\nHost: pi\r\n" + headers + "\r\n");
    return receive(false);
  }

  /// True if the server ended the connection, by FIN and with nothing left to read.
  bool at_end() { return input_.empty() && !more() && !reset_; }
  bool was_reset() const { return reset_; }
  void finish() { ::shutdown(fd_.get(), SHUT_WR); }
  /// Closes with RST.
  void abort() {
    const linger now{1, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    fd_.reset();
  }
  /// Until something has arrived that nobody reads yet.
  void wait_for_bytes() {
    char byte;
    EXPECT_EQ(::recv(fd_.get(), &byte, 1, MSG_PEEK), 1);
  }

 private:
  bool more() {
    char block[64 * 1024];
    const ssize_t n = ::recv(fd_.get(), block, sizeof block, 0);
    if (n < 0 && errno == ECONNRESET) reset_ = true;
    if (n < 0 && errno == EAGAIN) ADD_FAILURE() << "the server neither answered nor closed";
    if (n <= 0) return false;
    input_.append(block, static_cast<std::size_t>(n));
    return true;
  }

  static void parse(Answer& answer) {
    EXPECT_EQ(answer.head.rfind("HTTP/1.1 ", 0), 0u) << answer.head;
    answer.status = std::atoi(answer.head.c_str() + 9);
    std::size_t at = answer.head.find("\r\n") + 2;
    while (at < answer.head.size()) {
      const std::size_t end = answer.head.find("\r\n", at);
      const std::size_t colon = answer.head.find(": ", at);
      if (end == at || colon == std::string::npos) break;
      const auto [it, fresh] = answer.headers.emplace(
          answer.head.substr(at, colon - at), answer.head.substr(colon + 2, end - colon - 2));
      EXPECT_TRUE(fresh) << it->first << " stands twice";
      at = end + 2;
    }
  }

  UniqueFd fd_;
  std::string input_;
  bool reset_ = false;
};

}  // namespace farboot
