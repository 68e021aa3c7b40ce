#include "controller/import/http_fetch.h"

#include <curl/curl.h>

#include <algorithm>
#include <thread>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"

namespace farboot {
namespace {

constexpr int kAttemptsMax = 6;  ///< without a single new byte in between
constexpr Milliseconds kFirstPause{100};
constexpr Milliseconds kPauseMax{5000};
constexpr Milliseconds kPauseStep{50};  ///< a cancelled import does not wait for the whole pause
constexpr long kConnectSecondsMax = 20;
constexpr long kSilentSecondsMax = 60;
constexpr long kRedirectsMax = 5;
constexpr long kReceiveBytes = 256 * 1024;

struct FreeEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};

struct FreeHeaders {
  void operator()(curl_slist* headers) const { curl_slist_free_all(headers); }
};

/// libcurl's process-wide part, once.
void start_curl() {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  FARBOOT_CHECK(started == CURLE_OK);
}

bool is_file_url(const std::string& url) { return url.starts_with("file://"); }

}  // namespace

struct HttpFetch::State {
  explicit State(std::function<Result<void>()> alive_in) : alive(std::move(alive_in)) {
    start_curl();
    easy.reset(curl_easy_init());
    FARBOOT_CHECK(easy != nullptr);
  }

  /// How one attempt ended.
  struct Attempt {
    CURLcode code = CURLE_OK;
    long status = 0;
    std::string problem;
  };

  void prepare(const std::string& url) {
    CURL* curl = easy.get();
    curl_easy_reset(curl);  // connections stay
    curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https,file");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, redirects_of(url));
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, kRedirectsMax);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, kConnectSecondsMax);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, kSilentSecondsMax);
    curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, kReceiveBytes);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "farboot");
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, text);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, this);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, this);
    text[0] = '\0';
    stopped.reset();
  }

  Attempt perform() {
    Attempt attempt;
    attempt.code = curl_easy_perform(easy.get());
    curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &attempt.status);
    attempt.problem = text[0] != '\0' ? text : curl_easy_strerror(attempt.code);
    return attempt;
  }

  Attempt receive(const std::string& url, std::uint64_t offset, const Receiver& to) {
    prepare(url);
    receiver = &to;
    resume_at = offset;
    received = 0;
    accepting.reset();
    if (offset == 0) {
      validator.clear();
      return perform();
    }
    curl_easy_setopt(easy.get(), CURLOPT_RESUME_FROM_LARGE, static_cast<curl_off_t>(offset));
    // The rest of the same file, or all of the new one: RFC 9110 §13.1.5.
    const std::unique_ptr<curl_slist, FreeHeaders> headers(
        validator.empty() ? nullptr
                          : curl_slist_append(nullptr, ("If-Range: " + validator).c_str()));
    curl_easy_setopt(easy.get(), CURLOPT_HTTPHEADER, headers.get());
    Attempt attempt = perform();
    curl_easy_setopt(easy.get(), CURLOPT_HTTPHEADER, nullptr);
    return attempt;
  }

  enum class Look {
    head,
    first_byte  ///< a GET that is broken off: the server knows no HEAD
  };
  /// Asks whether it is there. `enough` says that a GET was broken off because it is.
  Attempt look(const std::string& url, Look how) {
    prepare(url);
    receiver = nullptr;
    resume_at = 0;
    accepting.reset();
    enough = false;
    if (how == Look::head)
      curl_easy_setopt(easy.get(), CURLOPT_NOBODY, 1L);
    else
      curl_easy_setopt(easy.get(), CURLOPT_RANGE, "0-0");
    return perform();
  }

  static int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    auto* state = static_cast<State*>(self);
    if (auto ok = state->alive(); !ok) {
      state->stopped = ok.error();
      return 1;
    }
    return 0;
  }

  static std::size_t on_bytes(char* bytes, std::size_t, std::size_t size, void* self) {
    auto* state = static_cast<State*>(self);
    if (!state->accepting) state->accepting = state->begin_body();
    if (!*state->accepting) return size;  // an error page: thrown away
    if (state->receiver == nullptr) {
      state->enough = true;
      return CURL_WRITEFUNC_ERROR;
    }
    auto ok = state->receiver->bytes({reinterpret_cast<const std::uint8_t*>(bytes), size});
    if (!ok) {
      state->stopped = ok.error();
      return CURL_WRITEFUNC_ERROR;
    }
    state->received += size;
    return size;
  }

  /// At the first byte: is this the file, and from where?
  bool begin_body() {
    long status = 0;
    curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
    if (status != 0 && status != 200 && status != 206) return false;
    if (resume_at == 0) validator = strong_validator();
    return true;
  }

  /// What tells this version of the file from another; a weak ETag does not (RFC 9110 §13.1.5).
  std::string strong_validator() {
    for (const char* const name : {"ETag", "Last-Modified"}) {
      curl_header* header = nullptr;
      if (curl_easy_header(easy.get(), name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK) continue;
      const std::string_view value = header->value;
      if (!value.starts_with("W/")) return std::string(value);
    }
    return {};
  }

  /// Waits before attempt number `attempt`. Errors: alive()'s.
  Result<void> pause(int attempt) {
    const Milliseconds wanted = std::min(kFirstPause * (1 << (attempt - 1)), kPauseMax);
    for (Milliseconds waited{0}; waited < wanted; waited += kPauseStep) {
      if (auto ok = alive(); !ok) return ok.error();
      std::this_thread::sleep_for(std::min(kPauseStep, wanted - waited));
    }
    return {};
  }

  std::function<Result<void>()> alive;
  std::unique_ptr<CURL, FreeEasy> easy;
  char text[CURL_ERROR_SIZE] = {};
  std::optional<Error> stopped;
  const Receiver* receiver = nullptr;
  std::uint64_t resume_at = 0;
  std::uint64_t received = 0;
  std::optional<bool> accepting;
  bool enough = false;
  std::string validator;  ///< If-Range of the file under way; empty: the server gave none
};

namespace {

/// A verdict that asking again will not change.
std::optional<Error> final_verdict(const std::string& url, CURLcode code, long status,
                                   const std::string& problem) {
  const std::string shown = shown_url(url);
  if (is_file_url(url)) {
    if (code == CURLE_OK) return std::nullopt;
    if (code == CURLE_FILE_COULDNT_READ_FILE) return fail(Errc::not_found, "{}: not there", shown);
    return fail(Errc::unavailable, "{}: {}", shown, problem);
  }
  if (status == 404 || status == 410) return fail(Errc::not_found, "{}: HTTP {}", shown, status);
  if (status == 401 || status == 403) return fail(Errc::denied, "{}: HTTP {}", shown, status);
  if (status >= 400 && status < 500 && status != 408 && status != 429 && status != 416)
    return fail(Errc::unavailable, "{}: HTTP {}", shown, status);
  switch (code) {
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_TOO_MANY_REDIRECTS:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE: return fail(Errc::unavailable, "{}: {}", shown, problem);
    default: return std::nullopt;
  }
}

bool is_success(const std::string& url, CURLcode code, long status) {
  return code == CURLE_OK && (is_file_url(url) || status == 200 || status == 206);
}

}  // namespace

HttpFetch::HttpFetch(std::function<Result<void>()> alive)
    : state_(std::make_unique<State>(std::move(alive))) {}
HttpFetch::~HttpFetch() = default;

Result<void> HttpFetch::get(const std::string& url, const Receiver& receiver) {
  std::uint64_t offset = 0;
  std::uint64_t farthest = 0;
  for (int attempt = 1;; ++attempt) {
    const State::Attempt ended = state_->receive(url, offset, receiver);
    if (state_->stopped) return *state_->stopped;
    if (is_success(url, ended.code, ended.status)) return {};
    if (auto verdict = final_verdict(url, ended.code, ended.status, ended.problem)) return *verdict;
    offset = state_->resume_at + state_->received;
    if (offset >
        farthest) {  // only new ground counts: a server without ranges must not go on for ever
      farthest = offset;
      attempt = 1;
    }
    // It cannot resume, or the file became shorter: once more from the start.
    if (offset != 0 && (ended.code == CURLE_RANGE_ERROR || ended.status == 416)) {
      receiver.again();
      offset = 0;
    }
    const std::string problem =
        ended.status >= 400 ? fmt::format("HTTP {}", ended.status) : ended.problem;
    if (attempt >= kAttemptsMax)
      return fail(Errc::unavailable, "{}: {} ({} attempts)", shown_url(url), problem, attempt);
    log::warn("import.retry", log::kv("url", shown_url(url)), log::kv("offset", offset),
              log::kv("problem", problem));
    if (auto ok = state_->pause(attempt); !ok) return ok.error();
  }
}

Result<Bytes> HttpFetch::get(const std::string& url, std::size_t bytes_max) {
  Bytes whole;
  Receiver receiver;
  receiver.bytes = [&](ByteView part) -> Result<void> {
    if (part.size() > bytes_max - whole.size())
      return fail(Errc::exhausted, "{}: more than {} bytes", shown_url(url), bytes_max);
    whole.insert(whole.end(), part.begin(), part.end());
    return {};
  };
  receiver.again = [&whole] { whole.clear(); };
  if (auto ok = get(url, receiver); !ok) return ok.error();
  return whole;
}

Result<HttpFetch::Head> HttpFetch::head(const std::string& url) {
  State::Look look = State::Look::head;
  for (int attempt = 1;; ++attempt) {
    const State::Attempt ended = state_->look(url, look);
    if (state_->stopped) return *state_->stopped;
    if (look == State::Look::head && (ended.status == 405 || ended.status == 501)) {
      look = State::Look::first_byte;
      continue;
    }
    if (look == State::Look::first_byte && (state_->enough || ended.status == 416)) return Head{};
    if (is_success(url, ended.code, ended.status)) {
      curl_off_t length = -1;
      curl_easy_getinfo(state_->easy.get(), CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
      Head head;
      if (length >= 0 && look == State::Look::head)
        head.size_bytes = static_cast<std::uint64_t>(length);
      return head;
    }
    if (auto verdict = final_verdict(url, ended.code, ended.status, ended.problem)) return *verdict;
    if (attempt >= kAttemptsMax)
      return fail(Errc::unavailable, "{}: {} ({} attempts)", shown_url(url),
                  ended.status >= 400 ? fmt::format("HTTP {}", ended.status) : ended.problem,
                  attempt);
    if (auto ok = state_->pause(attempt); !ok) return ok.error();
  }
}

const char* redirects_of(const std::string& url) {
  return url.starts_with("https:") ? "https" : "http,https";
}

std::string url_of(const std::string& base, std::string_view path) {
  std::string url = base;
  if (!url.ends_with('/')) url += '/';
  for (const char letter : path) {
    const auto byte = static_cast<unsigned char>(letter);
    const bool plain = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                       (letter >= '0' && letter <= '9') ||
                       std::string_view("/-._~+,=@:").find(letter) != std::string_view::npos;
    if (plain)
      url += letter;
    else
      url += fmt::format("%{:02X}", byte);
  }
  return url;
}

std::string shown_url(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return printable(url);
  const std::size_t host = scheme + 3;
  const std::size_t at = url.substr(0, url.find('/', host)).rfind('@');
  if (at == std::string_view::npos || at < host) return printable(url);
  return printable(fmt::format("{}{}", url.substr(0, host), url.substr(at + 1)));
}

}  // namespace farboot
