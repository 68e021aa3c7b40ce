// Files from an HTTP(S) or file:// address, by libcurl: resumed where they broke off, with a
// bounded number of attempts.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace farboot {

/// One connection that is kept while the server lets us. One owner, one thread.
class HttpFetch {
 public:
  /// `alive` is asked several times a second; its error ends the transfer.
  explicit HttpFetch(std::function<Result<void>()> alive);
  ~HttpFetch();
  HttpFetch(const HttpFetch&) = delete;
  HttpFetch& operator=(const HttpFetch&) = delete;

  /// What takes the bytes of one file.
  struct Receiver {
    std::function<Result<void>(ByteView)> bytes;
    /// The server could not resume: the file comes once more from its first byte.
    std::function<void()> again;
  };
  /// The whole of `url`; several attempts, each resuming where the last one broke off. Errors:
  /// not_found (404, 410), denied (401, 403), unavailable (with the last problem), cancelled, and
  /// the receiver's own.
  Result<void> get(const std::string& url, const Receiver& receiver);
  /// The same into memory. Errors: also exhausted over `bytes_max`.
  Result<Bytes> get(const std::string& url, std::size_t bytes_max);

  struct Head {
    std::optional<std::uint64_t> size_bytes;
  };
  /// Whether it is there, also at a server that knows no HEAD. Errors: as get().
  Result<Head> head(const std::string& url);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The protocols a redirect from `url` may lead to: what was asked for over TLS comes over TLS.
const char* redirects_of(const std::string& url);

/// `base`/`path` with the path's bytes escaped where a URL demands it.
std::string url_of(const std::string& base, std::string_view path);

/// `url` without user name and password, for logs and errors.
std::string shown_url(std::string_view url);

}  // namespace farboot
