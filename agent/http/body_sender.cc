#include "agent/http/body_sender.h"

#include <optional>
#include <utility>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace farboot {
namespace {

/// One connection's share of the loop before others have their turn.
constexpr std::uint64_t kTurnBytes = 2u << 20;
/// What a look at pages covers: about what one wake-up of a socket takes.
constexpr std::uint32_t kProbeBytes = 512 * 1024;
constexpr BlobWindowLimits kWindowLimits{.bytes_max = 8u << 20,
                                         .hashed_bytes_max = 1,  // one chunk ahead
                                         .segments_max = 128};

std::uint64_t size_of(const std::vector<BlobSegment>& window) {
  std::uint64_t size = 0;
  for (const BlobSegment& segment : window) size += segment.size_bytes;
  return size;
}

std::string_view inline_text(const BlobSegment& segment) {
  return as_text(
      ByteView(*segment.source.inline_bytes).subspan(segment.offset, segment.size_bytes));
}

}  // namespace

/// A window being opened; lives until the pool is done with it, also if the connection ends first.
struct BodySender::Ahead {
  explicit Ahead(Loop& loop) : ready(loop, boost::asio::steady_timer::time_point::max()) {}

  void finish(Result<Window> opened) {
    result = std::move(opened);
    ready.cancel();
  }

  std::optional<Result<Window>> result;
  boost::asio::steady_timer ready;
};

BodySender::BodySender(HttpServices& services, Channel& channel, const FileBody& body)
    : services_(services),
      channel_(channel),
      body_(body),
      reader_(std::make_shared<BlobReader>(services.store, body.file)) {}

BodySender::Window BodySender::open_at_once(std::uint64_t offset, std::uint64_t length) {
  return reader_->open_at_once(offset, length, kWindowLimits, services_.warm,
                               services_.clock.steady());
}

Task<Result<BodySender::Window>> BodySender::open(std::uint64_t offset, std::uint64_t length) {
  if (auto known = open_at_once(offset, length); !known.empty()) co_return known;
  auto job = [reader = reader_, offset, length] {
    return reader->open(offset, length, kWindowLimits);
  };
  co_return co_await on_disk(services_.disk, std::move(job));
}

Task<void> BodySender::open_ahead(HttpServices& services, std::shared_ptr<BlobReader> reader,
                                  std::uint64_t offset, std::uint64_t length,
                                  std::shared_ptr<Ahead> ahead) {
  // Whatever happens (a library may throw), whoever waits is told.
  struct Finish {
    Ahead& ahead;
    ~Finish() {
      if (!ahead.result) ahead.finish(fail(Errc::internal, "opening chunks failed"));
    }
  };
  Finish finish{*ahead};
  auto job = [reader = std::move(reader), offset, length] {
    return reader->open(offset, length, kWindowLimits);
  };
  auto opened = co_await on_disk(services.disk, std::move(job));
  ahead->finish(std::move(opened));
}

void BodySender::start_ahead(std::uint64_t offset, std::uint64_t length) {
  ahead_ = std::make_shared<Ahead>(services_.loop);
  if (auto known = open_at_once(offset, length); !known.empty()) {
    ahead_->result = std::move(known);
    return;
  }
  spawn(services_.loop, "http.open_ahead", open_ahead(services_, reader_, offset, length, ahead_));
}

Task<Result<BodySender::Window>> BodySender::take_ahead() {
  const auto ahead = std::exchange(ahead_, nullptr);
  if (!ahead->result) {
    channel_.no_deadline();  // it is us who wait, not the client
    boost::system::error_code ignored;
    co_await ahead->ready.async_wait(
        boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
  }
  if (!ahead->result) co_return fail(Errc::cancelled, "server: stops");
  co_return std::move(*ahead->result);
}

Task<Result<void>> BodySender::prepare() {
  if (body_.parts.empty()) co_return Result<void>();
  const FilePart& first = body_.parts.front();
  auto window = co_await open(first.offset, first.size_bytes);
  if (!window) co_return window.error();
  window_ = std::move(*window);
  warm_at_ = services_.clock.steady();
  co_return Result<void>();
}

Task<Result<void>> BodySender::send(std::string_view head) {
  if (body_.parts.empty()) co_return co_await channel_.send(head, body_.after, Flush::now);
  const bool many = body_.parts.size() > 1 || window_.size() > 1 ||
                    size_of(window_) < body_.parts.front().size_bytes;
  if (many) channel_.cork();
  std::string before(head);
  for (const FilePart& part : body_.parts) {
    before += part.before;
    const bool last = &part == &body_.parts.back();
    auto sent = co_await send_part(before, part, last);
    if (!sent) co_return sent.error();
    before.clear();
  }
  if (!body_.after.empty()) {
    auto sent = co_await channel_.send(body_.after, Flush::now);
    if (!sent) co_return sent.error();
  }
  if (many) channel_.uncork();
  co_return Result<void>();
}

Task<Result<void>> BodySender::send_part(std::string_view before, const FilePart& part,
                                         bool last_part) {
  std::uint64_t done = 0;
  while (done < part.size_bytes) {
    if (window_.empty()) {
      // Within a part, windows are opened ahead; else this is the first of a further part.
      Result<Window> window{Window()};
      if (ahead_) {
        window = co_await take_ahead();
      } else {
        window = co_await open(part.offset + done, part.size_bytes - done);
      }
      if (!window) co_return window.error();
      window_ = std::move(*window);
      warm_at_ = services_.clock.steady();
    }
    const Window window = std::exchange(window_, {});
    const std::uint64_t size = size_of(window);
    if (channel_.aborted()) co_return fail(Errc::cancelled, "server: stops");
    if (done + size < part.size_bytes) {
      start_ahead(part.offset + done + size, part.size_bytes - done - size);
    }
    done += size;
    for (const BlobSegment& segment : window) {
      const bool last =
          last_part && body_.after.empty() && done == part.size_bytes && &segment == &window.back();
      if (segment.source.fd < 0) {
        auto sent = co_await channel_.send(before, inline_text(segment),
                                           last ? Flush::now : Flush::more_follows);
        if (!sent) co_return sent.error();
      } else {
        if (!before.empty()) {
          auto sent = co_await channel_.send(before, Flush::more_follows);
          if (!sent) co_return sent.error();
        }
        auto sent = co_await send_segment(segment);
        if (!sent) co_return sent.error();
      }
      before = {};
    }
  }
  co_return Result<void>();
}

Task<Result<void>> BodySender::send_segment(const BlobSegment& segment) {
  std::uint32_t sent = 0;
  while (sent < segment.size_bytes) {
    auto n =
        channel_.try_send_file(segment.source.fd, segment.source.offset + segment.offset + sent,
                               segment.size_bytes - sent);
    if (!n) {
      if (n.error().code == Errc::corrupt) co_await look_again(segment.chunk);
      co_return n.error();
    }
    sent += static_cast<std::uint32_t>(*n);
    turn_bytes_ += *n;
    if (sent < segment.size_bytes) {  // a short count: the socket is full
      auto ready = co_await wait_and_warm(segment, sent);
      if (!ready) co_return ready.error();
    } else if (turn_bytes_ >= kTurnBytes) {
      turn_bytes_ = 0;
      co_await channel_.yield();
    }
  }
  co_return Result<void>();
}

/// A disk may lose what it had. What the client did not get it asks for again.
Task<void> BodySender::look_again(Digest chunk) {
  channel_.no_deadline();
  auto job = [reader = reader_, chunk] {
    reader->look_again(chunk);
    return true;
  };
  co_await on_disk(services_.disk, std::move(job));
}

Task<Result<void>> BodySender::wait_and_warm(const BlobSegment& segment, std::uint32_t sent) {
  turn_bytes_ = 0;
  auto ready = co_await channel_.writable();
  if (!ready) co_return ready.error();
  const SteadyTime now = services_.clock.steady();
  if (now - warm_at_ < kWarmTime) co_return Result<void>();
  if (!is_resident(segment, sent, kProbeBytes)) {
    channel_.no_deadline();
    auto job = [segment, sent] {
      make_resident(segment, sent);
      return true;
    };
    co_await on_disk(services_.disk, std::move(job));
  }
  warm_at_ = now;
  co_return Result<void>();
}

}  // namespace farboot
